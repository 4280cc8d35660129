"""What lanes and owners do to an outbox, and may be cut short: claims, closings, drains, its opening and end."""

import asyncio
from typing import Any

import pytest
from fake_campaign import ORIGIN, FakeCampaigns, check, explain
from outbox_cases import asking, gate_of, lose, now, results, said, send
from outbox_operations import POLICY, ROWS, Operation

from voiso_async.errors import OutboxError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import Slot
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt
from voiso_async.outbox.dispatcher import drain

__all__ = ["OF_TURNS"]

SOME = 4
"""Rows of a turn."""
SOON = 0.1
"""Seconds that a claim may take beyond its gate's opening."""


class Claim(Operation):
    """A turn at an open gate; one that nobody waits for leaves no trace."""

    opens_at = float("-inf")

    async def do(self) -> Slot:
        return await gate_of(self.outbox, POLICY).acquire(3, asking(SOME))

    async def again(self) -> None:
        assert not any(item.claimed for item in await self.outbox.backlog())
        due = max(now(), self.opens_at)
        turn = await asyncio.wait_for(self.do(), 60)
        assert due <= now() <= due + SOON
        assert (SOME, False) == (len(turn.rows), turn.is_retry)
        await turn.release(results(turn.rows, Outcome.NOT_SENT), None)


class ClaimBeforeTime(Claim):
    """The gate is still shut."""

    waits = True
    left = ROWS - SOME

    async def prepare(self) -> None:
        await super().prepare()
        await send(gate_of(self.outbox, POLICY), room=SOME)
        self.opens_at = now() + POLICY.cooldown - SOON


class ClaimInLine(Claim):
    """Another lane of this process has the turn."""

    waits = True
    left = ROWS - SOME

    async def prepare(self) -> None:
        await super().prepare()
        turn = await self.do()
        asyncio.get_running_loop().call_later(1, turn.attempt_ended)
        asyncio.get_running_loop().call_later(
            1, lambda: asyncio.ensure_future(turn.release(results(turn.rows), 0.0))
        )
        self.opens_at = now() + 1 + POLICY.cooldown
        self.quiet = 1.1


class ClaimOfTheSame(Operation):
    """A lane takes a turn for rows that it has: cut short it still has them."""

    waits = True
    left = ROWS - SOME

    async def prepare(self) -> None:
        await super().prepare()
        turn = await gate_of(self.outbox, POLICY).acquire(3, asking(SOME))
        self.rows = list(turn.rows)
        await lose(turn, self.rows)

    async def do(self) -> Slot:
        return await gate_of(self.outbox, POLICY).acquire(3, asking(0, again=self.rows))

    async def again(self) -> None:
        assert [SOME] == [item.claimed for item in await self.outbox.backlog()]
        turn = await asyncio.wait_for(self.do(), 60)
        assert {1} == {row.doubts for row in self.rows}
        await turn.release(results(self.rows, Outcome.CONFIRMED), 0.0)


class Closing(Operation):
    """The end of a turn is written down, whoever waits for it, and shuts the gate from the landing on."""

    left = ROWS - SOME

    async def prepare(self) -> None:
        await super().prepare()
        self.turn = await gate_of(self.outbox, POLICY).acquire(3, asking(SOME))
        self.turn.attempt_ended()
        self.ended_at = now()

    async def do(self) -> None:
        await self.turn.release(results(self.turn.rows), 0.0, Attempt(first=True, seconds=0.5))

    async def again(self) -> None:
        assert [("created", None)] * SOME == (await said(self.outbox, self.job_id))[:SOME]
        assert 1 == (await self.outbox.job(self.job_id)).report.attempts
        turn = await asyncio.wait_for(gate_of(self.outbox, POLICY).acquire(3, asking(1)), 60)
        assert POLICY.cooldown <= now() - self.ended_at <= POLICY.cooldown + 2 * SOON
        await turn.release(results(turn.rows, Outcome.NOT_SENT), None)


class Release(Operation):
    """What a lane let go is in line again, as the batch that it was."""

    async def prepare(self) -> None:
        await super().prepare()
        turn = await gate_of(self.outbox, POLICY).acquire(3, asking(SOME))
        self.rows = list(turn.rows)
        await lose(turn, self.rows)

    async def do(self) -> None:
        await self.outbox.release(self.rows)

    async def again(self) -> None:
        await self.do()
        assert [(ROWS, 0)] == [(item.rows, item.claimed) for item in await self.outbox.backlog()]
        turn = await asyncio.wait_for(gate_of(self.outbox, POLICY).acquire(3, asking()), 60)
        assert (True, SOME) == (turn.is_retry, len(turn.rows))
        await turn.release(results(turn.rows, Outcome.NOT_SENT), None)


class Draining(Operation):
    """A whole drain: its POST in flight goes on, the rest is given back, and the next drain sends it."""

    waits = True
    left = 0
    quiet = 5.0

    async def prepare(self) -> None:
        await super().prepare()
        self.server = FakeCampaigns()
        policy, clock = LanePolicy(max_rows=6), asyncio.get_running_loop().time
        gate = self.outbox.gate(ORIGIN, policy, clock)
        self.batcher = LeadBatcher(self.server.post, gate, explain, policy=policy, clock=clock)

    async def do(self) -> Any:
        try:
            return await drain(self.batcher, self.outbox)
        finally:
            self.posts = len(self.server.history)

    async def again(self) -> None:
        assert self.posts == len(self.server.history), "it goes on without its caller"
        assert not any(item.claimed for item in await self.outbox.backlog())
        sent = sum(len(post.leads) for post in self.server.history)
        assert ROWS - sent == (await self.do()).rows
        check(self.server, [])
        assert [("created", None)] * ROWS == await said(self.outbox, self.job_id)
        await self.batcher.aclose()


class Opening(Operation):
    """The first look into a file."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.outbox.aclose()
        self.outbox = self.opened()

    async def do(self) -> None:
        await self.outbox.open()


class Entering(Opening):
    """A block around an outbox: it is closed however the block was left."""

    async def do(self) -> None:
        async with self.outbox:
            await self.outbox.backlog()

    async def again(self) -> None:
        assert not self.outbox._thread.opened
        self.outbox = self.opened()
        await self.do()
        self.outbox = self.opened()


class Ending(Operation):
    """The closing of an outbox: a turn that is still open comes back doubted."""

    async def prepare(self) -> None:
        await super().prepare()
        self.turn = await gate_of(self.outbox, POLICY).acquire(3, asking(SOME))

    async def do(self) -> None:
        await self.outbox.aclose()

    async def again(self) -> None:
        await self.do()
        with pytest.raises(OutboxError, match="closed"):
            await self.turn.release([], 0.0)
        self.outbox = self.opened()
        turn = await asyncio.wait_for(gate_of(self.outbox, POLICY).acquire(3, asking()), 60)
        assert (True, SOME) == (turn.is_retry, len(turn.rows))
        await turn.release(results(turn.rows, Outcome.NOT_SENT), None)


OF_TURNS: list[type[Operation]] = [
    Claim,
    ClaimBeforeTime,
    ClaimInLine,
    ClaimOfTheSame,
    Closing,
    Release,
    Draining,
    Opening,
    Entering,
    Ending,
]
