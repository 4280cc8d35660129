"""Taking a job in hand to load it: one loader at a time, whatever process it is in."""

import contextlib
import time
from collections.abc import Callable

from attrs import frozen

from voiso_async.errors import OutboxError, SourceError, UsageError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import reporting
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.source import AnyLeads
from voiso_async.outbox.jobs import Job
from voiso_async.outbox.lead_reader import LeadReader
from voiso_async.outbox.limits import OutboxLimits
from voiso_async.outbox.sqlite.database import Database
from voiso_async.outbox.sqlite.dedupe import JobPhoneIndex
from voiso_async.outbox.sqlite.faults import decodes, whole
from voiso_async.outbox.sqlite.insert import Chunk, NewJob, add_job, mark_repeats, store_chunk
from voiso_async.outbox.sqlite.queries import job_of, number_of
from voiso_async.outbox.sqlite.schema import LOADING, OPERATIONS, OUTCOMES, ROWS_PER_JOB
from voiso_async.outbox.sqlite.thread import DatabaseThread


@frozen(kw_only=True)
class OwnedJob:
    """A job in our hands, with so many rows so far."""

    number: int
    id: str
    operation: Operation
    rows: int
    digest: bytes


def begin_job(db: Database, new: NewJob) -> Job:
    """Make a job without rows."""
    with db.writing():
        return job_of(db, add_job(db, new))


def put_whole(db: Database, new: NewJob, chunk: Chunk) -> Job:
    """Store a job with all its rows, or nothing."""
    seen = JobPhoneIndex()
    _look_at(new.operation, chunk, seen)
    with db.writing():
        number = add_job(db, new)
        store_chunk(db, number, chunk, seen)
        return job_of(db, number)


def put_first(db: Database, new: NewJob, chunk: Chunk, seen: JobPhoneIndex) -> OwnedJob:
    """Store the first rows of a job, and keep it in hand."""
    _look_at(new.operation, chunk, seen)
    with db.writing():
        number = add_job(db, new, loader=db.me)
        store_chunk(db, number, chunk, seen)
        taken = _taken(db, number)
    db.loading.add(number)
    return taken


def own(db: Database, job_id: str) -> OwnedJob | Job:
    """Take a job in hand; one that has all its leads is only given back."""
    with db.writing():
        number = number_of(db, job_id)
        state, loader, parent = db.row("SELECT state, loader, parent FROM jobs WHERE n = ?", number)
        if state != LOADING:
            return job_of(db, number)
        if parent is not None:
            raise OutboxError(
                f"outbox {db.path.name}: the job is made of another job's rows; call retry again to go on",
                reason="in_use",
            )
        own_job(db, number, loader)
        taken = _taken(db, number)
    db.loading.add(number)
    return taken


def own_job(db: Database, number: int, loader: int | None) -> None:
    """Become the loader of a job, in the transaction that is open, unless somebody alive is."""
    alive = number in db.loading if loader == db.me else loader is not None and db.present(loader)
    if alive:
        raise OutboxError(
            f"outbox {db.path.name}: somebody else is loading this job; wait for it or stop it",
            reason="in_use",
        )
    db.run("UPDATE jobs SET loader = ? WHERE n = ?", db.me, number)


def restore(db: Database, taken: OwnedJob, start: int, most: int, seen: JobPhoneIndex) -> None:
    """Remember which phones the rows from index ``start`` on have."""
    base = taken.number * ROWS_PER_JOB
    seen.restore(
        db.listed(
            """SELECT json_group_array(json_array(campaign, phone, id & 4294967295)) FROM rows
            WHERE id >= ? AND id < ? AND phone IS NOT NULL AND campaign IS NOT NULL
            AND (outcome IS NULL OR outcome NOT IN (?, ?, ?) OR reason = 'known')""",
            base + start,
            base + start + most,
            OUTCOMES.index(Outcome.INVALID),
            OUTCOMES.index(Outcome.SUPPRESSED),
            OUTCOMES.index(Outcome.REPEATED),
        )
    )


def add_chunk(db: Database, taken: OwnedJob, chunk: Chunk, seen: JobPhoneIndex) -> float:
    """Store more rows of a job that is still ours; say how many seconds it took."""
    _look_at(taken.operation, chunk, seen)
    began = time.monotonic()
    with db.writing():
        ensure_ours(db, taken.number)
        store_chunk(db, taken.number, chunk, seen)
    return time.monotonic() - began


def ensure_ours(db: Database, number: int) -> None:
    """Raise if the job was withdrawn, purged or taken by somebody else."""
    row = db.row("SELECT state, loader, withdrawn FROM jobs WHERE n = ?", number)
    if row is None or row[0] != LOADING or row[1] != db.me:
        withdrawn = row is not None and row[2]
        raise OutboxError(
            f"outbox {db.path.name}: the job was withdrawn or taken over while its leads were loaded",
            reason="withdrawn" if withdrawn else "in_use",
        )


def disown(db: Database, number: int, seen: JobPhoneIndex) -> None:
    """Load this job no more, for now."""
    db.loading.discard(number)
    seen.close()
    with db.writing():
        db.run("UPDATE jobs SET loader = NULL WHERE n = ? AND loader = ?", number, db.me)


def _look_at(operation: Operation, chunk: Chunk, seen: JobPhoneIndex) -> None:
    if not chunk.keyed:
        mark_repeats(operation, chunk, seen)


def _taken(db: Database, number: int) -> OwnedJob:
    return _decoded(number, *db.row("SELECT id, op, rows, digest FROM jobs WHERE n = ?", number))


@decodes
def _decoded(number: int, job_id: str, op: int, rows: int, digest: bytes) -> OwnedJob:
    return OwnedJob(number=number, id=job_id, operation=OPERATIONS[op], rows=whole(rows), digest=bytes(digest))


SHORT, LONG = 0.05, 0.1
"""Seconds of a transaction below which the next may be larger, and above which it is smaller."""


class Loader:
    """Store what is read; ``told`` is called after each part."""

    def __init__(self, worker: DatabaseThread, told: Callable[[], None], limits: OutboxLimits) -> None:
        self._worker = worker
        self._limits = limits
        self._told = told

    async def put(self, new: NewJob, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Store a job at once if it is short, else part by part."""
        reader = LeadReader(leads, new.operation, campaign_id)
        entries = await reader.entries(self._limits.put_rows + 1)
        first = Chunk(entries=entries, digest=reader.digest, last=reader.ended)
        if len(entries) <= self._limits.put_rows:
            job = await self._worker.do(put_whole, new, first)
            self._told()
            return job
        seen = JobPhoneIndex()
        taken = await self._worker.take(
            lambda db: put_first(db, new, first, seen), lambda db, taken: _undo(db, taken, seen)
        )
        return await self._all(taken, reader, seen)

    async def load(self, job_id: str, campaign_id: int | str | None, leads: AnyLeads) -> Job:
        """Store the leads that a job does not have yet."""
        taken = await self._worker.take(lambda db: own(db, job_id), _undo)
        if isinstance(taken, Job):
            return taken
        seen = JobPhoneIndex()
        try:
            reader = LeadReader(leads, taken.operation, campaign_id)
            await self._skip(taken, reader, seen)
        except BaseException:
            self._let_go(taken, seen)
            raise
        return await self._all(taken, reader, seen)

    async def _all(self, taken: OwnedJob, reader: LeadReader, seen: JobPhoneIndex) -> Job:
        try:
            await self._parts(taken, reader, seen)
        except SourceError as error:
            job = await self._worker.do(job_of, taken.number)
            raise reporting(error, job.report, in_doubt=job.doubted > 0) from error.__cause__
        finally:
            reader.close()
            self._let_go(taken, seen)
        return await self._worker.do(job_of, taken.number)

    async def _skip(self, taken: OwnedJob, reader: LeadReader, seen: JobPhoneIndex) -> None:
        """Read over what is stored already, if it is the same."""
        while reader.read < taken.rows and not reader.ended:
            start, most = reader.read, min(self._limits.put_rows, taken.rows - reader.read)
            await reader.entries(most)
            await self._worker.do(restore, taken, start, most, seen)
        if reader.digest != taken.digest or reader.read < taken.rows:
            raise OutboxError(
                f"the leads are not those that job {taken.id} was begun with; put them as a new job, or give the "
                "same ones. Nothing was stored",
                reason="input_changed",
            )

    async def _parts(self, taken: OwnedJob, reader: LeadReader, seen: JobPhoneIndex) -> None:
        size = self._limits.first_rows
        while True:
            entries = await reader.next_entries(size)
            chunk = Chunk(entries=entries, digest=reader.digest, last=reader.ended)
            seconds = await self._worker.do(add_chunk, taken, chunk, seen)
            self._told()
            if chunk.last:
                return
            size = self._next_size(size, seconds)

    def _next_size(self, size: int, seconds: float) -> int:
        if seconds < SHORT:
            size *= 2
        elif seconds > LONG:
            size //= 2
        return min(max(size, self._limits.first_rows), self._limits.put_rows)

    def _let_go(self, taken: OwnedJob, seen: JobPhoneIndex) -> None:
        with contextlib.suppress(OutboxError, UsageError):  # closed: then it is let go with all else
            self._worker.begin(disown, taken.number, seen)


def _undo(db: Database, taken: OwnedJob | Job, seen: JobPhoneIndex | None = None) -> None:
    if isinstance(taken, OwnedJob):
        disown(db, taken.number, seen or JobPhoneIndex())
