"""Users, in the vendor's words; a field that is ``None`` was absent or ``null``."""

from datetime import datetime
from typing import Any

from attrs import field, frozen

from voiso_async.convert import structure_within
from voiso_async.models.record import OpenRecord


@frozen(kw_only=True, eq=False, repr=False)
class Ref(OpenRecord):
    """A team, queue, skill or access group, by id and name."""

    id: int
    name: str | None = field(default=None, repr=False)

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True, eq=False, repr=False)
class SkillLevel(OpenRecord):
    """A skill, and how well a user has it."""

    skill: Ref | None = None
    value: int | None = None


@frozen(kw_only=True, eq=False, repr=False)
class WebrtcRingtone(OpenRecord):
    """What a user hears when a call comes in."""

    type: str | None = None
    name: str | None = field(default=None, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class ChannelProfile(OpenRecord):
    """A user's account on a channel such as chat; ``identifier`` may be a number or a name."""

    id: int
    channel: str | None = None
    identifier: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True, eq=False, repr=False)
class User(OpenRecord):
    """A user of the contact centre; adding to and removing from a campaign answer with id, name and email only.

    ``id`` is an integer or a text, as the server writes it: compare ``str(user.id)``. ``extra``
    keeps the fields this package does not know. The repr shows nothing personal.
    """

    id: int | str
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    sip_account: str | None = field(default=None, repr=False)
    extension: str | None = field(default=None, repr=False)
    caller_id: str | None = field(default=None, repr=False)
    employee_id: str | None = field(default=None, repr=False)
    timezone: str | None = None
    speech_language: str | None = None
    status: str | None = None
    security_access_group: Ref | None = None
    teams: tuple[Ref, ...] | None = None
    supervised_teams: tuple[Ref, ...] | None = None
    queues: tuple[Ref, ...] | None = None
    supervised_queues: tuple[Ref, ...] | None = None
    webrtc_ringtone: WebrtcRingtone | None = None
    channels: tuple[str, ...] | None = None
    channel_group_capacity: dict[str, int] | None = None
    channel_profiles: tuple[ChannelProfile, ...] | None = None
    skills: tuple[SkillLevel, ...] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((type(self), self.id))


def user_from(decoded: Any, request: str = "") -> User:
    """Read a user that is wrapped in ``user`` or bare, or raise ``ResponseError``."""
    return structure_within(decoded, "user", User, request=request)
