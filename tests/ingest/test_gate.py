"""The gate of a campaign: one POST at a time and one pace for the whole process."""

import asyncio
import gc
import itertools
import os
import threading
import time
from collections.abc import Iterator

import anyio
import pytest

from voiso_async.ingest import gate
from voiso_async.ingest.gate import LocalGate, LocalSlot

ORIGIN = "https://voiso.example:443"


@pytest.fixture
def local() -> LocalGate:
    return LocalGate(ORIGIN, 2.0, lambda: asyncio.get_running_loop().time())


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.virtual
async def test_turns_come_in_order_of_arrival(local: LocalGate) -> None:
    order: list[tuple[int, float]] = []

    async def use(number: int) -> None:
        turn = await local.acquire(3)
        order.append((number, now()))
        await asyncio.sleep(1)
        await turn.release([], 0.0)

    await asyncio.gather(*(use(number) for number in range(4)))
    assert [(0, 0.0), (1, 3.0), (2, 6.0), (3, 9.0)] == order


@pytest.mark.virtual
async def test_the_cooldown_counts_from_release_and_a_longer_hold_wins(local: LocalGate) -> None:
    turn = await local.acquire(3)
    turn.attempt_ended()
    await asyncio.sleep(1)
    await turn.release([], 0.0)
    turn = await local.acquire(3)
    assert 2.0 == now()
    await turn.release([], 10.0)
    assert 10.0 == local.opens_in(3)
    await local.acquire(3)
    assert 12.0 == now()


@pytest.mark.virtual
async def test_a_turn_without_a_post_leaves_the_gate_as_it_was(local: LocalGate) -> None:
    turn = await local.acquire(3)
    await turn.release([], None)
    await local.acquire(3)
    assert 0.0 == now()


@pytest.mark.virtual
async def test_other_campaigns_and_origins_have_their_own_gate(local: LocalGate) -> None:
    await local.acquire(3)
    await local.acquire(4)
    await LocalGate("https://other.example:443", 2.0, now).acquire(3)
    assert 0.0 == now()


@pytest.mark.row(103)
@pytest.mark.virtual
async def test_a_waiter_that_leaves_wakes_the_next(local: LocalGate) -> None:
    turn = await local.acquire(3)
    first = asyncio.create_task(local.acquire(3))
    second = asyncio.create_task(local.acquire(3))
    await asyncio.sleep(0.1)
    await turn.release([], 0.0)
    await asyncio.sleep(0.5)
    first.cancel()
    await second
    assert 2.1 == pytest.approx(now())
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.row(102)
@pytest.mark.virtual
async def test_cancelled_while_waiting_never_holds_the_gate(local: LocalGate) -> None:
    turn = await local.acquire(3)
    waiters = [asyncio.create_task(local.acquire(3)) for _ in range(3)]
    await asyncio.sleep(0.1)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await turn.release([], 0.0)
    await asyncio.wait_for(local.acquire(3), timeout=5)


def test_two_loops_in_two_threads_keep_the_rule() -> None:
    stays: list[tuple[float, float]] = []

    async def use() -> None:
        local = LocalGate(ORIGIN, 0.05)
        for _ in range(3):
            turn = await local.acquire(3)
            began = time.monotonic()
            await asyncio.sleep(0.01)
            turn.attempt_ended()
            stays.append((began, time.monotonic()))
            await turn.release([], 0.0)

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    stays.sort()
    assert 6 == len(stays)
    assert all(after[0] - before[1] >= 0.0499 for before, after in itertools.pairwise(stays))


def test_two_runs_after_each_other_keep_the_cooldown() -> None:
    async def use() -> float:
        turn = await LocalGate(ORIGIN, 0.1).acquire(3)
        began = time.monotonic()
        await turn.release([], 0.0)
        return began

    assert asyncio.run(use()) + 0.1 <= asyncio.run(use())


def test_a_holder_whose_loop_is_gone_does_not_keep_the_gate() -> None:
    """The end of its POST is unknown, so the cooldown counts from the discovery."""
    loop = asyncio.new_event_loop()
    kept = loop.run_until_complete(LocalGate(ORIGIN, 0.1).acquire(3))
    loop.close()

    async def use() -> float:
        await LocalGate(ORIGIN, 0.1).acquire(3)
        return time.monotonic()

    found = time.monotonic()
    assert found + 0.1 <= asyncio.run(use())
    assert kept is not None


@pytest.fixture
def loops() -> Iterator[tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop]]:
    """Two loops that a test runs in turns: one stands still while the other runs."""
    pair = asyncio.new_event_loop(), asyncio.new_event_loop()
    yield pair
    for loop in pair:
        loop.close()


Loops = tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop]


async def begins(local: LocalGate) -> float:
    """Acquire the gate and release it; return when it opened."""
    turn = await local.acquire(3)
    began = time.monotonic()
    await turn.release([], 0.0)
    return began


async def still_waits(local: LocalGate) -> bool:
    with anyio.move_on_after(0.2):
        await local.acquire(3)
        return False
    return True


def test_a_loop_that_rests_while_its_post_is_in_flight_keeps_the_gate(loops: Loops) -> None:
    """As in a notebook, where a loop runs in pieces."""
    resting, running = loops
    local = LocalGate(ORIGIN, 0.1)
    turn = resting.run_until_complete(local.acquire(3))
    for _ in range(2):
        assert running.run_until_complete(still_waits(local))
    ended = time.monotonic()
    resting.run_until_complete(turn.release([], 0.0))
    assert ended + 0.1 <= running.run_until_complete(begins(local))


def test_one_who_waits_for_a_resting_loop_is_woken_when_that_goes_on(loops: Loops) -> None:
    resting, running = loops
    local = LocalGate(ORIGIN, 0.1)
    turn = resting.run_until_complete(local.acquire(3))

    async def wait() -> float:
        return await begins(local)

    waiting = threading.Thread(target=lambda: began.append(running.run_until_complete(wait())))
    began: list[float] = []
    waiting.start()
    time.sleep(0.05)
    ended = time.monotonic()
    resting.run_until_complete(turn.release([], 0.0))
    waiting.join(20)
    assert began
    assert ended + 0.1 <= began[0]


def test_a_gate_that_waits_for_a_resting_loop_says_so_once(loops: Loops, caplog: pytest.LogCaptureFixture) -> None:
    resting, running = loops
    local = LocalGate(ORIGIN, 0.1)
    turn = resting.run_until_complete(local.acquire(3))
    assert running.run_until_complete(still_waits(local))
    resting.run_until_complete(turn.release([], 0.0))
    running.run_until_complete(begins(local))
    assert ["campaign 3 waits for an event loop that rests: run or close it"] == caplog.messages


def test_a_waiter_whose_loop_rests_is_passed_over_and_keeps_its_place(loops: Loops) -> None:
    """None of its POSTs is in flight; when its loop goes on it still gets the gate."""
    resting, running = loops
    moments = iter([0.0] * 4)
    local = LocalGate(ORIGIN, 0.1, lambda: next(moments))
    order: list[str] = []

    async def use(name: str) -> None:
        turn = await local.acquire(3)
        order.append(name)
        await turn.release([], 0.0)

    async def begin() -> asyncio.Task[None]:
        await use("first")
        waiting = asyncio.create_task(use("rested"))
        await asyncio.sleep(0)
        return waiting

    waiting = resting.run_until_complete(begin())
    moments = iter([0.1] * 2)
    running.run_until_complete(use("running"))
    moments = iter([0.1, *[0.2] * 2])
    resting.run_until_complete(waiting)
    assert ["first", "running", "rested"] == order


def test_a_waiter_behind_a_turn_of_its_own_resting_loop_is_woken(loops: Loops) -> None:
    """It waits for a holder whose loop stands still like its own; another loop asks in between."""
    resting, running = loops
    local = LocalGate(ORIGIN, 0.05)

    async def begin() -> tuple[LocalSlot, asyncio.Task[float]]:
        turn = await local.acquire(3)
        waiting = asyncio.create_task(begins(local))
        await asyncio.sleep(0)
        return turn, waiting

    async def end(turn: LocalSlot, waiting: asyncio.Task[float]) -> None:
        await turn.release([], 0.0)
        async with asyncio.timeout(5):
            await waiting

    turn, waiting = resting.run_until_complete(begin())
    assert running.run_until_complete(still_waits(local))
    resting.run_until_complete(end(turn, waiting))


def test_a_server_is_left_alone_for_the_settle_time_after_a_loop_was_closed() -> None:
    """It may still have a POST in flight that no caller waits for."""
    loop = asyncio.new_event_loop()
    kept = loop.run_until_complete(LocalGate(ORIGIN, 0.01).acquire(3))
    loop.close()
    found = time.monotonic()
    assert found + 0.2 <= asyncio.run(begins(LocalGate(ORIGIN, 0.01, doubt_backoff=0.2)))
    assert kept is not None


@pytest.mark.filterwarnings("ignore:unclosed event loop")
def test_a_loop_that_was_dropped_and_never_closed_does_not_keep_the_gate_for_ever() -> None:
    local = LocalGate(ORIGIN, 0.1)

    async def hold() -> None:
        await local.acquire(3)
        waiting.extend(asyncio.create_task(local.acquire(3)) for _ in range(2))
        await asyncio.sleep(0.01)

    waiting: list[asyncio.Task[LocalSlot]] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(hold())
    for task in waiting:
        task._log_destroy_pending = False  # type: ignore[attr-defined] # it is dropped on purpose
    waiting.clear()
    del loop, task
    gc.collect()
    asyncio.run(begins(local))


def test_a_turn_whose_loop_was_closed_does_not_open_the_gate_of_another() -> None:
    """An outbox may release it later, in its own thread, when another POST is in flight."""
    local = LocalGate(ORIGIN, 0.05)
    loop = asyncio.new_event_loop()
    lost = loop.run_until_complete(local.acquire(3))
    loop.close()

    async def hold() -> None:
        turn = await local.acquire(3)
        await asyncio.to_thread(lost.release_now, 0.0)
        assert await still_waits(local)
        await turn.release([], 0.0)

    asyncio.run(hold())


def test_a_forked_child_forgets_the_parents_holder_and_keeps_the_cooldown() -> None:
    async def scenario() -> int:
        await LocalGate(ORIGIN, 0.1).acquire(3)
        pid = os.fork()
        if pid == 0:  # pragma: no cover - runs in the child
            state = gate._GATES[ORIGIN, 3]
            os._exit(0 if state._holder is None and state.opens_in(time.monotonic()) > 1 else 1)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        return os.waitstatus_to_exitcode(status)

    assert 0 == asyncio.run(scenario())
