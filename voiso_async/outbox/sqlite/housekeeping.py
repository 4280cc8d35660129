"""What is done now and then: taking back from the dead, and removing what was kept long enough."""

from voiso_async.errors import OutboxError
from voiso_async.outbox.sqlite.keeping import (
    begin_purge,
    finished_before,
    purge_slice,
    purgeable,
    purging,
    shrink_slice,
)
from voiso_async.outbox.sqlite.ledger import Ledger
from voiso_async.outbox.sqlite.reading import number_of
from voiso_async.outbox.sqlite.recovery import bury_the_dead, forget_strangers
from voiso_async.outbox.sqlite.worker import Worker

__all__ = ["EVERY", "chosen", "look_around", "purge", "remove"]

EVERY = 3600.0
SLICE = 1000
PAGES = 500


def look_around(ledger: Ledger, retain: float | None) -> list[int]:
    """Take back from the dead; give the jobs whose rows are to be removed."""
    bury_the_dead(ledger)
    forget_strangers(ledger)
    if retain is not None:
        for number in finished_before(ledger, ledger.wall() - retain):
            begin_purge(ledger, number, force=False)
    return purging(ledger)


def chosen(ledger: Ledger, job_id: str | None, older_than: float, force: bool) -> list[int]:  # noqa: FBT001
    """Mark the jobs that are to go."""
    if job_id is not None:
        number = number_of(ledger, job_id)
        if begin_purge(ledger, number, force=force):
            return [number]
        raise OutboxError(
            f"outbox {ledger.path.name}: rows of the job wait, are parked or are still to be loaded; requeue or "
            "withdraw them, or purge by force",
            reason="not_done",
        )
    marked = []
    for number in purgeable(ledger, ledger.wall() - older_than, force=force):
        try:
            if begin_purge(ledger, number, force=force):
                marked.append(number)
        except OutboxError:
            continue
    return marked


async def purge(worker: Worker, job_id: str | None, older_than: float, *, force: bool) -> int:
    """Remove jobs; say how many."""
    numbers = await worker.do(chosen, job_id, older_than, force)
    await remove(worker, numbers)
    return len(numbers)


async def remove(worker: Worker, numbers: list[int]) -> None:
    """Remove the rows of jobs that are marked, slice by slice, and make the file smaller."""
    for number in numbers:
        gone = False
        while not gone:
            gone = await worker.do(purge_slice, number, SLICE)
    more = bool(numbers)
    while more:
        more = await worker.do(shrink_slice, PAGES)
