"""Cancelled at any moment: what was lent comes back, what was answered is written down, nothing hangs."""

import asyncio
from pathlib import Path

import pytest
from cut_short import native
from loop_thread import LoopThread
from outbox_cases import ORIGIN, balanced, leads, results, said, send
from outbox_child import asking

from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.outbox import OutboxLimits, SqliteOutbox

POLICY = LanePolicy(cooldown=0.02, doubt_backoff=0.02)
MOMENTS = [moment / 2000 for moment in range(24)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


async def cancelled(task: "asyncio.Task[object]", moment: float, *, times: int = 1) -> bool:
    """Cancel a task after so many seconds; say whether it was not through."""
    await asyncio.sleep(moment)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({task}, timeout=60)
    assert task.done(), "it hangs"
    return task.cancelled()


async def test_a_claim_whose_caller_has_gone_is_given_back(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(50))
        gate = outbox.gate(ORIGIN, POLICY)
        gone = 0
        for moment in MOMENTS:
            task = asyncio.create_task(gate.acquire(3, asking()))
            if await cancelled(task, moment, times=2):
                gone += 1
            else:
                await (await task).release(results((await task).rows, Outcome.NOT_SENT), None)
        assert gone > 2
        assert [(50, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
        turn = await asyncio.wait_for(send(gate), 60)
        assert (False, 50, {0}) == (turn.is_retry, len(turn.rows), {row.doubts for row in turn.rows})
        await balanced(outbox)


async def test_a_claim_cancelled_just_before_its_gate_opens_is_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been lent early, to be ready when the gate opens."""
    async with SqliteOutbox(path, lease=3600, limits=OutboxLimits(early=60)) as outbox:
        await outbox.put(3, leads(50))
        gate = outbox.gate(ORIGIN, LanePolicy(cooldown=240), lambda: clock[0])
        clock = [0.0]
        await (await gate.acquire(3, asking(1))).release([], 0.0)
        clock[0] = 200.0
        task = asyncio.create_task(gate.acquire(3, asking()))
        while sum(item.claimed for item in await outbox.backlog()) < 50:
            pass
        assert await cancelled(task, 0)
        assert [(49, 1)] == [(item.rows, item.claimed) for item in await outbox.backlog()]


async def test_a_closing_is_written_down_whoever_waits_for_it(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(len(MOMENTS)))
        gate = outbox.gate(ORIGIN, POLICY)
        for moment in MOMENTS:
            turn = await gate.acquire(3, asking(1))
            await cancelled(asyncio.create_task(turn.release(results(turn.rows), 0.0)), moment / 3, times=2)
        assert [("created", None)] * len(MOMENTS) == await said(outbox, job.id)
        await balanced(outbox)


async def test_a_closing_outlives_its_loop(path: Path) -> None:
    def run_and_leave() -> str:
        async def leave() -> str:
            outbox = SqliteOutbox(path)
            job = await outbox.put(3, leads(1))
            turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking())
            closing = asyncio.ensure_future(turn.release(results(turn.rows), 0.0))
            await asyncio.sleep(0)
            closing.cancel()
            await outbox.aclose()
            return job.id

        return asyncio.run(leave())

    job_id = await asyncio.to_thread(run_and_leave)
    async with SqliteOutbox(path) as outbox:
        assert [("created", None)] == await said(outbox, job_id)


async def test_a_put_that_was_cancelled_is_there_whole_or_not_at_all(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        for moment in MOMENTS:
            await cancelled(asyncio.create_task(outbox.put(3, leads(300))), moment)
        assert {300} == {job.report.rows for job in await outbox.jobs()}
        await balanced(outbox)


@pytest.mark.virtual
async def test_a_job_taken_in_hand_for_a_caller_who_has_gone_is_let_go(path: Path) -> None:
    """Cancelled when the thread had taken it, and before the caller heard of that: it is not in use for ever."""
    outbox = SqliteOutbox(path)
    LoopThread.under(outbox, prompt=True)
    job = await outbox.begin()
    assert await native(outbox.load(job.id, 3, leads(3)), 1)
    assert 3 == (await outbox.load(job.id, 3, leads(3))).report.rows
    await send(outbox.gate(ORIGIN, LanePolicy(), asyncio.get_running_loop().time), Outcome.REJECTED)
    assert await native(outbox.retry(job.id, [Outcome.REJECTED]), 1)
    assert 3 == (await outbox.retry(job.id, [Outcome.REJECTED])).report.rows
    assert 2 == len(await outbox.jobs())
    await outbox.aclose()


async def test_everything_else_may_be_cancelled_too(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(3000))
        for moment in MOMENTS[::3]:
            for step in (outbox.backlog(), outbox.withdraw(job.id), outbox.requeue(job.id), outbox.changed(9)):
                await cancelled(asyncio.create_task(step), moment / 3)
        await outbox.withdraw(job.id)
        await balanced(outbox)
        await cancelled(asyncio.create_task(outbox.purge(job.id)), 0.01)
    async with SqliteOutbox(path) as outbox:
        for _ in range(1000):  # a purge that was begun is finished
            if not await outbox.jobs():
                break
            await outbox.changed(0.01)
        assert [] == await outbox.jobs()


async def test_closing_the_outbox_may_be_cancelled(path: Path) -> None:
    for moment in MOMENTS[::4]:
        outbox = SqliteOutbox(path)
        await outbox.put(3, leads(3))
        await cancelled(asyncio.create_task(outbox.aclose()), moment / 5)
        await outbox.aclose()
    async with SqliteOutbox(path) as outbox:
        assert 6 == len(await outbox.jobs())
    assert [path.name, f"{path.name}-journal"] == sorted(file.name for file in path.parent.iterdir())


async def test_two_loops_may_use_one_outbox_one_after_the_other(path: Path) -> None:
    outbox = SqliteOutbox(path)
    await outbox.put(3, leads(1))
    for _ in range(2):
        await asyncio.to_thread(lambda: asyncio.run(outbox.put(3, leads(1))))
    assert 3 == len(await outbox.jobs())
    await outbox.aclose()
