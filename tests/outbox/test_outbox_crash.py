"""Killed at any instant: what is in the campaign and in the books is what an undisturbed run leaves there."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from crash_fork_server import leads

from voiso_async import Outcome
from voiso_async.outbox import JobOutcome, JobState, SqliteOutbox
from voiso_async.sandbox import Rules, Sandbox

FORK_SERVER = Path(__file__).parents[1] / "support/crash_fork_server.py"
COOLDOWN = 0.03
SERVER = 0.05
ROWS = 20_000


class ForkServer:
    """The process that forks the lives; each is let go for a while and then killed."""

    def __init__(self, process: asyncio.subprocess.Process, order: dict[str, Any]) -> None:
        self._process = process
        self._order = order
        self.kills = 0

    async def live(self, seconds: float | None) -> bool:
        """Let one life go on for so long, or to its end; say whether it came to its end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._order).encode() + b"\n")
        pid = int(await self._line())
        ended = asyncio.ensure_future(self._line())
        done, _ = await asyncio.wait({ended}, timeout=seconds)
        if not done:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = int(await ended)
        self.kills += status == -signal.SIGKILL
        assert status in {0, -signal.SIGKILL}, "a life ended with an error"
        return status == 0

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await asyncio.wait_for(self._process.stdout.readline(), 60)


@asynccontextmanager
async def fork_server(order: dict[str, Any]) -> AsyncIterator[ForkServer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(FORK_SERVER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield ForkServer(process, order)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def campaign() -> AsyncIterator[Sandbox]:
    unwanted = frozenset(f"4416329600{n:05d}" for n in range(0, ROWS, 97))
    async with Sandbox(rules=Rules(cooldown=COOLDOWN, server_time=SERVER, do_not_call=unwanted)) as sandbox:
        sandbox.add_campaign(id=3, name="Summer")
        yield sandbox


def order(path: Path, sandbox: Sandbox, load: int = ROWS) -> dict[str, Any]:
    return {
        "path": str(path),
        "key": sandbox.key,
        "url": sandbox.url,
        "load": load,
        "cooldown": COOLDOWN,
        "settle": 0.06,
    }


async def outcomes_of(path: Path) -> list[JobOutcome]:
    async with SqliteOutbox(path) as outbox:
        (job,) = await outbox.jobs()
        assert job.state is JobState.DONE
        assert job.report.balanced
        outcomes = [outcome async for outcome in outbox.outcomes(job.id)]
        counted = Counter(outcome.outcome for outcome in outcomes)
        assert {o: n for o, n in job.report.counts.items() if n} == counted
        return outcomes


def check(sandbox: Sandbox, outcomes: list[JobOutcome], rows: int = ROWS) -> None:
    """The server's set, one outcome a row, nothing claimed that is not proved, and the gap never too short."""
    assert list(range(rows)) == [outcome.index for outcome in outcomes]
    assert [lead["key"] for lead in leads(rows)] == [outcome.key for outcome in outcomes]
    good = {str(lead["phone_number"]) for lead in leads(rows)} - {"no number"}
    assert good - sandbox.rules.do_not_call == set(sandbox.campaigns[3].leads)
    told = [e for e in sandbox.history if e.status == 200]
    created = {phone for exchange in told for phone in exchange.applied}
    for outcome in outcomes:
        assert outcome.outcome not in {Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.UNREPORTED, Outcome.DUPLICATE}
        if outcome.outcome is Outcome.CREATED:
            assert outcome.phone in created
        if outcome.outcome is Outcome.REJECTED:
            assert outcome.phone in sandbox.rules.do_not_call
    assert 0 == sandbox.too_early


@pytest.mark.timeout(900)
@pytest.mark.row(125, 126, 127, 128, 129)
async def test_125_to_129_killed_a_hundred_times_in_one_import(tmp_path: Path) -> None:
    """A third of the lives end while the leads are still being read; the others come after that."""
    path = tmp_path / "leads.db"
    chance = random.Random(4)
    async with campaign() as sandbox, fork_server(order(path, sandbox)) as lives:
        longest = 0.3
        while lives.kills < 100:
            if lives.kills == 35:
                await read_to_the_end(path)
            assert not await lives.live(chance.uniform(0.0, longest)), "the import ended before a hundred kills"
            ahead = len(sandbox.campaigns[3].leads) / ROWS > min(lives.kills / 120, 0.8)
            longest = max(0.01, longest * 0.5) if ahead else min(0.5, longest * 1.1)
        assert await lives.live(None)
        outcomes = await outcomes_of(path)
        check(sandbox, outcomes)
        assert Outcome.CONFIRMED in {outcome.outcome for outcome in outcomes}


async def read_to_the_end(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        (job,) = await outbox.jobs()
        await outbox.load(job.id, 3, leads(ROWS))


@pytest.mark.timeout(900)
@pytest.mark.row(136)
async def test_136_two_processes_drain_one_outbox_together(tmp_path: Path) -> None:
    path = tmp_path / "leads.db"
    async with campaign() as sandbox:
        async with SqliteOutbox(path) as outbox:
            job = await outbox.begin(name="import")
            await outbox.load(job.id, 3, leads(ROWS))
        drain = order(path, sandbox, load=0)
        async with fork_server(drain) as one, fork_server(drain) as two:
            assert await asyncio.gather(one.live(None), two.live(None))
        outcomes = await outcomes_of(path)
        check(sandbox, outcomes)
        assert Outcome.CONFIRMED not in {outcome.outcome for outcome in outcomes}
        assert 2 <= len({exchange.connection for exchange in sandbox.history})


@pytest.mark.timeout(900)
async def test_one_of_two_is_killed_and_the_other_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "leads.db"
    chance = random.Random(7)
    async with campaign() as sandbox:
        async with SqliteOutbox(path) as outbox:
            job = await outbox.begin(name="import")
            await outbox.load(job.id, 3, leads(ROWS))
        drain = order(path, sandbox, load=0)
        async with fork_server(drain) as steady, fork_server(drain) as mortal:
            going = asyncio.ensure_future(steady.live(None))
            while not going.done() and mortal.kills < 15:
                await mortal.live(chance.uniform(0.02, 0.2))
            assert await going
        check(sandbox, await outcomes_of(path))
