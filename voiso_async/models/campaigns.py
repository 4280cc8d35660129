"""Campaigns, in the vendor's words; a field that is ``None`` was absent or ``null``."""

from datetime import datetime
from typing import Any

from attrs import field, frozen

from voiso_async.convert import structure_within
from voiso_async.models.enums import CampaignStatus, CampaignStrategy
from voiso_async.models.record import OpenRecord


@frozen(kw_only=True, eq=False, repr=False)
class DialLevelOverride(OpenRecord):
    """Another dial level while at least so many agents are active; seen on *get* only."""

    enabled: bool | None = None
    value: int | float | None = None
    active_agents_threshold: int | None = None


@frozen(kw_only=True, eq=False, repr=False)
class VoiceMessage(OpenRecord):
    """A recording."""

    type: str | None = None
    name: str | None = field(default=None, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class AmdVoicemailMessage(OpenRecord):
    """What an answering machine is told."""

    enabled: bool | None = None
    voice_message: VoiceMessage | None = None


@frozen(kw_only=True, eq=False, repr=False)
class CallerIdSet(OpenRecord):
    """Numbers a campaign shows to those it calls."""

    phone_numbers: tuple[str, ...] | None = field(default=None, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class Campaign(OpenRecord):
    """A dialer campaign; a state call may answer with little more than ``id`` and ``status``.

    ``extra`` keeps the fields this package does not know.
    """

    id: int
    name: str | None = None
    status: CampaignStatus | None = None
    strategy: CampaignStrategy | None = None
    method: str | None = None
    live: bool | None = None
    dial_level: int | float | None = None
    dial_level_override: DialLevelOverride | None = None
    max_dial_time: int | None = None
    max_wait_time: int | None = None
    max_dial_attempts: int | None = None
    amd_enabled: bool | None = None
    amd_voicemail_message: AmdVoicemailMessage | None = None
    caller_id_sets: tuple[CallerIdSet, ...] | None = None
    use_local_caller_id: bool | None = None
    asr_optimization_enabled: bool | None = None
    follow_up_mode: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((type(self), self.id))


def campaign_from(decoded: Any, request: str = "") -> Campaign:
    """Read a campaign that is wrapped in ``campaign`` or bare, or raise ``ResponseError``."""
    return structure_within(decoded, "campaign", Campaign, request=request)
