"""A client, an outbox and the sandbox: a connection that fails when told to, and what must hold at the end."""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client_calls import LANE, QUICK

from voiso_async import LanePolicy, Outcome, VoisoClient
from voiso_async.outbox import JobOutcome, JobState, SqliteOutbox
from voiso_async.sandbox import Rules, Sandbox

Look = Callable[[str], None]
NOTHING_SAID: dict[str, Any] = {"leads_import": {"created": [], "rejected": [], "duplicates": []}}
EVERY = int(os.environ.get("EVERY_STATEMENT", "29"))
"""How many statements lie between two that fail; 1 takes minutes."""


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"4416329600{start + line:05d}" for line in range(count)]


def sandbox_of(**rules: Any) -> Sandbox:
    sandbox = Sandbox(rules=Rules(cooldown=LANE.cooldown, **rules))
    sandbox.add_campaign(id=3, name="Summer")
    sandbox.add_campaign(id=4, name="Winter")
    return sandbox


def client(sandbox: Sandbox, outbox: SqliteOutbox, lane: LanePolicy = LANE) -> VoisoClient:
    return VoisoClient(sandbox.key, base_url=sandbox.url, lane=lane, retry=QUICK, outbox=outbox)


class Watched:
    """A connection that shows each statement to ``look`` before, or ``after``, it is run."""

    def __init__(self, real: sqlite3.Connection, look: Look, *, after: bool = False) -> None:
        self._real = real
        self._look = look
        self._after = after

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self._after:
            cursor = self._real.execute(sql, *values)
            self._look(sql)
            return cursor
        self._look(sql)
        return self._real.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def failure(code: int) -> sqlite3.OperationalError:
    """What SQLite raises with such a code."""
    error = sqlite3.OperationalError("failed")
    error.sqlite_errorcode = code
    return error


async def everything(outbox: SqliteOutbox) -> list[JobOutcome]:
    """The word on every row, if the books agree with the rows and nothing waits or is lent."""
    assert [] == await outbox.backlog()
    words: list[JobOutcome] = []
    for job in await outbox.jobs(limit=1000):
        rows = [word async for word in outbox.outcomes(job.id)]
        assert list(range(job.report.rows)) == [word.index for word in rows]
        assert {kind: n for kind, n in job.report.counts.items() if n} == Counter(word.outcome for word in rows)
        assert job.state is not JobState.OPEN
        assert not any(word.pending for word in rows)
        words += rows
    return words


async def mended(sandbox: Sandbox, path: Path) -> list[JobOutcome]:
    """What becomes of every row once nothing fails any more: it is in the campaign, and the books say so."""
    async with SqliteOutbox(path) as outbox:
        async with client(sandbox, outbox) as voiso:
            await voiso.leads.drain()
        words = await everything(outbox)
    created = {phone for exchange in sandbox.history if exchange.status == 200 for phone in exchange.applied}
    for word in words:
        assert word.outcome in {Outcome.CREATED, Outcome.CONFIRMED}
        assert word.phone in sandbox.campaigns[word.campaign or 0].leads
        assert word.outcome is Outcome.CONFIRMED or word.phone in created
    assert 0 == sandbox.too_early
    return words
