"""A plain HTTP caller for the sandbox's own tests: it knows nothing of the client."""

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
class Said:
    """A complete answer."""

    status: int
    payload: Any
    headers: dict[str, str]


class Caller:
    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    async def __call__(
        self, method: str, path: str, *, key: str | None = "sandbox-key", headers: Any = (), **rest: Any
    ) -> Said:
        sent = dict(headers)
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        url = f"{self.sandbox.url}/api/v4{path}"
        async with self.session.request(method, url, headers=sent, allow_redirects=False, **rest) as answer:
            body = await answer.read()
            payload = await answer.json(content_type=None) if body else None
            return Said(answer.status, payload, dict(answer.headers))

    async def add(self, phones: Sequence[str], campaign: int = 3, **rest: Any) -> Said:
        return await self.post_leads([{"phone_number": phone} for phone in phones], campaign, **rest)

    async def post_leads(self, leads: Any, campaign: int = 3, **rest: Any) -> Said:
        return await self("POST", f"/campaigns/{campaign}/leads", data=json.dumps(leads), **rest)


@asynccontextmanager
async def visiting(
    *, clock: Callable[[], float] = time.monotonic, **rules: Any
) -> AsyncIterator[tuple[Sandbox, Caller]]:
    """Serve campaign 3 (live, active, no leads) with users 1 to 5, and users 6 to 12 beside it."""
    obeyed = Rules(**{"cooldown": 0.0} | rules)
    async with Sandbox(rules=obeyed, clock=clock) as sandbox, aiohttp.ClientSession() as session:
        for number in range(1, 13):
            sandbox.add_user(id=number)
        sandbox.add_campaign(id=3, name="Summer", user_ids=range(1, 6))
        yield sandbox, Caller(sandbox, session)


async def raw_get(sandbox: Sandbox, path: str = "/users") -> bytes:
    """Ask without an HTTP library; give every byte that came back."""
    parts = urlsplit(sandbox.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"GET /api/v4{path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {sandbox.key}\r\n\r\n"
    writer.write(head.encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until the sandbox has come to know what its client knows already."""
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - the condition is the business of another party
            await asyncio.sleep(0.005)
