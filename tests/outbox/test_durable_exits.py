"""A process that ends between two statements, or is frozen for longer than its lease: nothing is lost."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from client_calls import SHORT
from durable_cases import EVERY, NOTHING_SAID, client, everything, numbers, sandbox_of
from durable_fork_server import ENDED
from sandbox_caller import eventually

from voiso_async import Outcome
from voiso_async.outbox import SqliteOutbox
from voiso_async.sandbox import ApplyThenClose, Json, Sandbox, Stall

FORK_SERVER = Path(__file__).parents[1] / "support/durable_fork_server.py"
ROWS = 4


class ForkServer:
    """Forks one life after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, sandbox: Sandbox, path: Path, **order: Any) -> int:
        """Begin a life; give its process."""
        usual = {"rows": ROWS, "at": 0, "after": False, "short": False, "cooldown": SHORT}
        order = {"path": str(path), "key": sandbox.key, "url": sandbox.url} | usual | order
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return int(await self._line())

    async def end(self) -> int:
        """Wait for its end."""
        return int(await self._line())

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await asyncio.wait_for(self._process.stdout.readline(), 60)


@pytest.fixture
async def fork_server() -> AsyncIterator[ForkServer]:
    async with _fork_server() as running:
        yield running


@asynccontextmanager
async def _fork_server() -> AsyncIterator[ForkServer]:
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(sys.executable, str(FORK_SERVER), **pipes)  # type: ignore[arg-type]
    try:
        yield ForkServer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def check(sandbox: Sandbox, path: Path, rows: int = ROWS) -> None:
    """Each lead is in the campaign once, each row has its outcome, and CREATED was said by an answer."""
    async with SqliteOutbox(path) as outbox:
        words = [word for word in await everything(outbox) if word.reason != "known"]
    assert set(numbers(rows)) == {word.phone for word in words} == set(sandbox.campaigns[3].leads)
    assert rows == len(words)
    told = {phone for exchange in sandbox.history if exchange.status == 200 for phone in exchange.applied}
    for word in words:
        assert word.outcome in {Outcome.CREATED, Outcome.CONFIRMED}
        assert word.outcome is Outcome.CONFIRMED or word.phone in told
    assert 0 == sandbox.too_early


@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_the_process_may_end_at_every_statement(
    tmp_path: Path, fork_server: ForkServer, *, after: bool
) -> None:
    """The first life loses an answer, and is left out of another; the next one repeats its put, and drains."""
    at = 1
    while True:
        path = tmp_path / f"{at}.db"
        async with sandbox_of() as sandbox:
            sandbox.faults.add(ApplyThenClose(first=2), method="POST")
            sandbox.faults.add(Json(NOTHING_SAID, apply=True), method="POST")
            await fork_server.begin(sandbox, path, at=at, after=after)
            status = await fork_server.end()
            assert status in {0, ENDED}, at
            await fork_server.begin(sandbox, path)
            assert 0 == await fork_server.end(), at
            await check(sandbox, path)
        if not status:
            break
        at += EVERY
    assert at > 50


@pytest.mark.timeout(900)
async def test_a_frozen_process_is_overtaken_and_tells_nothing(tmp_path: Path, fork_server: ForkServer) -> None:
    """Its answer came while it was frozen: the rows went on elsewhere, and its closing is refused."""
    path = tmp_path / "leads.db"
    async with sandbox_of(server_time=0.02) as sandbox:
        sandbox.faults.add(Stall(seconds=0.05, apply=True), method="POST")
        frozen = await fork_server.begin(sandbox, path, short=True)
        await eventually(lambda: bool(sandbox.history))
        os.kill(frozen, signal.SIGSTOP)
        try:
            async with SqliteOutbox(path) as outbox, client(sandbox, outbox) as voiso:
                report = await asyncio.wait_for(voiso.leads.drain(), 60)
                assert ROWS == report.counts[Outcome.CONFIRMED]
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert await fork_server.end() in {0, 1}, "it may say that its turn was taken over"
        await check(sandbox, path)
        bodies = {exchange.body for exchange in sandbox.history}
        assert (2, 1) == (len(sandbox.history), len(bodies))
