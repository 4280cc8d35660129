"""A thousand concurrent web requests with one lead each, all for one campaign."""

import asyncio
import time

import aiohttp

from benchmarks.backend import KEY, Backend, backend
from benchmarks.leads import leads
from benchmarks.peers.hand_written import HandWritten
from benchmarks.result import Line, Result, Target
from voiso_async import LanePolicy, VoisoClient

CALLS = 1000


def run(*, quick: bool) -> Result:
    """Make all calls at once. The peer's cycles are all alike, so a few of them show how long all would take."""
    server_time, cooldown = (0.05, 0.2) if quick else (0.5, 2.0)
    sample = 3 if quick else 8
    with backend(server_time=server_time, cooldown=cooldown) as server:
        seconds = asyncio.run(_ours(server, cooldown))
        posts = len(server.log().calls)
    with backend(server_time=server_time, cooldown=cooldown) as server:
        asyncio.run(_peer(server, cooldown, sample))
        cycles = server.log().cycles(1)
    whole = (CALLS - 1) * sum(cycles) / len(cycles) + server_time
    return Result(
        name="coalesce",
        title=f"{CALLS} concurrent single-lead calls on one campaign",
        lines=(
            Line(
                what="POSTs",
                unit="",
                ours=float(posts),
                peers={"lock and sleep": float(CALLS)},
                targets=(Target("<=", 2),),
            ),
            Line(
                what="until the last lead is in the campaign",
                unit="s",
                ours=seconds,
                peers={"lock and sleep": whole},
                limit=server_time,
                targets=(Target("<=", 1 / 300, "lock and sleep"),),
            ),
        ),
        notes=(f"lock and sleep: from the mean of its first {sample} cycles",),
    )


async def _ours(server: Backend, cooldown: float) -> float:
    async with VoisoClient(KEY, base_url=server.url, lane=LanePolicy(cooldown=cooldown)) as voiso:
        began = time.perf_counter()
        reports = await asyncio.gather(*(voiso.leads.add(1, [lead]) for lead in leads(CALLS)))
        seconds = time.perf_counter() - began
    for report in reports:
        report.raise_unless_ok()
    return seconds


async def _peer(server: Backend, cooldown: float, calls: int) -> None:
    async with aiohttp.ClientSession() as session:
        peer = HandWritten(session, server.api, KEY, cooldown)
        await asyncio.gather(*(peer.add(1, [lead]) for lead in leads(calls)))
