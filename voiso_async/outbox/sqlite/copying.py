"""A new job made of rows of another: window by window, continued if it was cut short."""

import contextlib

from attrs import frozen

from voiso_async.errors import OutboxError, UsageError
from voiso_async.outbox.jobs import Job
from voiso_async.outbox.sqlite.faults import whole
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.reading import ensure_there, job_of, number_of
from voiso_async.outbox.sqlite.schema import LOADING, ROWS_PER_JOB
from voiso_async.outbox.sqlite.seen import Seen
from voiso_async.outbox.sqlite.storing import copy_rows, finish_loading, insert_rows
from voiso_async.outbox.sqlite.taking import ensure_ours, let_go, own_job
from voiso_async.outbox.sqlite.worker import Worker

__all__ = ["Copy", "begin_copy", "copied", "copy_window", "end_copy"]

WINDOW = 2000


@frozen(kw_only=True)
class Copy:
    """Rows of ``parent`` that ended as ``picked``, on their way into job ``number``."""

    parent: int
    picked: list[int]
    number: int


def begin_copy(ledger: Ledger, job_id: str, picked: list[int]) -> Copy:
    """Make the new job, or take up one that was begun like this and not finished."""
    with ledger.writing():
        parent, wanted = number_of(ledger, job_id), as_json(picked)
        begun = ledger.row(
            "SELECT n, loader FROM jobs WHERE parent = ? AND picked = ? AND state = ?", parent, wanted, LOADING
        )
        if begun is None:
            ledger.run(
                """INSERT INTO jobs (id, name, op, state, created, loader, source, parent, picked, reached)
                SELECT lower(hex(randomblob(4))), name, op, ?, ?, ?, source, n, ?, 0 FROM jobs WHERE n = ?""",
                LOADING,
                ledger.wall(),
                ledger.me,
                wanted,
                parent,
            )
            number = int(ledger.value("SELECT last_insert_rowid()"))
        else:
            number = begun[0]
            own_job(ledger, *begun)
    ledger.loading.add(number)
    return Copy(parent=parent, picked=picked, number=number)


def copy_window(ledger: Ledger, copy: Copy) -> bool:
    """Copy from the next rows; say whether there are more."""
    with ledger.writing():
        ensure_ours(ledger, copy.number)
        start, there, op = map(whole, ledger.row("SELECT reached, rows, op FROM jobs WHERE n = ?", copy.number))
        rows = whole(ledger.value("SELECT rows FROM jobs WHERE n = ?", copy.parent))
        end = min(start + WINDOW, rows)
        ensure_there(ledger, copy.parent * ROWS_PER_JOB + start, copy.parent * ROWS_PER_JOB + end)
        entries = copy_rows(ledger, copy.parent, copy.picked, start, end)
        for index, entry in enumerate(entries, there):
            entry.index = index
        insert_rows(ledger, copy.number, op, entries)
        ledger.run("UPDATE jobs SET reached = ?, rows = ? WHERE n = ?", end, there + len(entries), copy.number)
        return end < rows


def end_copy(ledger: Ledger, copy: Copy) -> Job:
    """Finish the new job; one without rows is no job."""
    ledger.loading.discard(copy.number)
    with ledger.writing():
        ensure_ours(ledger, copy.number)
        if ledger.value("SELECT rows FROM jobs WHERE n = ?", copy.number):
            finish_loading(ledger, copy.number)
            return job_of(ledger, copy.number)
        ledger.run("DELETE FROM jobs WHERE n = ?", copy.number)
    raise OutboxError(
        f"outbox {ledger.path.name}: no row of the job ended so and can be sent; nothing was stored",
        reason="nothing",
    )


async def copied(worker: Worker, job_id: str, picked: list[int]) -> Job:
    """Make a new job of the rows of another that ended as ``picked``."""
    copy = await worker.take(lambda ledger: begin_copy(ledger, job_id, picked), _let_go)
    more = True
    try:
        while more:
            more = await worker.do(copy_window, copy)
        return await worker.do(end_copy, copy)
    except BaseException:
        with contextlib.suppress(OutboxError, UsageError):
            worker.begin(_let_go, copy)
        raise


def _let_go(ledger: Ledger, copy: Copy) -> None:
    let_go(ledger, copy.number, Seen())
