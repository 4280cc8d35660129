"""Leads into jobs: read in the caller's task, stored in parts."""

import contextlib
from collections.abc import Callable

from voiso_async.errors import OutboxError, SourceError, UsageError
from voiso_async.ingest.report import reporting
from voiso_async.ingest.source import AnyLeads
from voiso_async.outbox.jobs import Job
from voiso_async.outbox.loading import LeadReader
from voiso_async.outbox.sqlite.ledger import Ledger
from voiso_async.outbox.sqlite.reading import job_of
from voiso_async.outbox.sqlite.seen import Seen
from voiso_async.outbox.sqlite.storing import Chunk, NewJob
from voiso_async.outbox.sqlite.taking import Taken, add_chunk, let_go, put_first, put_whole, restore, take
from voiso_async.outbox.sqlite.worker import Worker

__all__ = ["Loader"]

MOST_AT_ONCE = 10_000
"""Rows of one transaction."""
FIRST = 1000
"""Rows of a job's first transaction: enough for a POST."""
SHORT, LONG = 0.05, 0.1
"""Seconds of a transaction below which the next may be larger, and above which it is smaller."""


class Loader:
    """Store what is read; ``told`` is called after each part."""

    def __init__(self, worker: Worker, told: Callable[[], None]) -> None:
        self._worker = worker
        self._told = told

    async def put(self, new: NewJob, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Store a job at once if it is short, else part by part."""
        reader = LeadReader(leads, new.operation, campaign_id)
        entries = await reader.entries(MOST_AT_ONCE + 1)
        first = Chunk(entries=entries, digest=reader.digest, last=reader.ended)
        if len(entries) <= MOST_AT_ONCE:
            job = await self._worker.do(put_whole, new, first)
            self._told()
            return job
        seen = Seen()
        taken = await self._worker.take(
            lambda ledger: put_first(ledger, new, first, seen), lambda ledger, taken: _undo(ledger, taken, seen)
        )
        return await self._all(taken, reader, seen)

    async def load(self, job_id: str, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Store the leads that a job does not have yet."""
        taken = await self._worker.take(lambda ledger: take(ledger, job_id), _undo)
        if isinstance(taken, Job):
            return taken
        seen = Seen()
        try:
            reader = LeadReader(leads, taken.operation, campaign_id)
            await self._skip(taken, reader, seen)
        except BaseException:
            self._let_go(taken, seen)
            raise
        return await self._all(taken, reader, seen)

    async def _all(self, taken: Taken, reader: LeadReader, seen: Seen) -> Job:
        try:
            await self._parts(taken, reader, seen)
        except SourceError as error:
            job = await self._worker.do(job_of, taken.number)
            raise reporting(error, job.report, in_doubt=job.doubted > 0) from error.__cause__
        finally:
            reader.close()
            self._let_go(taken, seen)
        return await self._worker.do(job_of, taken.number)

    async def _skip(self, taken: Taken, reader: LeadReader, seen: Seen) -> None:
        """Read over what is stored already, if it is the same."""
        while reader.read < taken.rows and not reader.ended:
            start, most = reader.read, min(MOST_AT_ONCE, taken.rows - reader.read)
            await reader.entries(most)
            await self._worker.do(restore, taken, start, most, seen)
        if reader.digest != taken.digest or reader.read < taken.rows:
            raise OutboxError(
                f"the leads are not those that job {taken.id} was begun with; put them as a new job, or give the "
                "same ones. Nothing was stored",
                reason="input_changed",
            )

    async def _parts(self, taken: Taken, reader: LeadReader, seen: Seen) -> None:
        size = FIRST
        while True:
            entries = await reader.some(size)
            chunk = Chunk(entries=entries, digest=reader.digest, last=reader.ended)
            seconds = await self._worker.do(add_chunk, taken, chunk, seen)
            self._told()
            if chunk.last:
                return
            size = _next_size(size, seconds)

    def _let_go(self, taken: Taken, seen: Seen) -> None:
        with contextlib.suppress(OutboxError, UsageError):  # closed: then it is let go with all else
            self._worker.begin(let_go, taken.number, seen)


def _undo(ledger: Ledger, taken: Taken | Job, seen: Seen | None = None) -> None:
    if isinstance(taken, Taken):
        let_go(ledger, taken.number, seen or Seen())


def _next_size(size: int, seconds: float) -> int:
    if seconds < SHORT:
        size *= 2
    elif seconds > LONG:
        size //= 2
    return min(max(size, FIRST), MOST_AT_ONCE)
