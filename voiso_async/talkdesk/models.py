"""Records of Talkdesk in the vendor's words; a field that is ``None`` was absent or ``null``.

Everything but ``id`` may be absent. What is not known here is kept in ``extra``, the links (``_links``) too.
"""

from datetime import datetime
from typing import Self

from attrs import field, frozen

from voiso_async.models.enums import OpenEnum
from voiso_async.models.record import OpenRecord


class _Shouted(OpenEnum):
    """An open enum whose listed words are found in any case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        return super()._missing_(value)


class TalkdeskStatus(_Shouted):
    """Where a campaign stands."""

    INCOMPLETE = "INCOMPLETE"
    READY = "READY"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"


class RecordListStatus(_Shouted):
    """Where a record list stands."""

    INCOMPLETE = "INCOMPLETE"
    UPLOADED = "UPLOADED"
    VALIDATION_STARTED = "VALIDATION_STARTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CORRUPTED = "CORRUPTED"


class IdentifierType(_Shouted):
    """By what a record list tells its records apart."""

    PHONE_NUMBER = "PHONE_NUMBER"
    EXTERNAL = "EXTERNAL"
    NOTHING = "NOTHING"


@frozen(kw_only=True)
class TalkdeskCampaign(OpenRecord):
    """A campaign; ``extra`` keeps the fields this package does not know."""

    id: str
    name: str | None = None
    status: TalkdeskStatus | None = None
    dialing_mode: str | None = None
    priority: int | None = None
    run_once: bool | None = None
    action_required: bool | None = None
    created_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True)
class CampaignUser(OpenRecord):
    """A user assigned to a campaign: the API says no more of one than the id."""

    id: str

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True)
class TalkdeskUser(OpenRecord):
    """A user of the account; the repr shows nothing personal."""

    id: str
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    active: bool | None = None
    gender: str | None = field(default=None, repr=False)
    extension: int | str | None = field(default=None, repr=False)
    external_phone_number: str | None = field(default=None, repr=False)
    created_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True)
class RecordList(OpenRecord):
    """A list of records, which campaigns dial."""

    id: str
    name: str | None = None
    unique_identifier_type: IdentifierType | None = None
    status: RecordListStatus | None = None
    created_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((type(self), self.id))
