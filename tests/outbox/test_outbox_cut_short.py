"""Cancelled at every point at which an outbox waits, in every way: nothing is held, lost, doubled or left."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from cut_short import WAYS, Counted, Way
from outbox_cases import balanced
from outbox_job_operations import OF_JOBS, VeryLongPut
from outbox_operations import PART, Operation
from outbox_slot_operations import OF_TURNS
from virtual_time import VirtualLoop

from voiso_async.ingest import gate
from voiso_async.outbox import OutboxLimits

SLOW = {"timed": [pytest.mark.soak]}
every_way = pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=SLOW.get(name, ())) for name, way in WAYS.items()]
)
two_ways = pytest.mark.parametrize("way", [WAYS["native"], WAYS["scoped"]], ids=["native", "scoped"])
both = pytest.mark.parametrize("prompt", [False, True], ids=["before the work", "after the work"])


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes step by step takes several for a few rows."""
    few = OutboxLimits(put_rows=PART, first_rows=PART, slice_rows=PART, window_rows=PART)
    monkeypatch.setattr(Operation, "limits", few)


async def cancelled(operation: Operation, way: Way, at: int) -> bool:
    """Cancel at one point, if it gets there; say whether it did."""
    doing = Counted(operation.do())
    gone = await way(_awaited(doing), at)
    assert gone or doing.points < at, "the cancellation is lost"
    return gone


async def _awaited(doing: Counted[Any]) -> None:
    await doing


async def cut(operation: Operation, way: Way, at: int) -> bool:
    """After a while nothing goes on any more, nothing is in the way of the next, and every row is there."""
    await operation.prepare()
    gone = await cancelled(operation, way, at)
    await asyncio.sleep(operation.quiet)
    assert {asyncio.current_task()} == asyncio.all_tasks()
    if gone:
        await operation.again()
        await operation.everything_is_claimed_once()
    await operation.outbox.aclose()
    assert {asyncio.current_task()} == asyncio.all_tasks()
    return gone


def at_every_point(make: type[Operation], way: Way, folder: Path, *, prompt: bool) -> None:
    """Cancel at the first point, the second, the third, until it is through before."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        at = 1
        while runner.run(cut(make(folder / f"{at}.db", prompt=prompt), way, at)):
            gate._GATES.clear()
            at += 1
    assert at > 1


@pytest.mark.row(101, 102, 103, 109, 110, 111)
@pytest.mark.usefixtures("short_steps")
@both
@every_way
@pytest.mark.parametrize("make", [*OF_JOBS, *OF_TURNS], ids=lambda make: make.__name__)
def test_it_may_be_cut_short_at_every_point(
    make: type[Operation], way: Way, tmp_path: Path, *, prompt: bool
) -> None:
    at_every_point(make, way, tmp_path, prompt=prompt)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@both
@every_way
def test_so_may_the_storing_of_a_long_job_as_it_is(way: Way, tmp_path: Path, *, prompt: bool) -> None:
    at_every_point(VeryLongPut, way, tmp_path, prompt=prompt)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("voiso outbox")}


@pytest.mark.usefixtures("short_steps")
@two_ways
@pytest.mark.parametrize(
    "make", [make for make in (*OF_JOBS, *OF_TURNS) if not make.waits], ids=lambda make: make.__name__
)
async def test_no_thread_outlives_its_outbox(make: type[Operation], way: Way, tmp_path: Path) -> None:
    """In real time, where the thread may be at any place of its work."""
    before, at, gone = threads(), 0, True
    while gone:
        gate._GATES.clear()
        at += 1
        operation = make(tmp_path / f"{at}.db", prompt=None)
        await operation.prepare()
        gone = await cancelled(operation, way, at)
        await operation.outbox.aclose()
        for thread in threads() - before:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
        async with operation.opened() as again:
            await balanced(again)
            assert not any(item.claimed for item in await again.backlog())
    assert at > 1, "it was cut short at least once"
