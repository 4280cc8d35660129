"""Jobs of an outbox: what one put handed over, and how far it has come."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from voiso_async.ingest.outcome import IngestReport, LeadOutcome
from voiso_async.ingest.row import Operation
from voiso_async.values import Discreet, Struct

__all__ = ["Backlog", "CampaignStatus", "Job", "JobOutcome", "JobSource", "JobState"]


class JobState(StrEnum):
    """How far a job has come."""

    LOADING = "loading"
    """Its leads have not all been read; what was read may be sent already."""
    OPEN = "open"
    """Every lead is in the outbox, and some wait."""
    DONE = "done"
    """No row waits; those whose answer was lost for good may be parked."""


class JobSource(Struct, frozen=True, kw_only=True):
    """Where a job's leads were read: what is needed to read on, and to write refused rows as they came.

    ``fingerprint`` tells whether the input is still the same, ``header`` names the columns of
    ``JobOutcome.cells``, ``options`` are plain JSON values.
    """

    path: str | None = None
    fingerprint: str | None = None
    header: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}


class Job(Discreet, Struct, frozen=True, kw_only=True):
    """One put: a file, or leads handed over together; times are aware and in UTC.

    ``waiting`` rows have no final outcome yet, ``doubted`` of them were carried by an attempt whose answer was
    lost. In ``report`` the rows that wait are ``pending``; UNKNOWN are those that are parked: sent again only when
    asked for. Its ``elapsed`` is that of the whole job, pauses included, from its first POST to its last answer,
    whichever processes sent it; ``ceiling_share`` compares it with the rules of Voiso (1000 leads a POST, then two
    seconds), of several campaigns with the one that takes longest.
    """

    id: str
    name: str
    state: JobState
    operation: Operation
    campaigns: tuple[int, ...]
    created: datetime
    expires: datetime | None = None
    finished: datetime | None = None
    waiting: int = 0
    doubted: int = 0
    report: IngestReport
    source: JobSource | None = None

    _hidden: ClassVar[AbstractSet[str]] = {"name", "source"}


class JobOutcome(LeadOutcome, frozen=True, kw_only=True, gc=False):
    """The word on one row of a job; one that waits is NOT_SENT, or UNKNOWN if an answer was lost, and ``pending``.

    ``row`` is its number in the file it came from, ``cells`` that row as it was read.
    """

    campaign: int | None
    row: int | None = None
    cells: tuple[str, ...] | None = None
    pending: bool = False


class Backlog(Struct, frozen=True, kw_only=True):
    """``rows`` of one campaign and operation wait in line; ``lent`` are in a lane's hands, here or elsewhere."""

    campaign: int
    operation: Operation
    rows: int
    lent: int = 0


class CampaignStatus(Struct, frozen=True, kw_only=True):
    """One campaign as its outbox sees it, whichever process works on it; times are seconds.

    ``sending`` says that a POST is in flight, ``opens_in`` when the next may start, ``suspended`` why the campaign
    was given up, ``oldest_age`` how long the oldest job with a row that waits has been there.
    """

    campaign: int
    waiting: int = 0
    doubted: int = 0
    parked: int = 0
    sending: bool = False
    opens_in: float = 0.0
    oldest_age: float = 0.0
    suspended: str | None = None
