"""SqliteOutbox: the front of an outbox in one file."""

import asyncio
import contextlib
import os
import time
import warnings
from collections.abc import AsyncIterator, Callable, Collection
from contextvars import Context
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio.lowlevel import checkpoint

from voiso_async.convert import encode
from voiso_async.errors import ConfigurationError, OutboxError
from voiso_async.ingest.gate import Gate
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.source import AnyLeads
from voiso_async.outbox.jobs import Backlog, CampaignBacklog, Job, JobOutcome, JobSource
from voiso_async.outbox.lead_reader import storable
from voiso_async.outbox.limits import OutboxLimits
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.sqlite.complete import release, release_slots
from voiso_async.outbox.sqlite.database import Clock, Database
from voiso_async.outbox.sqlite.gate import OutboxGate
from voiso_async.outbox.sqlite.insert import NewJob
from voiso_async.outbox.sqlite.lifecycle import end_slice, requeue_slice, suspend, withdraw_job, withdraw_slice
from voiso_async.outbox.sqlite.load import Loader, begin_job
from voiso_async.outbox.sqlite.maintenance import EVERY, maintain, purge, remove
from voiso_async.outbox.sqlite.queries import (
    backlog_of,
    begin_work,
    campaigns_of,
    end_work,
    job_by_id,
    jobs_of,
    outcome_window,
)
from voiso_async.outbox.sqlite.reap import reap_lost_workers
from voiso_async.outbox.sqlite.retry import copied
from voiso_async.outbox.sqlite.schema import OUTCOMES
from voiso_async.outbox.sqlite.thread import DatabaseThread, result_of
from voiso_async.outbox.wakeup import Wakeup
from voiso_async.wire import check_seconds, positive_id

SHORTEST_LEASE = 1.0


class SqliteOutbox:
    """Leads in one SQLite file until their campaign has taken them, for any number of processes of one machine.

    >>> async with SqliteOutbox("leads.db") as outbox:     # doctest: +SKIP
    ...     job = await outbox.put(3, leads)

    ``account`` is a label that must be the same for all who use the file. A process that is frozen for longer than
    ``lease`` seconds loses its claims to others; one that dies loses them at once. Jobs that have been done for
    longer than ``retain`` are removed. The file is made with mode 0600, holds phone numbers and names, and must be
    on a local disk. Every failure is an ``OutboxError`` with a ``reason``; then nothing is sent.
    """

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        account: str = "",
        lease: float = 300.0,
        retain: timedelta | None = None,
        limits: OutboxLimits | None = None,
    ) -> None:
        check_seconds("lease", lease, least=SHORTEST_LEASE, rest="nothing was opened")
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        self._lease = lease
        self._retain = None if retain is None else retain.total_seconds()
        self._limits = limits or OutboxLimits()
        self._clock = Clock()
        self._wakeup = Wakeup()
        self._thread = DatabaseThread(
            self._path.name, partial(Database, self._path, account, self._clock, lease, self._limits)
        )
        self._loader = Loader(self._thread, self._wakeup.set, self._limits)
        self._looked_at: float | None = None
        self._chores: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"SqliteOutbox({self._path.name!r})"

    def __del__(self) -> None:
        worker = getattr(self, "_thread", None)
        if worker is not None and worker.opened:
            worker.abandon()
            warnings.warn(
                "an outbox was never closed; use 'async with', or await its aclose()",
                ResourceWarning,
                stacklevel=2,
            )

    async def __aenter__(self) -> Self:
        try:
            return await self.open()
        except BaseException:
            await self.aclose()  # nobody else will
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def open(self) -> Self:
        """Open the file now, and make it if there is none; else the first use does."""
        self._thread.ensure_usable()
        await self._tend()
        return self

    async def aclose(self) -> None:
        """Give back what is lent here, and close the file; rows of a turn that is still open come back doubted."""
        if self._chores is not None:
            self._chores.cancel()
        with contextlib.suppress(OutboxError):  # what could not be given back now is taken from us later
            await self._thread.close(release_slots)

    # Producers

    async def put(
        self,
        campaign_id: int | str | None,
        leads: AnyLeads,
        *,
        operation: Operation = Operation.ADD,
        name: str = "",
        expires_in: float | timedelta | None = None,
        source: JobSource | None = None,
        idempotent: bool = True,
    ) -> Job:
        """Store leads as one job; once this returns they are durable. See ``Outbox.put``."""
        new = _new_job(operation, name, expires_in, source, idempotent=idempotent)
        await self._tend()
        return await self._loader.put(new, campaign_id, leads)

    async def begin(
        self,
        *,
        operation: Operation = Operation.ADD,
        name: str = "",
        expires_in: float | timedelta | None = None,
        source: JobSource | None = None,
        idempotent: bool = True,
    ) -> Job:
        """Make a job that has no rows yet."""
        new = _new_job(operation, name, expires_in, source, idempotent=idempotent)
        await self._tend()
        return await self._thread.do(begin_job, new)

    async def load(self, job_id: str, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Read leads into a job in parts that may be sent at once. See ``Outbox.load``."""
        await self._tend()
        return await self._loader.load(job_id, campaign_id, leads)

    # Readers

    async def jobs(
        self, *, name: str | None = None, fingerprint: str | None = None, limit: int = 100
    ) -> list[Job]:
        """List jobs, the newest first."""
        await self._tend()
        return await self._thread.do(jobs_of, name, fingerprint, limit)

    async def job(self, job_id: str) -> Job:
        """Look a job up; reason ``unknown_job`` if there is none."""
        await self._tend()
        return await self._thread.do(job_by_id, job_id)

    async def outcomes(
        self, job_id: str, *, outcomes: Collection[Outcome] | None = None, pending: bool = True
    ) -> AsyncIterator[JobOutcome]:
        """Give the word on each row in the order of its index. See ``Outbox.outcomes``."""
        wanted = None if outcomes is None else [OUTCOMES.index(Outcome(outcome)) for outcome in outcomes]
        start: int | None = 0
        while start is not None:
            window = await self._thread.do(outcome_window, job_id, start, wanted, pending=pending)
            for outcome in window.outcomes:
                yield outcome
            start = window.next

    async def campaigns(self) -> list[CampaignBacklog]:
        """Tell how each campaign stands, whichever process works on it."""
        await self._tend()
        return await self._thread.do(campaigns_of)

    # The life of a job

    async def requeue(self, job_id: str) -> int:
        """Requeue the rows of a job whose outcome is UNKNOWN. See ``Outbox.requeue``."""
        left = (await self.job(job_id)).report.counts[Outcome.UNKNOWN]
        requeued = 0
        while left > 0:
            most = min(left, self._limits.slice_rows)
            back = await self._thread.do(requeue_slice, job_id, most, first=not requeued)
            if not back:
                break
            requeued, left = requeued + back, left - back
        self._wakeup.set()
        return requeued

    async def retry(self, job_id: str, outcomes: Collection[Outcome]) -> Job:
        """Make a new job of the rows that ended so. See ``Outbox.retry``."""
        picked = sorted({OUTCOMES.index(Outcome(outcome)) for outcome in outcomes})
        await self._tend()
        job = await copied(self._thread, job_id, picked)
        self._wakeup.set()
        return job

    async def withdraw(self, job_id: str) -> int:
        """Never send what waits in line; say how many rows that were. See ``Outbox.withdraw``."""
        await self._tend()
        number = await self._thread.do(withdraw_job, job_id)
        withdrawn = 0
        while ended := await self._thread.do(withdraw_slice, number, self._limits.slice_rows):
            withdrawn += ended
        return withdrawn

    async def purge(
        self, job_id: str | None = None, *, older_than: timedelta | None = None, force: bool = False
    ) -> int:
        """Remove one job, or every job that is done, with all data; say how many. See ``Outbox.purge``."""
        age = 0.0 if older_than is None else older_than.total_seconds()
        await self._tend()
        return await purge(self._thread, job_id, age, force=force)

    # What lanes ask for

    def gate(self, origin: str, policy: LanePolicy, clock: Callable[[], float] = time.monotonic) -> Gate:
        """Give the gate of one client. See ``Store.gate``."""
        if self._lease <= policy.post_timeout + policy.cooldown + 1:
            raise ConfigurationError(
                "the outbox's lease must be longer than LanePolicy.post_timeout + cooldown + 1 second; "
                "nothing was sent"
            )
        self._clock.monotonic = clock
        return OutboxGate(
            self._thread,
            origin,
            policy=policy,
            clock=clock,
            lease=self._lease,
            early=self._limits.early,
            on_release=self._wakeup.set,
        )

    async def backlog(self, job_id: str | None = None) -> list[Backlog]:
        """Say what waits, of one job or of all, after taking back what dead processes had."""
        self._wakeup.clear()
        await self._tend()
        await self._thread.do(reap_lost_workers)
        while await self._thread.do(end_slice, self._limits.slice_rows):
            await checkpoint()
        return await self._thread.do(backlog_of, job_id)

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound, not a failure
        """Wait until rows may have come, at most so long."""
        self._thread.ensure_usable()
        await self._wakeup.wait(timeout)

    async def release(self, rows: Collection[Row]) -> None:
        """Take back rows that were lent here and are in no open turn; doubts stay."""
        await self._thread.do(release, [row.id for row in rows if isinstance(row, StoredRow)])
        self._wakeup.set()

    async def suspend(self, campaign: int, reason: str | None, status: int | None = None) -> None:
        """Write down why a campaign was given up, and by which status, or with ``None`` that it is well again."""
        await self._thread.do(suspend, positive_id(campaign), reason, status)

    async def begin_work(self, job_id: str | None = None) -> None:
        """Write down that this process sends a job, or all; that is done even if the caller is cancelled."""
        await self._tend()
        await result_of(self._thread.begin(begin_work, job_id))

    async def end_work(self, job_id: str | None = None) -> None:
        """Write down that it does so no more."""
        await result_of(self._thread.begin(end_work, job_id))

    # Behind the front

    async def _tend(self) -> None:
        """Look around at the opening and once an hour; what is to be removed goes in the background."""
        self._thread.ensure_usable()
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at < EVERY:
            return
        numbers = await self._thread.do(maintain, self._retain)
        self._looked_at = now
        if numbers and (self._chores is None or self._chores.done()):
            self._chores = asyncio.create_task(self._remove(numbers), name="voiso outbox purge", context=Context())

    async def _remove(self, numbers: list[int]) -> None:
        with contextlib.suppress(OutboxError):  # what is left is removed the next time
            await remove(self._thread, numbers)


def _new_job(
    operation: Operation,
    name: str,
    expires_in: float | timedelta | None,
    source: JobSource | None,
    *,
    idempotent: bool,
) -> NewJob:
    seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
    if seconds is not None:
        check_seconds("expires_in", seconds, rest="nothing was stored")
    return NewJob(
        operation=_operation(operation),
        name=storable(str(name)),
        expires_in=seconds,
        fingerprint=None if source is None else source.fingerprint,
        source=None if source is None else _text_of(source),
        idempotent=idempotent,
    )


def _operation(value: str) -> Operation:
    if value not in set(Operation):
        raise ConfigurationError('operation must be "add" or "update"; nothing was stored')
    return Operation(value)


def _text_of(source: JobSource) -> str:
    try:
        return encode(source).decode()
    except (TypeError, ValueError):
        pass
    raise ConfigurationError("the options of a source must be plain JSON values; nothing was stored")
