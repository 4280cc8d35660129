"""Jobs of an outbox: what one put handed over, and how far it has come."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from voiso_async._structs import Struct, Value
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation


class JobState(StrEnum):
    """How far a job has come."""

    LOADING = "loading"
    """Its leads have not all been read; what was read may be sent already."""
    OPEN = "open"
    """Every lead is in the outbox, and some wait."""
    DONE = "done"
    """No row waits; those whose answer was lost for good may be parked."""


class JobActivity(StrEnum):
    """What goes on with a job at the moment, or how the last process that worked on it left it."""

    SENDING = "sending"
    """A process that is alive sends it, or waits for the campaign's next turn to do so."""
    LOADING = "loading"
    """A process that is alive reads leads into it, and nobody sends it yet."""
    WAITING = "waiting"
    """It is all there, and nobody has begun to send it."""
    STOPPED = "stopped"
    """Whoever worked on it stopped before its end: by a signal, a limit, a deadline or an error."""
    KILLED = "killed"
    """Whoever worked on it died in the middle of it: by kill -9, a crash, or a power failure."""
    DONE = "done"
    """No row waits."""


class JobWorker(Value, Struct, frozen=True, kw_only=True):
    """A process that is alive and works on a job; ``host`` tells apart those of containers that share a disk.

    ``activity`` is SENDING or LOADING; one that only loads has had the outbox open ``since`` then. ``everything``
    says that it sends whatever the outbox holds, as ``voiso worker`` does.
    """

    pid: int | None
    host: str
    since: datetime
    activity: JobActivity
    everything: bool = False

    _redacted: ClassVar[AbstractSet[str]] = {"host"}


class JobSource(Value, Struct, frozen=True, kw_only=True):
    """Where a job's leads were read: what is needed to read on, and to write refused rows as they came.

    ``fingerprint`` tells whether the input is still the same, ``header`` names the columns of
    ``JobOutcome.cells``, ``options`` are plain JSON values.
    """

    path: str | None = None
    fingerprint: str | None = None
    header: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}


class Job(Value, Struct, frozen=True, kw_only=True):
    """One put: a file, or leads handed over together; times are aware and in UTC.

    ``waiting`` rows have no final outcome yet, ``doubted`` of them were carried by an attempt whose answer was
    lost. In ``report`` the rows that wait are ``pending``; UNKNOWN are those that are parked: sent again only when
    asked for. Its ``elapsed`` is that of the whole job, pauses included, from its first POST to its last answer,
    whichever processes sent it; ``ceiling_share`` compares it with the rules of Voiso (1000 leads a POST, then two
    seconds), of several campaigns with the one that takes longest.

    ``activity`` says what goes on, and ``workers`` which processes do it, here or elsewhere. ``retry_of`` is the
    id of the job whose rows it was made of, ``requeued`` how many rows of it were requeued, and
    ``withdrawn`` says that what waited of it was given up.
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
    activity: JobActivity = JobActivity.WAITING
    workers: tuple[JobWorker, ...] = ()
    retry_of: str | None = None
    requeued: int = 0
    withdrawn: bool = False

    _redacted: ClassVar[AbstractSet[str]] = {"name", "source"}


class JobOutcome(LeadOutcome, frozen=True, kw_only=True, gc=False):
    """The word on one row of a job; one that waits is NOT_SENT, or UNKNOWN if an answer was lost, and ``pending``.

    ``row`` is its number in the file it came from, ``cells`` that row as it was read.
    """

    campaign: int | None
    row: int | None = None
    cells: tuple[str, ...] | None = None
    pending: bool = False


class Backlog(Value, Struct, frozen=True, kw_only=True):
    """``rows`` of one campaign and operation wait in line; ``lent`` are in a lane's hands, here or elsewhere."""

    campaign: int
    operation: Operation
    rows: int
    claimed: int = 0


class CampaignBacklog(Value, Struct, frozen=True, kw_only=True):
    """One campaign as its outbox sees it, whichever process works on it; times are seconds.

    ``sending`` says that a POST is in flight, ``opens_in`` when the next may start, ``workers`` which processes
    work on what waits, ``oldest_age`` how long the oldest job with a row that waits has been there. ``suspended``
    says why the campaign was given up, ``status`` with which HTTP status the server refused it, if it did.
    """

    campaign: int
    waiting: int = 0
    doubted: int = 0
    parked: int = 0
    sending: bool = False
    opens_in: float = 0.0
    oldest_age: float = 0.0
    suspended: str | None = None
    status: int | None = None
    workers: tuple[JobWorker, ...] = ()
