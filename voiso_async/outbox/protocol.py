"""What every outbox does, whatever database is behind it: for its users, and for the dispatcher."""

from collections.abc import AsyncIterator, Callable, Collection
from datetime import timedelta
from types import TracebackType
from typing import ClassVar, Protocol, Self

from voiso_async.ingest.gate import Gate
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.source import AnyLeads
from voiso_async.outbox.jobs import Backlog, CampaignBacklog, Job, JobOutcome, JobSource


class StoredRow(Row, eq=False, gc=False):
    """A row that a lane has claimed from an outbox; ``id`` is its number there."""

    id: int = 0

    durable: ClassVar[bool] = True


class Store(Protocol):
    """An outbox as the dispatcher sees it: a gate whose slots claim rows, and what waits behind it."""

    def gate(self, origin: str, policy: LanePolicy, clock: Callable[[], float] = ...) -> Gate:
        """Give the gate of one client.

        Raises:
            ConfigurationError: the policy's waits do not fit into the lease.
        """
        ...

    async def backlog(self, job_id: str | None = None) -> list[Backlog]:
        """Count what waits, by campaign and operation, of one job or of all.

        What a process had claimed that has died is released first.
        """
        ...

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound, not a failure
        """Wait until rows may have come, for at most ``timeout`` seconds."""
        ...

    async def release(self, rows: Collection[Row]) -> None:
        """Release rows that were claimed here and are in no open slot; their doubts stay."""
        ...

    async def suspend(self, campaign: int, reason: str | None, status: int | None = None) -> None:
        """Record why a campaign is suspended, and by which status; ``None`` says that it works again."""
        ...

    async def begin_work(self, job_id: str | None = None) -> None:
        """Record that this process sends a job, or all jobs, until ``end_work`` was called as often or it died."""
        ...

    async def end_work(self, job_id: str | None = None) -> None:
        """Record that it no longer does."""
        ...


class Outbox(Store, Protocol):
    """Leads kept durably until their campaign has taken them, in jobs that can be listed, resumed and purged.

    Producers need no key and no client. Every failure is an ``OutboxError`` with a ``reason``.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def open(self) -> Self:
        """Open it now; else the first use does."""
        ...

    async def aclose(self) -> None:
        """Give back what is lent here, and close; rows of an open turn come back doubted."""
        ...

    async def put(
        self,
        campaign_id: int | str | None,
        leads: AnyLeads,
        *,
        operation: Operation = ...,
        name: str = ...,
        expires_in: float | timedelta | None = ...,
        source: JobSource | None = ...,
        idempotent: bool = ...,
    ) -> Job:
        """Store leads as one job; once this returns they are durable.

        Up to 10,000 are stored all or none; a longer source is committed in parts, and if it ends early the job
        stays ``loading``: ``load`` goes on. ``campaign_id`` may be ``None`` if each lead is a ``FileRow`` that
        names its own. A lead's ``key`` makes this idempotent: one that is there already is REPEATED with reason
        ``known``; with other content it is INVALID, ``key_reused``. If not ``idempotent`` keys only name the leads
        in their outcomes. After ``expires_in`` seconds rows are never
        sent any more.
        """
        ...

    async def begin(
        self,
        *,
        operation: Operation = ...,
        name: str = ...,
        expires_in: float | timedelta | None = ...,
        source: JobSource | None = ...,
        idempotent: bool = ...,
    ) -> Job:
        """Make a job that has no rows yet."""
        ...

    async def load(self, job_id: str, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Read leads into a job in parts that may be sent at once; a job that has all its leads is given back.

        After an interruption give the same leads again: those that are there already are compared and skipped.
        Reason ``input_changed`` if they differ, ``in_use`` if somebody else is loading this job.
        """
        ...

    async def jobs(
        self, *, name: str | None = None, fingerprint: str | None = None, limit: int = 100
    ) -> list[Job]:
        """List jobs, the newest first."""
        ...

    async def job(self, job_id: str) -> Job:
        """Look a job up; reason ``unknown_job`` if there is none."""
        ...

    def outcomes(
        self, job_id: str, *, outcomes: Collection[Outcome] | None = None, pending: bool = True
    ) -> AsyncIterator[JobOutcome]:
        """Give the word on each row in the order of its index, of ``outcomes`` only or of all.

        Rows that wait come as NOT_SENT or UNKNOWN and ``pending``, unless they are not wanted.
        """
        ...

    async def campaigns(self) -> list[CampaignBacklog]:
        """Tell how each campaign stands, whichever process works on it."""
        ...

    async def requeue(self, job_id: str) -> int:
        """Requeue the rows of a job whose outcome is UNKNOWN; say how many. Their doubt stays."""
        ...

    async def retry(self, job_id: str, outcomes: Collection[Outcome]) -> Job:
        """Make a new job of the rows that ended so: the same leads, keys, cells and row numbers.

        Rows that were never to be sent (INVALID, SUPPRESSED, REPEATED) are left out; reason ``nothing`` if no row
        is left.
        """
        ...

    async def withdraw(self, job_id: str) -> int:
        """Never send what waits: NOT_SENT with reason ``withdrawn``, or parked if an answer was lost.

        Rows in a lane's hands may still be answered. Says how many rows were withdrawn at once.
        """
        ...

    async def purge(
        self, job_id: str | None = None, *, older_than: timedelta | None = None, force: bool = False
    ) -> int:
        """Remove jobs with all their data: one, or every job that is done; say how many.

        A job with rows that wait or are parked goes only by ``force``, and none while rows of it are lent or it
        is being loaded: reason ``in_use``.
        """
        ...
