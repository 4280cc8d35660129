"""A plain HTTP client for the tests of the sandbox; it shares no code with ``VoisoClient``."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from attrs import frozen

from voiso_async.sandbox import Rules, Sandbox

SHORT = 0.05
PHONES = [f"44770090{number:04d}" for number in range(1000)]  # numbers reserved for fiction


@frozen
class Received:
    """A complete reply, its body decoded."""

    status: int
    payload: Any
    headers: dict[str, str]


class PlainClient:
    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    async def __call__(
        self, method: str, path: str, *, key: str | None = "sandbox-key", headers: Any = (), **rest: Any
    ) -> Received:
        sent = dict(headers)
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        url = f"{self.sandbox.url}/api/v4{path}"
        async with self.session.request(method, url, headers=sent, allow_redirects=False, **rest) as reply:
            body = await reply.read()
            payload = await reply.json(content_type=None) if body else None
            return Received(reply.status, payload, dict(reply.headers))

    async def add(self, phones: Sequence[str], campaign: int = 3, **rest: Any) -> Received:
        return await self.post_leads([{"phone_number": phone} for phone in phones], campaign, **rest)

    async def post_leads(self, leads: Any, campaign: int = 3, **rest: Any) -> Received:
        return await self("POST", f"/campaigns/{campaign}/leads", data=json.dumps(leads), **rest)


@asynccontextmanager
async def serving(
    *, clock: Callable[[], float] = time.monotonic, **rules: Any
) -> AsyncIterator[tuple[Sandbox, PlainClient]]:
    """Serve campaign 3 (live, active, no leads) with users 1 to 5, and users 6 to 12 outside of it."""
    in_force = Rules(**{"cooldown": 0.0} | rules)
    async with Sandbox(rules=in_force, clock=clock) as sandbox, aiohttp.ClientSession() as session:
        for number in range(1, 13):
            sandbox.add_user(id=number)
        sandbox.add_campaign(id=3, name="Summer", user_ids=range(1, 6))
        yield sandbox, PlainClient(sandbox, session)


async def raw_get(sandbox: Sandbox, path: str = "/users") -> bytes:
    """Send a GET without an HTTP library; return every byte of the reply."""
    parts = urlsplit(sandbox.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"GET /api/v4{path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {sandbox.key}\r\n\r\n"
    writer.write(head.encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until ``holds()`` is true; the sandbox learns of some events later than its client."""
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.005)
