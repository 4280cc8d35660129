"""Several processes at one file: killed, frozen, forked, and side by side."""

import asyncio
import contextlib
import itertools
import os
import platform
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import outbox_child
import pytest
from outbox_cases import ORIGIN, balanced, leads, results, said, send, words
from outbox_child import LEASE, POLICY, asking

from voiso_async.errors import ForkedError, OutboxError, SourceError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import JobActivity, JobState, SqliteOutbox

CHILD = Path(outbox_child.__file__)


@asynccontextmanager
async def child(path: Path, action: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a child until the end of the block; it is killed if it has not ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        str(path),
        action,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def heard(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def tell(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go on\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


@pytest.mark.row(126, 127, 128, 130)
async def test_rows_in_flight_of_a_killed_process_come_back_doubted_at_once(path: Path) -> None:
    """Rows 126 to 128, 130."""
    async with SqliteOutbox(path, lease=3600) as outbox:
        job = await outbox.put(3, leads(150))
        gate = outbox.gate(ORIGIN, POLICY)
        async with child(path, "hold") as process:
            assert "held" == await heard(process)
            assert [(50, 100)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
            waiting = asyncio.create_task(gate.acquire(3, asking()))
            await asyncio.sleep(0.3)
            assert not waiting.done(), "it is alive"
            process.kill()
            killed = time.monotonic()
        turn = await waiting  # the lease is longer than a test may take
        assert time.monotonic() - killed >= 0.3, "the cooldown and the settle time"
        assert (True, 100, {1}) == (turn.is_retry, len(turn.rows), {row.doubts for row in turn.rows})
        assert 100 == len(turn.doubts)
        await turn.release(results(turn.rows, Outcome.CONFIRMED), 0.0)
        assert list(range(100, 150)) == [row.index for row in (await send(gate)).rows]
        report = (await outbox.job(job.id)).report
        assert (100, 50) == (report.doubted, report.counts[Outcome.CREATED])
        await balanced(outbox)
    assert {path.name, f"{path.name}-journal"} == {file.name for file in path.parent.iterdir()}


async def test_rows_between_two_turns_of_a_killed_process_come_back_as_they_were(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
        async with child(path, "keep") as process:
            assert "kept" == await heard(process)
            process.kill()
        assert [(3, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
        turn = await send(outbox.gate(ORIGIN, POLICY))
        assert (False, {0}) == (turn.is_retry, {row.doubts for row in turn.rows})


async def test_what_a_killed_process_had_is_taken_back_at_the_next_opening(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
    async with child(path, "hold") as process:
        await heard(process)
        process.kill()
    async with SqliteOutbox(path) as outbox:
        [status] = await outbox.campaigns()
        assert (3, 3, False) == (status.waiting, status.doubted, status.sending)
        assert 0 <= status.opens_in <= 0.31


@pytest.mark.row(144)
async def test_a_frozen_process_loses_its_turn_after_the_lease(path: Path) -> None:
    """Row 144, on one machine."""
    async with SqliteOutbox(path, lease=LEASE) as outbox:
        job = await outbox.put(3, leads(3))
        async with child(path, "hold") as process:
            await heard(process)
            process.send_signal(signal.SIGSTOP)
            turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking())
            assert (True, [1, 1, 1]) == (turn.is_retry, [row.doubts for row in turn.rows])
            process.send_signal(signal.SIGCONT)
            tell(process)
            assert "fenced" == await heard(process)
        await turn.release(results(turn.rows, Outcome.CONFIRMED), 0.0)
        assert [("confirmed", None)] * 3 == await said(outbox, job.id)


async def test_a_killed_loader_leaves_a_job_that_anybody_may_load_on(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        async with child(path, "load") as process:
            assert "loading" == await heard(process)
            [job] = await outbox.jobs(name="loaded")
            with pytest.raises(OutboxError) as caught:
                await outbox.load(job.id, 3, leads(1600))
            assert "in_use" == caught.value.reason
            process.kill()
        loaded = await outbox.load(job.id, 3, leads(1600))
        assert (JobState.OPEN, 1600) == (loaded.state, loaded.waiting)


async def state_of(outbox: SqliteOutbox) -> tuple[JobActivity, list[int | None]]:
    """What goes on with the only job, and in which processes."""
    [job] = await outbox.jobs()
    assert job.activity is (await outbox.job(job.id)).activity
    return job.activity, [worker.pid for worker in job.workers]


async def test_a_job_says_which_process_sends_it_and_how_that_ended(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        before = datetime.now(UTC)
        await outbox.put(3, leads(3))
        assert (JobActivity.WAITING, []) == await state_of(outbox)
        async with child(path, "work") as process:
            assert "working" == await heard(process)
            assert (JobActivity.SENDING, [process.pid]) == await state_of(outbox)
            [worker] = (await outbox.jobs())[0].workers
            assert before <= worker.since <= datetime.now(UTC)
            assert (platform.node(), False) == (worker.host, worker.everything)
            assert platform.node() not in repr(worker)
            assert [(3, (worker,))] == [(found.campaign, found.workers) for found in await outbox.campaigns()]
            tell(process)
            assert "left" == await heard(process)
            assert (JobActivity.STOPPED, []) == await state_of(outbox)
            assert [()] == [found.workers for found in await outbox.campaigns()]
        async with child(path, "work") as process:
            assert "working" == await heard(process)
            process.kill()
            await process.wait()
        assert (JobActivity.KILLED, []) == await state_of(outbox)
        async with SqliteOutbox(path) as later:  # who opens it takes back from the dead
            assert (JobActivity.KILLED, []) == await state_of(later)
        assert (JobActivity.KILLED, []) == await state_of(outbox)
        async with child(path, "work") as process:
            assert "working" == await heard(process)
            assert (JobActivity.SENDING, [process.pid]) == await state_of(outbox)
            tell(process)
            assert "left" == await heard(process)
        assert (JobActivity.STOPPED, []) == await state_of(outbox)
        await send(outbox.gate(ORIGIN, POLICY))
        assert (JobActivity.DONE, []) == await state_of(outbox)


async def test_one_that_sends_everything_works_on_each_job_and_leaves_those_it_had_begun(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(150))
        async with child(path, "serve") as first, child(path, "serve") as second:
            assert ["working"] * 2 == [await heard(first), await heard(second)]
            activity, pids = await state_of(outbox)
            assert (JobActivity.SENDING, {first.pid, second.pid}) == (activity, set(pids))
            assert all(worker.everything for worker in (await outbox.job(job.id)).workers)
            second.kill()
            await second.wait()
            assert (JobActivity.SENDING, [first.pid]) == await state_of(outbox)
            tell(first)
            await first.wait()
        assert (JobActivity.WAITING, []) == await state_of(outbox), "none of them had begun with it"
        await send(outbox.gate(ORIGIN, POLICY), room=100)
        async with child(path, "serve") as process:
            assert "working" == await heard(process)
            tell(process)
            await process.wait()
        assert (JobActivity.STOPPED, []) == await state_of(outbox)
        async with child(path, "serve") as process:
            assert "working" == await heard(process)
            process.kill()
            await process.wait()
        assert (JobActivity.KILLED, []) == await state_of(outbox)


async def test_a_job_says_which_process_loads_it_and_how_that_ended(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        async with child(path, "load") as process:
            assert "loading" == await heard(process)
            assert (JobActivity.LOADING, [process.pid]) == await state_of(outbox)
            [job] = await outbox.jobs()
            await outbox.begin_work(job.id)
            assert (JobActivity.SENDING, {os.getpid(), process.pid}) == (
                (await outbox.job(job.id)).activity,
                {worker.pid for worker in (await outbox.job(job.id)).workers},
            )
            process.kill()
            await process.wait()
            assert (JobActivity.SENDING, [os.getpid()]) == await state_of(outbox)
            await outbox.end_work(job.id)
        assert (JobActivity.KILLED, []) == await state_of(outbox)

        async def fails() -> AsyncIterator[object]:
            for lead in leads(1500):
                yield lead
            raise KeyError

        with pytest.raises(SourceError):
            await outbox.load(job.id, 3, fails())
        assert (JobActivity.STOPPED, []) == await state_of(outbox)


async def test_work_is_over_when_as_many_have_ended_it_as_have_begun_it(path: Path) -> None:
    async with SqliteOutbox(path) as outbox, SqliteOutbox(path) as other:
        job = await outbox.put(3, leads(3))
        for _ in range(2):
            await outbox.begin_work(job.id)
        await outbox.end_work(job.id)
        assert (JobActivity.SENDING, [os.getpid()]) == await state_of(other)
        await outbox.end_work(job.id)
        assert (JobActivity.STOPPED, []) == await state_of(other)
        await outbox.begin_work("no such job")
        await outbox.end_work("no such job")
        await outbox.begin_work(job.id)
        await outbox.aclose()
        assert (JobActivity.STOPPED, []) == await state_of(other), "who closes it has left everything"


async def test_a_campaign_whose_sender_has_died_is_not_being_sent(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
        async with child(path, "hold") as process:
            assert "held" == await heard(process)
            assert [True] == [found.sending for found in await outbox.campaigns()]
            process.kill()
            await process.wait()
        assert [False] == [found.sending for found in await outbox.campaigns()]


@pytest.mark.row(136)
async def test_processes_drain_side_by_side_and_keep_the_gate(path: Path) -> None:
    """Row 136: never two at once, never too soon, every row once."""
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(300))
        async with child(path, "drain") as first, child(path, "drain") as second:
            told = await asyncio.gather(first.communicate(b""), second.communicate(b""))
        posts = sorted(line.split() for out, _ in told for line in out.decode().splitlines())
        assert all(out for out, _ in told), "both had their share"
        for earlier, later in itertools.pairwise(posts):
            assert float(later[0]) - float(earlier[1]) >= POLICY.cooldown
        rows = [int(row) for post in posts for row in post[3].split(",")]
        assert list(range(300)) == sorted(rows)
        assert {Outcome.CREATED} == {word.outcome for word in await words(outbox, job.id)}
        await balanced(outbox)


@pytest.mark.row(125, 126, 127, 128, 129)
async def test_killed_at_any_moment_nothing_is_lost_and_nothing_acknowledged_is_sent_again(path: Path) -> None:
    """Rows 125 to 129: ten rounds of SIGKILL."""
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(150))
    acknowledged: set[int] = set()
    for _ in range(10):
        async with child(path, "drain") as process:
            first = (await heard(process)).split()
            await asyncio.sleep(random.uniform(0.0, 0.25))
            with contextlib.suppress(ProcessLookupError):  # it may have come to its end
                process.kill()
            rest, _ = await process.communicate()
        for post in [first, *(line.split() for line in rest.decode().splitlines() if line.count(" ") == 3)]:
            if len(post) == 4:
                rows = {int(row) for row in post[3].split(",")}
                assert not rows & acknowledged
                acknowledged |= rows
        if len(acknowledged) == 150:
            break
    async with SqliteOutbox(path) as outbox:
        await balanced(outbox)
        gate = outbox.gate(ORIGIN, POLICY)
        while await outbox.backlog():
            turn = await send(gate)
            assert not {row.index for row in turn.rows} & acknowledged
        assert [("created", None)] * 150 == await said(outbox, job.id)
        await balanced(outbox)


async def test_processes_may_make_the_file_at_the_same_time(path: Path) -> None:
    async with child(path, "load") as first, child(path, "load") as second, child(path, "load") as third:
        assert ["loading"] * 3 == [await heard(process) for process in (first, second, third)]
    async with SqliteOutbox(path) as outbox:
        assert 3 == len(await outbox.jobs())


@pytest.mark.row(139)
async def test_a_forked_child_refuses_and_the_parent_is_unharmed(path: Path) -> None:
    """Row 139."""
    async with SqliteOutbox(path) as outbox, SqliteOutbox(path) as other:
        await outbox.put(3, leads(3))
        turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking())
        putting = [asyncio.create_task(outbox.put(4, leads(1000))) for _ in range(3)]
        await asyncio.sleep(0.01)
        pid = os.fork()
        if pid == 0:  # pragma: no cover - runs in the child
            os._exit(_refused(outbox))
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        assert 0 == os.waitstatus_to_exitcode(status)
        await asyncio.gather(*putting)
        assert [True] == [found.sending for found in await other.campaigns() if found.campaign == 3]
        await turn.release(results(turn.rows), 0.0)
        assert 4 == len(await outbox.jobs())


def _refused(outbox: SqliteOutbox) -> int:  # pragma: no cover - runs in the child
    for coroutine in (outbox.jobs(), outbox.put(3, []), outbox.release([]), outbox.changed(1)):
        try:
            coroutine.send(None)
        except ForkedError:
            continue
        except BaseException:  # noqa: BLE001 - whatever it is, it is wrong
            return 1
        return 1
    return 0


async def test_who_cannot_ask_the_system_goes_by_the_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiso_async.outbox.sqlite.database.HAVE_LOCKS", False)
    async with SqliteOutbox(path, lease=LEASE) as outbox:
        await outbox.put(3, leads(3))
        async with child(path, "hold") as process:
            await heard(process)
            process.kill()
        assert [3] == [item.claimed for item in await outbox.backlog()]
        await asyncio.sleep(LEASE + 0.1)
        assert [3] == [item.rows for item in await outbox.backlog()]
