"""Random schedules over a real outbox and the sandbox: drains, pushes and adds at once, cancelled and closed."""

import asyncio
import math
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from client_calls import LANE
from durable_cases import client, everything, sandbox_of

from voiso_async import Outcome, VoisoClient
from voiso_async.errors import VoisoError
from voiso_async.outbox import SqliteOutbox
from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    Busy,
    Delay,
    Garbage,
    Html,
    Refuse,
    Sandbox,
    Status,
    Truncate,
)

SEEDS = range(int(os.environ.get("DURABLE_SCHEDULES", "4")))
POLICY = evolve(LANE, max_rows=40, doubt_backoff=0.15, doubt_backoff_longest=0.15, doubt_attempts=50, unsent_for=1)
FAULTS: list[Callable[[], Any]] = [
    ApplyThenClose,
    ApplyThenReset,
    Busy,
    Refuse,
    lambda: ApplyThenClose(first=7),
    lambda: Delay(0.05),
    lambda: Garbage(apply=True),
    lambda: Html(apply=True),
    lambda: Status(401),
    lambda: Status(413),
    lambda: Status(500, apply=True),
    lambda: Status(503),
    lambda: Truncate(keep_bytes=9),
]


class Schedule:
    """One process life after the other, each with its clients; phones are distinct within and across jobs."""

    def __init__(self, seed: int, sandbox: Sandbox) -> None:
        self.chance = random.Random(seed)
        self.sandbox = sandbox
        self.phones = 0

    async def life(self, path: Path) -> None:
        """Do much at once; then close the clients without grace, and see that nothing is lent."""
        chance = self.chance
        async with SqliteOutbox(path) as outbox, SqliteOutbox(path) as other:
            clients = [client(self.sandbox, chance.choice([outbox, other]), POLICY) for _ in range(3)]
            for _ in range(chance.randint(0, 6)):
                self.sandbox.faults.add(chance.choice(FAULTS)(), method="POST")
            tasks = []
            for _ in range(chance.randint(8, 20)):
                tasks.append(asyncio.create_task(self.cut(self.one(outbox, chance.choice(clients)))))
                await asyncio.sleep(chance.uniform(0, 0.05))
            for voiso in clients:
                await asyncio.wait_for(voiso.aclose(chance.choice([0, 0, 0.1])), 60)
            _, hanging = await asyncio.wait(tasks, timeout=60)
            assert not hanging
            await asyncio.gather(*tasks)
            async with asyncio.timeout(60):
                while any(item.claimed for item in await outbox.backlog()):
                    await outbox.changed(0.05)

    async def one(self, outbox: SqliteOutbox, voiso: VoisoClient) -> None:
        """Do one thing that a user might."""
        campaign = self.chance.choice([3, 4])
        leads = self.leads()
        operations: list[Callable[[], Awaitable[Any]]] = [
            lambda: outbox.put(campaign, leads),
            lambda: outbox.put(str(campaign), leads),
            voiso.leads.drain,
            voiso.leads.drain,
            lambda: voiso.leads.push(campaign, leads),
            lambda: _added(voiso, campaign, leads),
            voiso.leads.run,
        ]
        await self.chance.choice(operations)()

    async def cut(self, operation: Awaitable[Any]) -> None:
        """Let it end by itself, or cancel it in one of two ways."""
        way, moment = self.chance.choice(["not", "native", "anyio"]), self.chance.uniform(0, 0.5)
        try:
            if way == "native":
                task = asyncio.ensure_future(operation)
                await asyncio.wait({task}, timeout=moment)
                task.cancel()
                await asyncio.wait({task}, timeout=60)
                assert task.done(), "it hangs"
                if not task.cancelled():
                    task.result()
            else:
                with anyio.move_on_after(moment if way == "anyio" else math.inf):
                    await operation
        except VoisoError:
            return

    def leads(self) -> list[str]:
        start, self.phones = self.phones, self.phones + self.chance.choice([1, 3, 30, 100])
        return [f"1201555{number:05d}" for number in range(start, self.phones)]


async def _added(voiso: VoisoClient, campaign: int, leads: list[str]) -> None:
    await voiso.leads.add(campaign, leads)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
async def test_any_schedule_ends_with_one_true_outcome_for_each_row(tmp_path: Path, seed: int) -> None:
    async with sandbox_of(server_time=0.01) as sandbox:
        schedule = Schedule(seed, sandbox)
        for _ in range(2):
            await schedule.life(tmp_path / "leads.db")
        sandbox.faults.clear()
        async with SqliteOutbox(tmp_path / "leads.db") as outbox:
            async with client(sandbox, outbox, POLICY) as voiso:
                await asyncio.wait_for(voiso.leads.drain(), 60)
            words = await everything(outbox)
        told = {phone for exchange in sandbox.history if exchange.status == 200 for phone in exchange.applied}
        for word in words:
            if word.reason == "too_large":  # after a lost answer that proves nothing
                assert word.outcome in {Outcome.REJECTED, Outcome.UNKNOWN}
                continue
            assert word.outcome in {Outcome.CREATED, Outcome.CONFIRMED}
            assert word.outcome is Outcome.CONFIRMED or word.phone in told
            assert word.phone in sandbox.campaigns[word.campaign or 0].leads
        assert 0 == sandbox.too_early
