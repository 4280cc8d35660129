"""Many campaigns in one process, each at full pace: the setup of several benchmarks."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import aiohttp
from attrs import frozen

from benchmarks.backend import KEY, Backend, backend
from benchmarks.leads import leads
from benchmarks.meter import Lag, lag_of, spending
from benchmarks.peers.hand_written import HandWritten
from benchmarks.peers.typed import Typed, new_client
from voiso_async import LanePolicy, VoisoClient

BATCH = 1000

Add = Callable[[int], Awaitable[object]]
Fleet = Callable[["Scene", Backend, Callable[[Add], Awaitable[None]]], Awaitable[None]]


@frozen(kw_only=True)
class Scene:
    """A number of campaigns with a number of full batches each; their starts are spread over one cycle."""

    campaigns: int
    batches: int
    server_time: float
    cooldown: float

    @property
    def cycle(self) -> float:
        """Seconds that one batch takes at the physical limit."""
        return self.server_time + self.cooldown

    @property
    def ceiling(self) -> float:
        """Leads per second that all campaigns together can accept."""
        return self.campaigns * BATCH / self.cycle


@frozen(kw_only=True)
class FleetRun:
    """The result: each campaign's share of its ceiling, processor seconds per second, and the loop's lag."""

    shares: list[float]
    processor: float
    lag: Lag
    too_early: int


async def ours(scene: Scene, server: Backend, start: Callable[[Add], Awaitable[None]]) -> None:
    """All campaigns with one client of this package."""
    async with VoisoClient(KEY, base_url=server.url, lane=LanePolicy(cooldown=scene.cooldown)) as voiso:

        async def add(campaign: int) -> None:
            (await voiso.leads.add(campaign, leads(scene.batches * BATCH))).raise_unless_ok()

        await start(add)


async def hand_written(scene: Scene, server: Backend, start: Callable[[Add], Awaitable[None]]) -> None:
    """All campaigns with one session, and a lock and a sleep for each."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        loop = HandWritten(session, server.api, KEY, scene.cooldown)
        await start(lambda campaign: loop.add(campaign, leads(scene.batches * BATCH)))


async def typed(scene: Scene, server: Backend, start: Callable[[Add], Awaitable[None]]) -> None:
    """All campaigns with httpx and pydantic."""
    async with new_client(server.api, KEY) as client:
        peer = Typed(client, scene.cooldown)
        await start(lambda campaign: peer.add(campaign, leads(scene.batches * BATCH)))


PEERS: dict[str, Fleet] = {"lock and sleep": hand_written, "httpx + pydantic": typed}


def run_fleet(scene: Scene, fleet: Fleet) -> FleetRun:
    """Send everything, and measure."""
    lag = Lag()

    async def all_of_it(server: Backend) -> None:
        async def start(add: Add) -> None:
            async def later(campaign: int) -> None:
                await asyncio.sleep(scene.cycle * (campaign - 1) / scene.campaigns)
                await add(campaign)

            async with lag_of(lag, after=scene.cycle):
                await asyncio.gather(*(later(campaign) for campaign in range(1, scene.campaigns + 1)))

        await fleet(scene, server, start)

    with backend(server_time=scene.server_time, cooldown=scene.cooldown) as server:
        with spending() as spent:
            asyncio.run(all_of_it(server))
        log = server.log()
    cycles: dict[int, list[float]] = defaultdict(list)
    began: dict[int, float] = {}
    for campaign, start, _, _ in log.calls:
        if campaign in began:
            cycles[campaign].append(start - began[campaign])
        began[campaign] = start
    return FleetRun(
        shares=[scene.cycle * len(times) / sum(times) for times in cycles.values()],
        processor=spent.processor / spent.wall,
        lag=lag,
        too_early=log.too_early,
    )
