"""The vendor's words for states and kinds: open, because the vendor may add to them."""

from enum import StrEnum
from typing import Self

UNLISTED = "UNLISTED"


class OpenEnum(StrEnum):
    """A ``StrEnum`` that takes any text: one that is not listed becomes a member equal to its text.

    Such a member is named ``UNLISTED``, can be pickled and compared, and does not appear in iteration.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = UNLISTED
        member._value_ = value
        return member


class CampaignStatus(OpenEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    PROCESSING = "processing"
    STOPPED = "stopped"
    AUTO_PAUSED = "auto_paused"
    PAUSING = "pausing"
    AUTO_PAUSING = "auto_pausing"
    IMPORT_ERROR = "import_error"

    @property
    def in_transition(self) -> bool:
        """Whether the vendor is on the way to another state; an unlisted state counts as one at rest."""
        return self in _TRANSITIONS


_TRANSITIONS = frozenset(
    {
        CampaignStatus.PAUSING,
        CampaignStatus.AUTO_PAUSING,
        CampaignStatus.STOPPING,
        CampaignStatus.PROCESSING,
    }
)


class CampaignStrategy(OpenEnum):
    """How a campaign dials."""

    SIMPLE = "simple"
    PREDICTIVE_AI = "predictive_ai"
