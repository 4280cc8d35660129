"""What the sandbox records of each request."""

import asyncio
import json
from urllib.parse import urlsplit

import aiohttp
import attrs
import pytest
from sandbox_caller import PHONES, SHORT, eventually, serving

from voiso_async.sandbox import Sandbox


async def test_every_request_is_in_the_history_in_the_order_they_arrived() -> None:
    async with serving() as (sandbox, client):
        await client("GET", "/users?name=a&limit=5", headers={"X-Note": "seen"})
        await client.add(PHONES[:2])
        await client("GET", "/nowhere", key="another")
        first, second, third = sandbox.history
        assert [1, 2, 3] == [exchange.number for exchange in sandbox.history]
        assert ("GET", "/users", {"name": "a", "limit": "5"}) == (first.method, first.path, first.query)
        assert "seen" == first.headers["x-note"]
        assert "authorization" not in first.headers
        assert ("POST", "/campaigns/3/leads", 200) == (second.method, second.path, second.status)
        assert tuple(PHONES[:2]) == second.applied
        assert [{"phone_number": phone} for phone in PHONES[:2]] == json.loads(second.body)
        assert (True, False) == (second.key_right, third.key_right)
        for exchange in sandbox.history:
            assert exchange.ended is not None
            assert exchange.began <= exchange.ended


async def test_the_end_is_recorded_before_the_client_can_have_the_reply() -> None:
    async with serving() as (sandbox, client):
        for _ in range(20):
            await client.add(PHONES[:1])
            assert sandbox.history[-1].ended is not None
            assert sandbox.history[-1].ended <= asyncio.get_running_loop().time()


async def test_a_request_is_in_the_history_from_its_start() -> None:
    async with serving(latency=4 * SHORT) as (sandbox, client):
        asking = asyncio.create_task(client("GET", "/users"))
        await eventually(lambda: sandbox.history)
        assert [(None, None)] == [(exchange.ended, exchange.status) for exchange in sandbox.history]
        await asking
        assert 200 == sandbox.history[0].status


async def test_connections_are_numbered() -> None:
    async with serving() as (sandbox, client):
        await client("GET", "/users")
        await client("GET", "/users")
        await client("GET", "/users", headers={"Connection": "close"})
        async with aiohttp.ClientSession() as other:
            await (await other.get(f"{sandbox.url}/api/v4/users")).read()
        assert [1, 1, 1, 2] == [exchange.connection for exchange in sandbox.history]


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [("?key=sandbox-key", {}, b""), ("", {"X-Key": "sandbox-key"}, b""), ("", {}, b'["sandbox-key"]')],
)
async def test_a_key_anywhere_but_in_authorization_is_noted(
    query: str, headers: dict[str, str], body: bytes
) -> None:
    async with serving() as (sandbox, client):
        await client.add(PHONES[:1])
        await client("POST", f"/campaigns/3/leads{query}", headers=headers, data=body)
        assert [False, True] == [exchange.key_elsewhere for exchange in sandbox.history]


async def test_neither_key_nor_numbers_stand_in_the_text_of_a_record() -> None:
    async with serving() as (sandbox, client):
        await client.post_leads([{"phone_number": PHONES[0], "name": "Ada Moss"}])
        await client("GET", "/users?name=Ada")
        texts = repr(sandbox.history) + repr(sandbox.campaigns) + repr(sandbox.users)
        for secret in ("sandbox-key", PHONES[0], "Ada"):
            assert secret not in texts


async def test_records_are_frozen() -> None:
    async with serving() as (sandbox, client):
        await client("GET", "/users")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            sandbox.history[0].status = 500  # type: ignore[misc]  # the attempt is the case


async def test_a_client_that_leaves_in_the_middle_of_its_body_applied_nothing() -> None:
    async with serving() as (sandbox, client):
        parts = urlsplit(sandbox.url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = "POST /api/v4/campaigns/3/leads HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 900\r\n"
        writer.write(f"{head}Authorization: Bearer {sandbox.key}\r\n\r\n[".encode())
        await eventually(lambda: sandbox.history)
        assert 409 == (await client.add(PHONES[:1])).status
        writer.close()
        await eventually(lambda: sandbox.history[0].ended)
        assert (None, ()) == (sandbox.history[0].status, sandbox.history[0].applied)
        assert 200 == (await client.add(PHONES[:1])).status


async def test_the_history_can_be_bounded_and_cleared() -> None:
    async with Sandbox(history_limit=3) as sandbox, aiohttp.ClientSession() as session:
        for _ in range(5):
            await (await session.get(sandbox.url)).read()
        assert [3, 4, 5] == [exchange.number for exchange in sandbox.history]
        sandbox.history.clear()
        await (await session.get(sandbox.url)).read()
        assert [6] == [exchange.number for exchange in sandbox.history]
