"""What the lanes ask of an outbox: rows kept durably until their campaign has taken them."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Protocol

from voiso_async.ingest.gate import Gate
from voiso_async.ingest.jobs import Backlog, Job, JobSource
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation, Row


class StoredRow(Row, eq=False, gc=False):
    """A row that an outbox has lent to a lane; ``id`` is its place there."""

    id: int = 0


class Store(Protocol):
    """An outbox as the lanes see it: a door whose turns bring rows along, and what waits behind it."""

    def gate(self, origin: str, policy: LanePolicy, clock: Callable[[], float] = ...) -> Gate:
        """Give the door of one client; ``ConfigurationError`` if the policy's waits do not fit the lease."""
        ...

    async def backlog(self, job_id: str | None = None) -> list[Backlog]:
        """Say what waits, by campaign and operation, of one job or of all.

        What was lent to a process that has died is taken back first.
        """
        ...

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound, not a failure
        """Wait until rows may have come, at most so long."""
        ...

    async def release(self, rows: Collection[Row]) -> None:
        """Take back rows that were lent here and are in no open turn; doubts stay."""
        ...

    async def suspend(self, campaign: int, reason: str | None, status: int | None = None) -> None:
        """Write down why a campaign was given up, and by which status, or with ``None`` that it is well again."""
        ...

    async def begin_work(self, job_id: str | None = None) -> None:
        """Write down that this process sends a job, or all: until ``end_work`` as often, or its death."""
        ...

    async def end_work(self, job_id: str | None = None) -> None:
        """Write down that it does so no more."""
        ...


class JobStore(Store, Protocol):
    """An outbox as ``leads.push`` sees it: it takes jobs in, too."""

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

    async def load(self, job_id: str, campaign_id: int | str | None, leads: Any) -> Job:
        """Read leads into a job, as far as they are not in it yet."""
        ...

    async def job(self, job_id: str) -> Job:
        """Look a job up."""
        ...
