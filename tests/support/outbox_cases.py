"""What every outbox must do: the implementations under test, and a lane reduced to its questions."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from voiso_async.ingest.gate import ClaimRequest, Gate, Slot
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult
from voiso_async.outbox import JobOutcome, Outbox, SqliteOutbox

ORIGIN = "https://voiso.example:443"
POLICY = LanePolicy(cooldown=2.0, doubt_backoff=3.0)
Make = Callable[..., Outbox]


def sqlite_outbox(folder: Path, **options: Any) -> SqliteOutbox:
    return SqliteOutbox(folder / "leads.db", **options)


IMPLEMENTATIONS = [pytest.param(sqlite_outbox, id="sqlite")]


@pytest_asyncio.fixture(params=IMPLEMENTATIONS)
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Make outboxes on one storage; each is closed at the end."""
    made: list[Outbox] = []

    def new(**options: Any) -> Outbox:
        made.append(request.param(tmp_path, **options))
        return made[-1]

    yield new
    for outbox in made:
        await outbox.aclose()


class Owner:
    """Whoever waits for rows."""

    operation = Operation.ADD
    cancelled = False

    def on_attempt(self, attempt: Attempt) -> None: ...

    def resolve(self, results: Sequence[RowResult]) -> None: ...


def phone(number: int) -> str:
    return f"4416329600{number:02}" if number < 100 else f"1201555{number:06}"


def leads(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"phone_number": phone(start + number), "name": "Canary"} for number in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


def gate_of(outbox: Outbox, policy: LanePolicy = POLICY) -> Gate:
    return outbox.gate(ORIGIN, policy, asyncio.get_running_loop().time)


class Claims:
    """A claim source that always asks for the same."""

    def __init__(self, request: ClaimRequest) -> None:
        self.request = request

    def claim_request(self) -> ClaimRequest:
        return self.request


def asking(
    room: int = 1000,
    *,
    again: Sequence[Row] = (),
    operation: Operation = Operation.ADD,
    job: str | None = None,
    max_bytes: int = 1_000_000,
) -> Claims:
    wished = ClaimRequest(
        operation=operation,
        retry_rows=again,
        submission=Owner() if room else None,
        max_rows=room,
        max_bytes=max_bytes,
        job_id=job,
    )
    return Claims(wished)


def results(rows: Iterable[Row], outcome: Outcome = Outcome.CREATED, reason: str | None = None) -> list[RowResult]:
    return [RowResult(row, outcome, reason) for row in rows]


async def send(gate: Gate, outcome: Outcome = Outcome.CREATED, *, campaign: int = 3, **wished: Any) -> Slot:
    """Take a turn and end it at once with one outcome for all."""
    turn = await gate.acquire(campaign, asking(**wished))
    await turn.release(results(turn.rows, outcome), 0.0, Attempt(first=True, seconds=0.5))
    return turn


async def lose(turn: Slot, rows: Sequence[Row], hold: float = 3.0) -> None:
    """End a turn as one whose answer was lost: its rows stay with the lane, doubted."""
    for row in rows:
        row.doubts += 1
    await turn.release([], hold, Attempt(first=True, seconds=0.5))


def indexes(turn: Slot) -> list[int]:
    return [row.index for row in turn.rows]


async def words(outbox: Outbox, job: str, **options: Any) -> list[JobOutcome]:
    return [outcome async for outcome in outbox.outcomes(job, **options)]


async def said(outbox: Outbox, job: str) -> list[tuple[str, str | None]]:
    """What became of each row, and why; rows that wait carry a star."""
    return [(f"{w.outcome.value}{'*' if w.pending else ''}", w.reason) for w in await words(outbox, job)]


async def balanced(outbox: Outbox) -> None:
    """The books of every job agree with its rows."""
    for job in await outbox.jobs():
        rows = await words(outbox, job.id)
        counts = dict.fromkeys(Outcome, 0)
        for row in rows:
            if not row.pending:
                counts[row.outcome] += 1
        assert counts == dict(job.report.counts)
        assert job.waiting == sum(row.pending for row in rows) == job.report.pending
        assert job.doubted == sum(row.pending and row.outcome is Outcome.UNKNOWN for row in rows)
        assert len(rows) == job.report.rows
        assert [row.index for row in rows] == list(range(len(rows)))


def content(path: Path) -> bytes:
    return path.read_bytes()


def spoil(path: Path, new: bytes) -> None:
    path.write_bytes(new)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
