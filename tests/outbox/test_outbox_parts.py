"""The parts of an outbox that need no database, or only a little of one."""

import asyncio
import errno
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox_cases import leads, phone

from voiso_async.errors import OutboxError, SourceError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.prepare import FileRow
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.lead_reader import Entry, LeadReader, checksum
from voiso_async.outbox.shares import max_min
from voiso_async.outbox.sqlite import dedupe as seen
from voiso_async.outbox.sqlite.faults import fault_of
from voiso_async.outbox.wakeup import Wakeup


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_shares_are_fair(demands: list[int], room: int) -> None:
    """All room is used that anybody wants; who gets less than he wants gets as much as others, but for one."""
    shares = {job: share for share, jobs in max_min(list(enumerate(demands)), room) for job in jobs}
    got = [min(shares.get(job, 0), rows) for job, rows in enumerate(demands)]
    assert min(room, sum(demands)) == sum(got)
    for job, rows in enumerate(demands):
        if got[job] < rows:
            assert got[job] >= max(got) - 1
            assert all(got[other] <= got[job] for other in range(job, len(demands)))


@pytest.mark.parametrize(
    ("demands", "room", "shares"),
    [
        ([(1, 2_000_000), (2, 1)], 1000, [(999, [1, 2])]),
        ([(1, 9), (2, 9)], 3, [(2, [1]), (1, [2])]),
        ([(1, 9), (2, 9), (3, 9)], 2, [(1, [1, 2])]),
        ([(1, 2), (2, 2)], 9, [(2, [1, 2])]),
        ([], 9, []),
    ],
)
def test_shares_by_example(demands: list[tuple[int, int]], room: int, shares: list[tuple[int, list[int]]]) -> None:
    assert shares == max_min(demands, room)


def entries(places: Sequence[tuple[int, int]], start: int) -> list[Entry]:
    return [Entry(start + number, campaign, digits) for number, (campaign, digits) in enumerate(places)]


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), max_size=30), max_size=6),
    st.sampled_from([0, 5, 1000]),
)
def test_repeats_are_found_in_memory_and_beyond(chunks: list[list[tuple[int, int]]], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen, "MOST_IN_MEMORY", few)
        patch.setattr(seen, "SLOTS", 2)
        known: dict[tuple[int, int], int] = {}
        phones = seen.JobPhoneIndex()
        start = 0
        for places in chunks:
            chunk = entries(places, start)
            phones.mark_repeats(chunk)
            for entry, place in zip(chunk, places, strict=True):
                first = known.setdefault(place, entry.index)
                assert (entry.first if entry.outcome else entry.index) == first
                assert entry.outcome in {None, Outcome.REPEATED}
            start += len(places)
        phones.close()
    assert sum(map(len, chunks)) == start


def test_restored_rows_are_known() -> None:
    phones = seen.JobPhoneIndex()
    phones.restore([[3, 7, 0], [3, 8, 1]])
    chunk = entries([(3, 8), (4, 8)], 2)
    phones.mark_repeats(chunk)
    assert [1, None] == [entry.first for entry in chunk]
    phones.close()


async def test_a_reader_gives_the_loop_its_turn() -> None:
    reader, beats = LeadReader(leads(2000), Operation.ADD, 3), 0

    async def beat() -> None:
        nonlocal beats
        while not reader.ended:
            beats += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    assert 2000 == len(await reader.entries(5000))
    await beating
    assert beats >= 10


async def test_a_reader_reads_on_while_what_it_gave_is_being_stored() -> None:
    async def source() -> AsyncIterator[object]:
        for lead in leads(5000):
            yield lead

    reader = LeadReader(source(), Operation.ADD, 3)
    assert 1000 == len(await reader.next_entries(1000))
    for _ in range(50):
        await asyncio.sleep(0)
    assert 2000 == reader.read
    assert list(range(1000, 2000)) == [entry.index for entry in await reader.next_entries(1000)]
    reader.close()


async def test_the_digest_depends_on_every_lead_and_not_on_the_parts() -> None:
    async def digest(given: Sequence[object], parts: int, campaign: int = 3) -> bytes:
        reader = LeadReader(given, Operation.ADD, campaign)
        while not reader.ended:
            await reader.entries(parts)
        return reader.digest

    given: list[object] = [*leads(50), "x"]
    assert await digest(given, 7) == await digest(given, 1000)
    given[-1] = FileRow(lead="x", row=52, cells=("x",))
    others = [given[1:], given[:-1], [*given[:-1], FileRow(lead="y", row=52, cells=("y",))], given[::-1]]
    assert 4 == len({await digest(other, 9) for other in others} - {await digest(given, 9)})
    assert await digest(given, 9) != await digest(given, 9, campaign=4)


async def test_what_an_async_source_raises_is_kept_as_the_cause() -> None:
    async def source() -> AsyncIterator[str]:
        yield phone(1)
        raise KeyError(phone(2))

    reader = LeadReader(source(), Operation.ADD, 3)
    with pytest.raises(SourceError) as caught:
        await reader.entries(10)
    assert isinstance(caught.value.__cause__, KeyError)
    assert phone(2) not in str(caught.value)


def test_a_sum_covers_place_and_content() -> None:
    sums = {
        checksum(*values)
        for values in (
            (1, 3, 0, 5, b"x"),
            (2, 3, 0, 5, b"x"),
            (1, 4, 0, 5, b"x"),
            (1, 3, 1, 5, b"x"),
            (1, 3, 0, 6, b"x"),
            (1, 3, 0, 5, b"y"),
        )
    }
    assert 6 == len(sums)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.EROFS, "read_only"),
        (errno.EACCES, "denied"),
        (errno.EPERM, "denied"),
        (errno.EIO, "io"),
        (errno.ENOENT, "missing"),
    ],
)
def test_what_the_system_says_has_a_reason(number: int, reason: str) -> None:
    assert reason == fault_of(OSError(number, phone(1)), "leads.db").reason
    assert phone(1) not in str(fault_of(OSError(number, phone(1)), "leads.db"))


def test_every_reason_of_sqlite_has_an_advice() -> None:
    for code in range(30):
        error = sqlite3.OperationalError(phone(1))
        error.sqlite_errorcode = code
        fault = fault_of(error, "leads.db")
        assert isinstance(fault, OutboxError)
        assert fault.reason
        assert phone(1) not in str(fault)
    assert "corrupt" == fault_of(sqlite3.OperationalError("Could not decode"), "x").reason


async def test_a_wakeup_wakes_from_another_thread_and_forgets_who_left() -> None:
    wakeup = Wakeup()
    left = asyncio.create_task(wakeup.wait(60))
    waiting = asyncio.create_task(wakeup.wait(60))
    await asyncio.sleep(0)
    left.cancel()
    threading.Thread(target=wakeup.set).start()
    await asyncio.wait_for(waiting, 60)
    wakeup.clear()
    await wakeup.wait(0.0)


def test_a_wakeup_passes_over_a_loop_that_was_closed() -> None:
    wakeup, loop = Wakeup(), asyncio.new_event_loop()
    task = loop.create_task(wakeup.wait(60))
    loop.run_until_complete(asyncio.sleep(0))
    wakeup._waiting = {(closed, event) for closed, event in wakeup._waiting}
    task.cancel()
    stuck = set(wakeup._waiting)
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    wakeup._waiting = stuck
    wakeup.set()
    assert not wakeup._waiting
