"""A new job made of rows of another: window by window, continued if it was cut short."""

import contextlib

from attrs import frozen

from voiso_async.errors import OutboxError, UsageError
from voiso_async.outbox.jobs import Job
from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.dedupe import JobPhoneIndex
from voiso_async.outbox.sqlite.faults import whole
from voiso_async.outbox.sqlite.insert import copy_rows, finish_loading, insert_rows
from voiso_async.outbox.sqlite.load import disown, ensure_ours, own_job
from voiso_async.outbox.sqlite.queries import ensure_there, job_of, number_of
from voiso_async.outbox.sqlite.schema import LOADING, ROWS_PER_JOB
from voiso_async.outbox.sqlite.thread import DatabaseThread


@frozen(kw_only=True)
class Copy:
    """Rows of ``parent`` that ended as ``picked``, on their way into job ``number``."""

    parent: int
    picked: list[int]
    number: int


def begin_copy(db: Database, job_id: str, picked: list[int]) -> Copy:
    """Make the new job, or take up one that was begun like this and not finished."""
    with db.writing():
        parent, wanted = number_of(db, job_id), as_json(picked)
        begun = db.row(
            "SELECT n, loader FROM jobs WHERE parent = ? AND picked = ? AND state = ?", parent, wanted, LOADING
        )
        if begun is None:
            db.run(
                """INSERT INTO jobs (id, name, op, state, created, loader, source, parent, picked, reached)
                SELECT lower(hex(randomblob(4))), name, op, ?, ?, ?, source, n, ?, 0 FROM jobs WHERE n = ?""",
                LOADING,
                db.wall(),
                db.me,
                wanted,
                parent,
            )
            number = int(db.value("SELECT last_insert_rowid()"))
        else:
            number = begun[0]
            own_job(db, *begun)
    db.loading.add(number)
    return Copy(parent=parent, picked=picked, number=number)


def copy_window(db: Database, copy: Copy) -> bool:
    """Copy from the next rows; say whether there are more."""
    with db.writing():
        ensure_ours(db, copy.number)
        start, there, op = map(whole, db.row("SELECT reached, rows, op FROM jobs WHERE n = ?", copy.number))
        rows = whole(db.value("SELECT rows FROM jobs WHERE n = ?", copy.parent))
        end = min(start + db.limits.window_rows, rows)
        ensure_there(db, copy.parent * ROWS_PER_JOB + start, copy.parent * ROWS_PER_JOB + end)
        entries = copy_rows(db, copy.parent, copy.picked, start, end)
        for index, entry in enumerate(entries, there):
            entry.index = index
        insert_rows(db, copy.number, op, entries)
        db.run("UPDATE jobs SET reached = ?, rows = ? WHERE n = ?", end, there + len(entries), copy.number)
        return end < rows


def end_copy(db: Database, copy: Copy) -> Job:
    """Finish the new job; one without rows is no job."""
    db.loading.discard(copy.number)
    with db.writing():
        ensure_ours(db, copy.number)
        if db.value("SELECT rows FROM jobs WHERE n = ?", copy.number):
            finish_loading(db, copy.number)
            return job_of(db, copy.number)
        db.run("DELETE FROM jobs WHERE n = ?", copy.number)
    raise OutboxError(
        f"outbox {db.path.name}: no row of the job ended so and can be sent; nothing was stored",
        reason="nothing",
    )


async def copied(worker: DatabaseThread, job_id: str, picked: list[int]) -> Job:
    """Make a new job of the rows of another that ended as ``picked``."""
    copy = await worker.take(lambda db: begin_copy(db, job_id, picked), _let_go)
    more = True
    try:
        while more:
            more = await worker.do(copy_window, copy)
        return await worker.do(end_copy, copy)
    except BaseException:
        with contextlib.suppress(OutboxError, UsageError):
            worker.begin(_let_go, copy)
        raise


def _let_go(db: Database, copy: Copy) -> None:
    disown(db, copy.number, JobPhoneIndex())
