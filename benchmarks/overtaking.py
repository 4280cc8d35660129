"""Single leads beside an import of a hundred thousand: they must not wait behind it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from benchmarks.backend import KEY, Backend, backend
from benchmarks.leads import leads
from benchmarks.meter import percentile
from benchmarks.peers.hand_written import HandWritten
from benchmarks.result import Line, Result, Target
from voiso_async import LanePolicy, VoisoClient

IMPORT = 100_000
FIRST_SINGLE = 10_000_000
EVERY = 0.25

Add = Callable[[Any], Awaitable[object]]


def run(*, quick: bool) -> Result:
    """Add single leads at random times during the import. All times are scaled down to a fifth."""
    server_time, cooldown = (0.02, 0.08) if quick else (0.1, 0.4)
    seconds = 1.5 if quick else 45.0
    cycle = server_time + cooldown
    found: dict[str, list[float]] = {}
    for name, scene in (("ours", _ours), ("lock and sleep", _peer)):
        with backend(server_time=server_time, cooldown=cooldown) as server:
            found[name] = [wait / cycle for wait in asyncio.run(scene(server, cooldown, seconds))]
    lines = []
    for share, what in ((0.5, "median"), (0.99, "p99")):
        figures = {name: percentile(waits, share) for name, waits in found.items()}
        targets = (Target("<=", 2),) if share == 0.99 else ()
        ours = figures.pop("ours")
        lines.append(Line(what=f"a single lead, {what}", unit="cycles", ours=ours, peers=figures, targets=targets))
    return Result(
        name="overtaking",
        title=f"latency of single leads during an import of {IMPORT} leads, cycle {cycle:g} s",
        lines=tuple(lines),
        notes=(f"{len(found['ours'])} single leads; a lead still waiting at the end counts with its wait so far",),
    )


async def _ours(server: Backend, cooldown: float, seconds: float) -> list[float]:
    async with VoisoClient(KEY, base_url=server.url, lane=LanePolicy(cooldown=cooldown)) as voiso:
        waits = await _scene(lambda given: voiso.leads.add(1, given), seconds)
        await voiso.aclose(grace=0)
        return waits


async def _peer(server: Backend, cooldown: float, seconds: float) -> list[float]:
    async with aiohttp.ClientSession() as session:
        peer = HandWritten(session, server.api, KEY, cooldown)
        return await _scene(lambda given: peer.add(1, given), seconds)


async def _scene(add: Add, seconds: float) -> list[float]:
    chance = random.Random(7)
    began: list[float] = []
    waits: dict[int, float] = {}

    async def single(number: int) -> None:
        began.append(time.perf_counter())
        await add(list(leads(1, FIRST_SINGLE + number)))
        waits[number] = time.perf_counter() - began[number]

    async def whole() -> None:
        await add(leads(IMPORT))

    tasks = [asyncio.create_task(whole())]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        await asyncio.sleep(chance.expovariate(1 / EVERY))
        tasks.append(asyncio.create_task(single(len(tasks) - 1)))
        await asyncio.sleep(0)
    await asyncio.sleep(min(seconds, 2.0))
    now = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return [waits.get(number, now - start) for number, start in enumerate(began)]
