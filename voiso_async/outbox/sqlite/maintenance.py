"""What is done now and then: taking back from the dead, and removing what was kept long enough."""

from voiso_async.errors import OutboxError
from voiso_async.outbox.sqlite.database import Database
from voiso_async.outbox.sqlite.lifecycle import (
    begin_purge,
    finished_before,
    purge_slice,
    purgeable,
    purging,
    shrink_slice,
)
from voiso_async.outbox.sqlite.queries import number_of
from voiso_async.outbox.sqlite.reap import forget_unknown_workers, reap_lost_workers
from voiso_async.outbox.sqlite.thread import DatabaseThread

EVERY = 3600.0


def maintain(db: Database, retain: float | None) -> list[int]:
    """Take back from the dead; give the jobs whose rows are to be removed."""
    reap_lost_workers(db)
    forget_unknown_workers(db)
    if retain is not None:
        for number in finished_before(db, db.wall() - retain):
            begin_purge(db, number, force=False)
    return purging(db)


def chosen(db: Database, job_id: str | None, older_than: float, force: bool) -> list[int]:  # noqa: FBT001
    """Mark the jobs that are to go."""
    if job_id is not None:
        number = number_of(db, job_id)
        if begin_purge(db, number, force=force):
            return [number]
        raise OutboxError(
            f"outbox {db.path.name}: rows of the job wait, are parked or are still to be loaded; requeue or "
            "withdraw them, or purge by force",
            reason="not_done",
        )
    marked = []
    for number in purgeable(db, db.wall() - older_than, force=force):
        try:
            if begin_purge(db, number, force=force):
                marked.append(number)
        except OutboxError:
            continue
    return marked


async def purge(worker: DatabaseThread, job_id: str | None, older_than: float, *, force: bool) -> int:
    """Remove jobs; say how many."""
    numbers = await worker.do(chosen, job_id, older_than, force)
    await remove(worker, numbers)
    return len(numbers)


async def remove(worker: DatabaseThread, numbers: list[int]) -> None:
    """Remove the rows of jobs that are marked, slice by slice, and make the file smaller."""
    for number in numbers:
        gone = False
        while not gone:
            gone = await worker.do(_purge, number)
    more = bool(numbers)
    while more:
        more = await worker.do(lambda db: shrink_slice(db, db.limits.shrink_pages))


def _purge(db: Database, number: int) -> bool:
    return purge_slice(db, number, db.limits.slice_rows)
