"""The server of the benchmarks, a process of its own that keeps Voiso's pace and does little else.

Like the sandbox it allows one lead call in two seconds for a campaign, but it checks no lead: a server that is
short of processor time would distort the figures.
``python -m benchmarks.server`` prints its URL and serves until its standard input ends.
"""

import argparse
import asyncio
import sys
import time
from collections import defaultdict

import msgspec
from aiohttp import web

from benchmarks.leads import grown, user

BUSY = b'{"errors":{"campaign":["the previous request is still being processed"]}}'
JSON = {"Content-Type": "application/json"}


class Numbered(msgspec.Struct):
    """The only field of a lead that this server reads."""

    phone_number: str


class Lists(msgspec.Struct):
    """The three lists of an answer."""

    created: list[str]
    rejected: list[str] = []
    duplicates: list[str] = []


class Server:
    """Accepts leads at Voiso's pace, serves users page by page, and records the times."""

    def __init__(
        self, *, cooldown: float, server_time: float, latency: float, users: int, new_fields: bool
    ) -> None:
        self._cooldown, self._server_time, self._latency = cooldown, server_time, latency
        self._total = users
        self._users = [user(number) for number in range(1, users + 1)]
        if new_fields:
            self._users = [grown(known) for known in self._users]
        self._pages: dict[tuple[int, int], bytes] = {}
        self._calls: list[tuple[int, float, float, int]] = []
        self._ended: dict[int, float] = defaultdict(lambda: -1e9)
        self._flying: set[int] = set()
        self._too_early = 0
        self._decoder = msgspec.json.Decoder(list[Numbered])

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        began = time.monotonic()
        if request.method == "POST":
            return await self._leads(request, int(request.path.split("/")[-2]), began)
        if request.path == "/log":
            log = {"calls": self._calls, "too_early": self._too_early}
            return web.Response(body=msgspec.json.encode(log), headers=JSON)
        limit, offset = (int(request.query.get(name, "0")) for name in ("limit", "offset"))
        return await self._page(limit, offset, began)

    async def _leads(self, request: web.BaseRequest, campaign: int, began: float) -> web.StreamResponse:
        early = campaign in self._flying or began - self._ended[campaign] < self._cooldown
        if early:
            self._too_early += 1
            await request.read()
            return web.Response(status=409, body=BUSY, headers=JSON)
        self._flying.add(campaign)
        try:
            numbers = [lead.phone_number for lead in self._decoder.decode(await request.read())]
            body = msgspec.json.encode({"leads_import": Lists(numbers)})
            await _until(began + self._server_time)
        finally:
            self._flying.discard(campaign)
            self._ended[campaign] = time.monotonic()
        self._calls.append((campaign, began, self._ended[campaign], len(numbers)))
        return web.Response(body=body, headers=JSON)

    async def _page(self, limit: int, offset: int, began: float) -> web.StreamResponse:
        body = self._pages.get((limit, offset))
        if body is None:
            page = {"users": self._users[offset : offset + limit], "metadata": {"total": self._total}}
            body = self._pages[limit, offset] = msgspec.json.encode(page)
        await _until(began + self._latency)
        return web.Response(body=body, headers=JSON)


async def _until(moment: float) -> None:
    if (left := moment - time.monotonic()) > 0:
        await asyncio.sleep(left)


async def _serve(server: Server) -> None:
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    for name in ("cooldown", "server-time", "latency"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--new-fields", action="store_true", help="users with fields that no client knows")
    asyncio.run(_serve(Server(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
