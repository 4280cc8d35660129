"""Processor time for a page of a hundred full user records, over loopback HTTP."""

import asyncio

import aiohttp

from benchmarks.backend import KEY, Backend, backend
from benchmarks.meter import cheapest
from benchmarks.peers.floor import page_of_users
from benchmarks.peers.generated import generated_users
from benchmarks.peers.typed import Typed, new_client
from benchmarks.result import Line, Result, Target
from voiso_async import VoisoClient

PAGE = 100
TYPED, GENERATED, FLOOR = "httpx + pydantic", "openapi-python-client", "aiohttp + msgspec"


def run(*, quick: bool) -> Result:
    """Read the same pages with every client; the cheapest round counts."""
    usual = (Target("<=", 0.5, TYPED), Target("<=", 1.8, FLOOR))
    return Result(
        name="pages",
        title=f"processor time for a page of {PAGE} full user records, each dropped once it is counted",
        lines=(
            _line("one page", usual, new_fields=False, quick=quick),
            _line(
                "one page, new fields in every record", (Target("<=", 1.0, TYPED),), new_fields=True, quick=quick
            ),
        ),
        notes=("httpx + pydantic and aiohttp + msgspec drop new fields",),
    )


def _line(what: str, targets: tuple[Target, ...], *, new_fields: bool, quick: bool) -> Line:
    pages, rounds = (5, 2) if quick else (10, 40)
    with backend(users=pages * PAGE, new_fields=new_fields) as server:
        spent = asyncio.run(_run(server, pages, rounds))
    ours = spent.pop("ours")
    return Line(what=what, unit="ms", ours=ours, peers=spent, targets=targets)


async def _run(server: Backend, pages: int, rounds: int) -> dict[str, float]:
    async with (
        VoisoClient(KEY, base_url=server.url) as voiso,
        new_client(server.api, KEY) as client,
        generated_users(server.api, KEY) as generated,
        aiohttp.ClientSession() as session,
    ):
        typed = Typed(client, 0)

        async def ours() -> int:
            found = 0
            async for _ in voiso.users.list(page_size=PAGE):
                found += 1
            return found

        async def by_typed() -> int:
            return sum([len(await typed.users(PAGE, page * PAGE)) for page in range(pages)])

        async def by_generated() -> int:
            return sum([len(await generated(PAGE, page * PAGE)) for page in range(pages)])

        async def raw() -> int:
            return sum([len(await page_of_users(session, server.api, PAGE, page * PAGE)) for page in range(pages)])

        contenders = {"ours": ours, TYPED: by_typed, GENERATED: by_generated, FLOOR: raw}
        for name, work in contenders.items():
            if (found := await work()) != pages * PAGE:
                raise RuntimeError(f"{name} read {found} users")
        best = await cheapest(contenders, rounds)
    return {name: 1000 * seconds / pages for name, seconds in best.items()}
