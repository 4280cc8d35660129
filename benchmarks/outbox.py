"""Puts rows into a file, claims them and settles them."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.leads import leads
from benchmarks.result import Line, Result, Target
from voiso_async import LanePolicy, Outcome
from voiso_async.ingest.gate import ClaimRequest
from voiso_async.ingest.rows import Attempt, Operation, RowResult
from voiso_async.outbox import SqliteOutbox

BATCH = 1000
PUT = 10_000


def run(*, quick: bool) -> Result:
    """Put, claim and settle with the outbox; the peer puts with plain SQLite, equally durable."""
    rows = 20_000 if quick else 300_000
    with tempfile.TemporaryDirectory() as folder:
        putting, turns = asyncio.run(_ours(Path(folder, "leads.db"), rows, 5 if quick else 60))
        plain = _plain(Path(folder, "plain.db"), rows)
    return Result(
        name="outbox",
        title=f"{rows} rows into SQLite, {PUT} a transaction; turns of {BATCH} rows",
        lines=(
            Line(
                what="put",
                unit="rows/s",
                ours=rows / putting,
                peers={"unchecked JSON, executemany": rows / plain},
                targets=(Target(">=", 100_000),),
            ),
            Line(
                what=f"claim and settle {BATCH} rows, median",
                unit="ms",
                ours=1000 * statistics.median(turns),
                targets=(Target("<=", 25),),
            ),
            Line(what=f"claim and settle {BATCH} rows, longest", unit="ms", ours=1000 * max(turns)),
        ),
        notes=("making the mappings is not counted; both commit with synchronous=FULL",),
    )


async def _ours(path: Path, rows: int, count: int) -> tuple[float, list[float]]:
    putting = 0.0
    policy = LanePolicy(cooldown=0)
    async with SqliteOutbox(path) as outbox:
        for batch in _parts(rows):
            began = time.perf_counter()
            await outbox.put(3, batch)
            putting += time.perf_counter() - began
        gate = outbox.gate("http://127.0.0.1:80", policy)
        turns = []
        owner = _Owner()
        claims = _Claims(
            ClaimRequest(operation=Operation.ADD, submission=owner, max_rows=BATCH, max_bytes=policy.max_bytes)
        )
        for _ in range(min(count, rows // BATCH)):
            began = time.perf_counter()
            turn = await gate.acquire(3, claims)
            turn.attempt_ended()
            results = [RowResult(row, Outcome.CREATED) for row in turn.rows]
            await turn.release(results, 0.0, Attempt(first=True, seconds=0.0))
            turns.append(time.perf_counter() - began)
            if len(results) != BATCH:
                raise RuntimeError(f"{len(results)} rows were claimed")
    return putting, turns


class _Claims:
    """A claim source that always asks for the same."""

    def __init__(self, request: ClaimRequest) -> None:
        self._request = request

    def claim_request(self) -> ClaimRequest:
        return self._request


class _Owner:
    """Stands for the job of the rows: they are not sent."""

    operation = Operation.ADD
    cancelled = False
    on_attempt: Callable[[Attempt], None] = staticmethod(lambda _: None)

    def resolve(self, _: object) -> None:
        """Do nothing: no caller waits."""


def _plain(path: Path, rows: int) -> float:
    seconds = 0.0
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, campaign INT, phone INT, body BLOB, state INT)"
        )
        for batch in _parts(rows):
            began = time.perf_counter()
            connection.executemany(
                "INSERT INTO leads (campaign, phone, body, state) VALUES (3, ?, ?, 0)",
                ((int(lead["phone_number"]), msgspec.json.encode(lead)) for lead in batch),
            )
            connection.commit()
            seconds += time.perf_counter() - began
    connection.close()
    return seconds


def _parts(rows: int) -> list[list[dict[str, Any]]]:
    every = list(leads(rows))
    return [every[first : first + PUT] for first in range(0, rows, PUT)]
