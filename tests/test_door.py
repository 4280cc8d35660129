"""The gate: one flag and one number for everything in this process."""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator

import pytest

from voiso_async.ingest import door
from voiso_async.ingest.door import LocalDoor

ORIGIN = "https://voiso.example:443"


@pytest.fixture
def local() -> LocalDoor:
    return LocalDoor(ORIGIN, 2.0, lambda: asyncio.get_running_loop().time())


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.virtual
async def test_turns_come_in_order_of_arrival(local: LocalDoor) -> None:
    order: list[tuple[int, float]] = []

    async def visit(number: int) -> None:
        turn = await local.open(3)
        order.append((number, now()))
        await asyncio.sleep(1)
        await turn.close([], 0.0)

    await asyncio.gather(*(visit(number) for number in range(4)))
    assert [(0, 0.0), (1, 3.0), (2, 6.0), (3, 9.0)] == order


@pytest.mark.virtual
async def test_the_cooldown_counts_from_landing_and_a_longer_hold_wins(local: LocalDoor) -> None:
    turn = await local.open(3)
    turn.landed()
    await asyncio.sleep(1)
    await turn.close([], 0.0)
    turn = await local.open(3)
    assert 2.0 == now()
    await turn.close([], 10.0)
    assert 10.0 == local.opens_in(3)
    await local.open(3)
    assert 12.0 == now()


@pytest.mark.virtual
async def test_a_turn_without_a_post_leaves_the_gate_as_it_was(local: LocalDoor) -> None:
    turn = await local.open(3)
    await turn.close([], None)
    await local.open(3)
    assert 0.0 == now()


@pytest.mark.virtual
async def test_other_campaigns_and_origins_have_their_own_gate(local: LocalDoor) -> None:
    await local.open(3)
    await local.open(4)
    await LocalDoor("https://other.example:443", 2.0, now).open(3)
    assert 0.0 == now()


@pytest.mark.row(103)
@pytest.mark.virtual
async def test_a_waiter_that_leaves_wakes_the_next(local: LocalDoor) -> None:
    turn = await local.open(3)
    first = asyncio.create_task(local.open(3))
    second = asyncio.create_task(local.open(3))
    await asyncio.sleep(0.1)
    await turn.close([], 0.0)
    await asyncio.sleep(0.5)
    first.cancel()
    await second
    assert 2.1 == pytest.approx(now())
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.row(102)
@pytest.mark.virtual
async def test_cancelled_while_waiting_never_holds_the_gate(local: LocalDoor) -> None:
    turn = await local.open(3)
    waiters = [asyncio.create_task(local.open(3)) for _ in range(3)]
    await asyncio.sleep(0.1)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await turn.close([], 0.0)
    await asyncio.wait_for(local.open(3), timeout=5)


def test_two_loops_in_two_threads_keep_the_rule() -> None:
    stays: list[tuple[float, float]] = []

    async def visit() -> None:
        local = LocalDoor(ORIGIN, 0.05)
        for _ in range(3):
            turn = await local.open(3)
            began = time.monotonic()
            await asyncio.sleep(0.01)
            turn.landed()
            stays.append((began, time.monotonic()))
            await turn.close([], 0.0)

    threads = [threading.Thread(target=lambda: asyncio.run(visit())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    stays.sort()
    assert 6 == len(stays)
    assert all(after[0] - before[1] >= 0.0499 for before, after in itertools.pairwise(stays))


def test_two_runs_after_each_other_keep_the_cooldown() -> None:
    async def visit() -> float:
        turn = await LocalDoor(ORIGIN, 0.1).open(3)
        began = time.monotonic()
        await turn.close([], 0.0)
        return began

    assert asyncio.run(visit()) + 0.1 <= asyncio.run(visit())


def test_a_holder_whose_loop_is_gone_does_not_keep_the_gate() -> None:
    """Nobody knows when its POST ended, so the cooldown counts from the discovery."""
    loop = asyncio.new_event_loop()
    kept = loop.run_until_complete(LocalDoor(ORIGIN, 0.1).open(3))
    loop.close()

    async def visit() -> float:
        await LocalDoor(ORIGIN, 0.1).open(3)
        return time.monotonic()

    found = time.monotonic()
    assert found + 0.1 <= asyncio.run(visit())
    assert kept is not None


@pytest.fixture
def loops() -> Iterator[tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop]]:
    """Two loops that a test runs in slices: one rests while the other runs."""
    pair = asyncio.new_event_loop(), asyncio.new_event_loop()
    yield pair
    for loop in pair:
        loop.close()


def test_a_waiter_whose_loop_rested_still_gets_its_turn(
    loops: tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop],
) -> None:
    """The loop that ran in between took it for dead and passed it over."""
    resting, running = loops
    local = LocalDoor(ORIGIN, 0.1)

    async def visit() -> None:
        turn = await local.open(3)
        await turn.close([], 0.0)

    async def begin() -> asyncio.Task[None]:
        await visit()
        waiting = asyncio.create_task(visit())
        await asyncio.sleep(0.01)
        return waiting

    async def end(waiting: asyncio.Task[None]) -> None:
        async with asyncio.timeout(5):
            await waiting

    waiting = resting.run_until_complete(begin())
    running.run_until_complete(visit())
    assert not waiting.done()
    resting.run_until_complete(end(waiting))
    assert waiting.done()


def test_a_turn_closed_by_one_who_lost_the_gate_does_not_open_it(
    loops: tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop],
) -> None:
    """Its loop rested and was taken for dead; by now somebody else's POST is in flight."""
    resting, running = loops
    local = LocalDoor(ORIGIN, 0.05)
    lost = resting.run_until_complete(local.open(3))

    async def come_back() -> None:
        await lost.close([], 0.0)
        async with asyncio.timeout(0.3):
            await local.open(3)

    async def hold() -> None:
        turn = await local.open(3)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(resting.run_until_complete, come_back())
        await turn.close([], 0.0)

    running.run_until_complete(hold())


def test_a_forked_child_forgets_the_parents_holder_and_keeps_the_cooldown() -> None:
    async def scenario() -> int:
        await LocalDoor(ORIGIN, 0.1).open(3)
        pid = os.fork()
        if pid == 0:  # pragma: no cover - runs in the child
            gate = door._GATES[ORIGIN, 3]
            os._exit(0 if gate._holder is None and gate.opens_in(time.monotonic()) > 1 else 1)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        return os.waitstatus_to_exitcode(status)

    assert 0 == asyncio.run(scenario())
