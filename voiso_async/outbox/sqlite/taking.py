"""Taking a job in hand to load it: one loader at a time, whatever process it is in."""

import time

from attrs import frozen

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.jobs import Job
from voiso_async.outbox.sqlite.faults import decodes, whole
from voiso_async.outbox.sqlite.ledger import Ledger
from voiso_async.outbox.sqlite.reading import job_of, number_of
from voiso_async.outbox.sqlite.schema import LOADING, OPERATIONS, OUTCOMES, ROWS_PER_JOB
from voiso_async.outbox.sqlite.seen import Seen
from voiso_async.outbox.sqlite.storing import Chunk, NewJob, add_job, mark_repeats, store_chunk

__all__ = [
    "Taken",
    "add_chunk",
    "begin_job",
    "ensure_ours",
    "let_go",
    "own_job",
    "put_first",
    "put_whole",
    "restore",
    "take",
]


@frozen(kw_only=True)
class Taken:
    """A job in our hands, with so many rows so far."""

    number: int
    id: str
    operation: Operation
    rows: int
    digest: bytes


def begin_job(ledger: Ledger, new: NewJob) -> Job:
    """Make a job without rows."""
    with ledger.writing():
        return job_of(ledger, add_job(ledger, new))


def put_whole(ledger: Ledger, new: NewJob, chunk: Chunk) -> Job:
    """Store a job with all its rows, or nothing."""
    seen = Seen()
    _look_at(new.operation, chunk, seen)
    with ledger.writing():
        number = add_job(ledger, new)
        store_chunk(ledger, number, chunk, seen)
        return job_of(ledger, number)


def put_first(ledger: Ledger, new: NewJob, chunk: Chunk, seen: Seen) -> Taken:
    """Store the first rows of a job, and keep it in hand."""
    _look_at(new.operation, chunk, seen)
    with ledger.writing():
        number = add_job(ledger, new, loader=ledger.me)
        store_chunk(ledger, number, chunk, seen)
        taken = _taken(ledger, number)
    ledger.loading.add(number)
    return taken


def take(ledger: Ledger, job_id: str) -> Taken | Job:
    """Take a job in hand; one that has all its leads is only given back."""
    with ledger.writing():
        number = number_of(ledger, job_id)
        state, loader, parent = ledger.row("SELECT state, loader, parent FROM jobs WHERE n = ?", number)
        if state != LOADING:
            return job_of(ledger, number)
        if parent is not None:
            raise OutboxError(
                f"outbox {ledger.path.name}: the job is made of another job's rows; call retry again to go on",
                reason="in_use",
            )
        own_job(ledger, number, loader)
        taken = _taken(ledger, number)
    ledger.loading.add(number)
    return taken


def own_job(ledger: Ledger, number: int, loader: int | None) -> None:
    """Become the loader of a job, in the transaction that is open, unless somebody alive is."""
    alive = number in ledger.loading if loader == ledger.me else loader is not None and ledger.present(loader)
    if alive:
        raise OutboxError(
            f"outbox {ledger.path.name}: somebody else is loading this job; wait for it or stop it",
            reason="in_use",
        )
    ledger.run("UPDATE jobs SET loader = ? WHERE n = ?", ledger.me, number)


def restore(ledger: Ledger, taken: Taken, start: int, most: int, seen: Seen) -> None:
    """Remember which phones the rows from index ``start`` on have."""
    base = taken.number * ROWS_PER_JOB
    seen.restore(
        ledger.listed(
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


def add_chunk(ledger: Ledger, taken: Taken, chunk: Chunk, seen: Seen) -> float:
    """Store more rows of a job that is still ours; say how many seconds it took."""
    _look_at(taken.operation, chunk, seen)
    began = time.monotonic()
    with ledger.writing():
        ensure_ours(ledger, taken.number)
        store_chunk(ledger, taken.number, chunk, seen)
    return time.monotonic() - began


def ensure_ours(ledger: Ledger, number: int) -> None:
    """Raise if the job was withdrawn, purged or taken by somebody else."""
    row = ledger.row("SELECT state, loader, withdrawn FROM jobs WHERE n = ?", number)
    if row is None or row[0] != LOADING or row[1] != ledger.me:
        withdrawn = row is not None and row[2]
        raise OutboxError(
            f"outbox {ledger.path.name}: the job was withdrawn or taken over while its leads were loaded",
            reason="withdrawn" if withdrawn else "in_use",
        )


def let_go(ledger: Ledger, number: int, seen: Seen) -> None:
    """Load this job no more, for now."""
    ledger.loading.discard(number)
    seen.close()
    with ledger.writing():
        ledger.run("UPDATE jobs SET loader = NULL WHERE n = ? AND loader = ?", number, ledger.me)


def _look_at(operation: Operation, chunk: Chunk, seen: Seen) -> None:
    if not chunk.keyed:
        mark_repeats(operation, chunk, seen)


def _taken(ledger: Ledger, number: int) -> Taken:
    return _decoded(number, *ledger.row("SELECT id, op, rows, digest FROM jobs WHERE n = ?", number))


@decodes
def _decoded(number: int, job_id: str, op: int, rows: int, digest: bytes) -> Taken:
    return Taken(number=number, id=job_id, operation=OPERATIONS[op], rows=whole(rows), digest=bytes(digest))
