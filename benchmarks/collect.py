"""Reads a listing of a hundred pages from a slow server: one page at a time, and eight at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import aiohttp

from benchmarks.backend import KEY, Backend, backend
from benchmarks.peers.floor import page_of_users
from benchmarks.peers.typed import Typed, new_client
from benchmarks.result import Line, Result, Target
from voiso_async import VoisoClient

PAGE = 100
CONCURRENCY = 8
SEQUENTIAL = "ours, one by one"


def run(*, quick: bool) -> Result:
    """Read everything, in order, with each client; the fastest round counts."""
    pages, latency, rounds = (16, 0.02, 1) if quick else (100, 0.05, 3)
    with backend(users=pages * PAGE, latency=latency) as server:
        found = [asyncio.run(_run(server, pages)) for _ in range(rounds)]
    seconds = {name: min(one[name] for one in found) for name in found[0]}
    ours = seconds.pop("ours")
    return Result(
        name="collect",
        title=f"{pages} pages at {1000 * latency:g} ms latency, concurrency {CONCURRENCY}",
        lines=(
            Line(
                what="all users, in order",
                unit="s",
                ours=ours,
                peers=seconds,
                limit=latency * (1 + -(-(pages - 1) // CONCURRENCY)),
                targets=(Target("<=", 1 / 6, SEQUENTIAL),),
            ),
        ),
    )


async def _run(server: Backend, pages: int) -> dict[str, float]:
    async with VoisoClient(KEY, base_url=server.url) as voiso:
        await voiso.users.list(page_size=1)  # the connection is open already, as in a service that runs for long
        seconds = {
            SEQUENTIAL: await _timed(voiso.users.list(page_size=PAGE).collect, pages),
            "ours": await _timed(lambda: voiso.users.list(page_size=PAGE).collect(concurrency=CONCURRENCY), pages),
        }
    async with new_client(server.api, KEY) as client:
        typed = Typed(client, 0)
        seconds["httpx + pydantic"] = await _timed(lambda: _side_by_side(typed.users, pages), pages)
    async with aiohttp.ClientSession() as session:
        read = partial(page_of_users, session, server.api)
        seconds["aiohttp + msgspec"] = await _timed(lambda: _side_by_side(read, pages), pages)
    return seconds


async def _timed(collect: Callable[[], Awaitable[Sequence[object]]], pages: int) -> float:
    began = time.perf_counter()
    found = await collect()
    seconds = time.perf_counter() - began
    if len(found) != pages * PAGE:
        raise RuntimeError(f"{len(found)} users were read")
    return seconds


async def _side_by_side(read: Callable[[int, int], Awaitable[Sequence[object]]], pages: int) -> list[object]:
    """Read eight pages at a time, as a user would who knows the number of pages."""
    room = asyncio.Semaphore(CONCURRENCY)

    async def page(offset: int) -> Sequence[object]:
        async with room:
            return await read(PAGE, offset)

    found = await asyncio.gather(*(page(number * PAGE) for number in range(pages)))
    return [one for users in found for one in users]
