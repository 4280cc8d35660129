"""One campaign at full pace: its share of the physical ceiling, and the cost of each cycle beyond it."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from benchmarks.backend import KEY, Backend, Log, backend
from benchmarks.leads import leads
from benchmarks.meter import percentile
from benchmarks.peers.hand_written import HandWritten
from benchmarks.peers.typed import Typed, new_client
from benchmarks.result import Line, Picture, Result, Series, Target
from voiso_async import LanePolicy, VoisoClient

BATCH = 1000
OURS = "ours"
TARGET_SHARE = Target(">=", 0.995, "limit")

Add = Callable[[Backend, float, int], Awaitable[object]]


def run(*, quick: bool) -> Result:
    """Send full batches one after the other with each client, each to its own campaign and server."""
    server_time, cooldown, count = (0.05, 0.2, 3) if quick else (0.5, 2.0, 20)
    logs: dict[str, Log] = {}
    for name, add in ((OURS, _ours), ("lock and sleep", _hand_written), ("httpx + pydantic", _typed)):
        with backend(server_time=server_time, cooldown=cooldown) as server:
            asyncio.run(_sent(add(server, cooldown, count * BATCH)))
            logs[name] = server.log()
    cycles = {name: log.cycles(1) for name, log in logs.items()}
    speed = {name: BATCH * len(times) / sum(times) for name, times in cycles.items()}
    over = {name: [1000 * (time - server_time - cooldown) for time in times] for name, times in cycles.items()}
    return Result(
        name="lane",
        title=f"one campaign, server time {server_time:g} s, cooldown {cooldown:g} s, {count} full batches",
        lines=(
            _line("throughput", "leads/s", speed, (TARGET_SHARE,), limit=BATCH / (server_time + cooldown)),
            _line(
                "overhead of a cycle, median",
                "ms",
                {name: percentile(times, 0.5) for name, times in over.items()},
                (Target("<=", 8),),
            ),
            _line(
                "overhead of a cycle, p99",
                "ms",
                {name: percentile(times, 0.99) for name, times in over.items()},
                (Target("<=", 20),),
            ),
            _line("refused as too early", "", {name: float(log.too_early) for name, log in logs.items()}, ()),
        ),
        picture=Picture(
            kind="histogram",
            title=f"From the end of a POST to the next one (at least {cooldown:g} s)",
            x_label="milliseconds beyond the cooldown",
            y_label="POSTs",
            series=tuple(
                Series(name, tuple(1000 * (gap - cooldown) for gap in log.gaps())) for name, log in logs.items()
            ),
        ),
    )


def _line(
    what: str, unit: str, figures: dict[str, float], targets: tuple[Target, ...], limit: float | None = None
) -> Line:
    peers = {name: figure for name, figure in figures.items() if name != OURS}
    return Line(what=what, unit=unit, ours=figures[OURS], peers=peers, limit=limit, targets=targets)


async def _sent(adding: Awaitable[object]) -> None:
    await adding


async def _ours(server: Backend, cooldown: float, count: int) -> object:
    async with VoisoClient(KEY, base_url=server.url, lane=LanePolicy(cooldown=cooldown)) as voiso:
        report = await voiso.leads.add(1, leads(count))
        report.raise_unless_ok()
        return report


async def _hand_written(server: Backend, cooldown: float, count: int) -> object:
    async with aiohttp.ClientSession() as session:
        return await HandWritten(session, server.api, KEY, cooldown).add(1, leads(count))


async def _typed(server: Backend, cooldown: float, count: int) -> object:
    async with new_client(server.api, KEY) as client:
        return await Typed(client, cooldown).add(1, leads(count))
