"""Something done to an outbox that may be cut short: what is there before, and what must be there then."""

from pathlib import Path
from typing import Any

from loop_thread import LoopThread
from outbox_cases import balanced, gate_of, leads, now, send

from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.outbox import OutboxLimits, SqliteOutbox
from voiso_async.outbox.protocol import StoredRow

__all__ = ["PART", "POLICY", "ROWS", "Operation"]

PART, ROWS = 3, 11
"""Rows of one transaction, and of a job."""
POLICY = LanePolicy(cooldown=2.0, doubt_backoff=3.0)


class Operation:
    """Something done to an outbox. ``again`` does it once more, finds nothing in its way, and hears of itself.

    ``left`` rows must be lent in the end, each once. ``quiet`` is how long it may go on without its caller;
    ``waits`` that it takes seconds.
    """

    left = ROWS
    quiet = 0.1
    waits = False
    limits = OutboxLimits()

    def __init__(self, path: Path, *, prompt: bool | None) -> None:
        """``prompt`` is how its stand-in for a thread works; ``None`` keeps the thread."""
        self.path = path
        self.prompt = prompt
        self.outbox = self.opened()
        self.job_id = ""

    def opened(self) -> SqliteOutbox:
        outbox = SqliteOutbox(self.path, limits=self.limits)
        if self.prompt is not None:
            LoopThread.under(outbox, prompt=self.prompt)
        return outbox

    async def prepare(self) -> None:
        await self.outbox.open()
        await self.outbox._thread.do(lambda db: db.run("PRAGMA synchronous = OFF"))  # no power fails here
        self.job_id = (await self.outbox.put(3, leads(ROWS))).id

    async def do(self) -> Any:
        raise NotImplementedError

    async def again(self) -> None:
        await self.do()

    async def everything_is_claimed_once(self) -> None:
        """Each row that is left goes in one turn, and the turns keep the cooldown."""
        sent: list[int] = []
        opened = float("-inf")
        while await self.outbox.backlog():
            turn = await send(gate_of(self.outbox, POLICY))
            assert turn.rows, "they wait, and are not lent"
            assert now() - opened >= POLICY.cooldown
            opened = now()
            sent += [row.id for row in turn.rows if isinstance(row, StoredRow)]
        assert self.left == len(sent) == len(set(sent))
        await balanced(self.outbox)

    async def ended(self, outcome: Outcome) -> None:
        """Let every row end so."""
        assert ROWS == len((await send(gate_of(self.outbox, POLICY), outcome)).rows)
