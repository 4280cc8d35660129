"""A disk that fails at any statement: an error, nothing sent that is not written down, and it can be mended."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from durable_cases import EVERY, NOTHING_SAID, Watched, client, everything, failure, mended, numbers, sandbox_of
from outbox_cases import ORIGIN, lose
from outbox_cases import asking as lane_asking
from outbox_child import asking

from voiso_async import LanePolicy, Outcome
from voiso_async.errors import OutboxError
from voiso_async.outbox import OutboxLimits, SqliteOutbox
from voiso_async.outbox.sqlite import database as db
from voiso_async.sandbox import ApplyThenClose, Json, Sandbox

FULL, IO = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


class Saboteur:
    """Counts statements and lets the ``at``-th one fail, or every one that holds ``word``."""

    def __init__(self) -> None:
        self.seen = 0
        self.at = 0
        self.code = FULL
        self.word: str | None = None
        self.after = False

    def connected(self, real: sqlite3.Connection) -> Any:
        return Watched(real, self.look, after=self.after)

    def look(self, sql: str) -> None:
        self.seen += 1
        if self.seen == self.at or (self.word is not None and self.word in sql):
            raise failure(self.code)


@pytest.fixture
def saboteur(monkeypatch: pytest.MonkeyPatch) -> Iterator[Saboteur]:
    saboteur, connect = Saboteur(), db._connected
    monkeypatch.setattr(db, "_connected", lambda path: saboteur.connected(connect(path)))
    yield saboteur
    saboteur.at = 0


async def life(sandbox: Sandbox, path: Path) -> None:
    """Put, lose an answer, be left out of another, and drain."""
    async with SqliteOutbox(path) as outbox, client(sandbox, outbox) as voiso:
        await outbox.put(3, numbers(4))
        await voiso.leads.drain()


def scripted() -> Sandbox:
    sandbox = sandbox_of()
    sandbox.faults.add(ApplyThenClose(first=2), method="POST")
    sandbox.faults.add(Json(NOTHING_SAID, apply=True), method="POST")
    return sandbox


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("code", "after"), [(FULL, False), (IO, True)], ids=["before", "after"])
async def test_every_statement_may_fail(tmp_path: Path, saboteur: Saboteur, code: int, *, after: bool) -> None:
    saboteur.code, saboteur.after = code, after
    failed, at = 0, 1 - EVERY
    while True:
        at += EVERY
        saboteur.seen, saboteur.at = 0, at
        path = tmp_path / f"{at}.db"
        async with scripted() as sandbox:
            try:
                await asyncio.wait_for(life(sandbox, path), 60)
            except OutboxError:
                failed += 1
            through, saboteur.at = saboteur.seen < at, 0
            words = await mended(sandbox, path)
            assert {word.phone for word in words} == set(sandbox.campaigns[3].leads)
        if through:
            break
    assert failed > at // EVERY // 2


async def test_a_drain_after_a_failed_closing_goes_on(path: Path, saboteur: Saboteur) -> None:
    """The rows in flight come back, and so do those that the lane had between its turns."""
    async with sandbox_of() as sandbox, SqliteOutbox(path) as outbox, client(sandbox, outbox) as voiso:
        sandbox.faults.add(Json(NOTHING_SAID, apply=True), method="POST")
        await outbox.put(3, numbers(5))
        saboteur.word = "suspended = iif"
        with pytest.raises(OutboxError, match="full"):
            await voiso.leads.drain()
        saboteur.word = None
        report = await asyncio.wait_for(voiso.leads.drain(), 60)
        assert 5 == report.counts[Outcome.CONFIRMED]
        await everything(outbox)


async def test_a_release_that_failed_is_made_up_for(path: Path, saboteur: Saboteur) -> None:
    async with sandbox_of() as sandbox, SqliteOutbox(path) as outbox:
        sandbox.faults.add(Json(NOTHING_SAID, apply=True), method="POST")
        await outbox.put(3, numbers(5))
        async with client(sandbox, outbox) as voiso:
            draining = asyncio.create_task(voiso.leads.drain())
            while not any(item.rows == 0 and item.claimed for item in await outbox.backlog()):
                await outbox.changed(0.01)
            saboteur.word = "BEGIN IMMEDIATE"
            draining.cancel()
            await asyncio.wait({draining})
        saboteur.word = None
        async with client(sandbox, outbox) as voiso:
            await asyncio.wait_for(voiso.leads.drain(), 60)
        assert 5 == len(await everything(outbox))


async def test_rows_released_while_their_turn_is_about_to_open_come_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain leaves while its lane waits with a claim in hand, and then the lane is ended too."""
    clock = [0.0]
    async with SqliteOutbox(path, lease=3600, limits=OutboxLimits(early=60)) as outbox:
        await outbox.put(3, numbers(5))
        gate = outbox.gate(ORIGIN, LanePolicy(cooldown=240), lambda: clock[0])
        turn = await gate.acquire(3, asking())
        await lose(turn, turn.rows, 0.0)
        clock[0] = 200.0
        opening = asyncio.create_task(gate.acquire(3, lane_asking(room=0, again=turn.rows)))
        while not any(status.sending for status in await outbox.campaigns()):
            await outbox.changed(0.01)
        await outbox.release(turn.rows)
        assert [(0, 5)] == [(item.rows, item.claimed) for item in await outbox.backlog()], "their turn is open"
        opening.cancel()
        await asyncio.wait({opening})
        assert [(5, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
