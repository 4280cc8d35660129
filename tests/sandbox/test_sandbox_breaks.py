"""Faults of the connection, as a plain HTTP client or a bare socket sees them."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from sandbox_caller import PHONES, SHORT, PlainClient, eventually, raw_get, serving

from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    CloseAfterHeaders,
    Drip,
    Fault,
    Garbage,
    RawBytes,
    Refuse,
    Stall,
    Truncate,
)

LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


async def failing(client: PlainClient, *errors: type[Exception], phones: int = 3) -> None:
    with pytest.raises(errors or LOST):
        await client.add(PHONES[:phones])


@pytest.mark.parametrize("fault", [Refuse(), CloseAfterHeaders()])
async def test_a_connection_that_ends_before_the_body_is_read_applies_nothing(fault: Fault) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(fault)
        await failing(client)
        exchange = sandbox.history[0]
        assert (None, (), b"") == (exchange.status, exchange.applied, exchange.body)
        assert {} == sandbox.campaigns[3].leads
        assert 200 == (await client.add(PHONES[:1])).status


@pytest.mark.parametrize("kind", [ApplyThenClose, ApplyThenReset])
@pytest.mark.parametrize(("first", "applied"), [(None, 3), (2, 2), (0, 0)])
async def test_leads_are_applied_and_no_reply_comes(kind: Any, first: int | None, applied: int) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(kind(first))
        await failing(client)
        exchange = sandbox.history[0]
        assert (None, tuple(PHONES[:applied])) == (exchange.status, exchange.applied)
        assert PHONES[:applied] == list(sandbox.campaigns[3].leads)
        lists = (await client.add(PHONES[:3])).payload["leads_import"]
        assert PHONES[:applied] == lists["duplicates"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Refuse(), ConnectionResetError), (ApplyThenReset(), ConnectionResetError), (ApplyThenClose(), None)],
)
async def test_a_reset_is_a_reset_on_the_wire_and_a_close_is_a_close(fault: Fault, error: Any) -> None:
    async with serving() as (sandbox, _):
        sandbox.faults.add(fault)
        if error is None:
            assert b"" == await raw_get(sandbox)
        else:
            with pytest.raises(error):
                await raw_get(sandbox)


@pytest.mark.parametrize(("apply", "applied"), [(False, 0), (True, 3), (2, 2)])
async def test_a_stall_lasts_until_the_client_leaves(apply: Any, applied: int) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Stall(apply=apply))
        with pytest.raises(TimeoutError):
            await client.add(PHONES[:3], timeout=aiohttp.ClientTimeout(total=2 * SHORT))
        assert PHONES[:applied] == list(sandbox.campaigns[3].leads)
        await eventually(lambda: sandbox.history[0].ended)
        exchange = sandbox.history[0]
        assert exchange.ended is not None
        assert exchange.ended - exchange.began >= SHORT  # the client's time began before the server's
        assert exchange.status is None


async def test_a_stalled_lead_request_keeps_its_campaign_busy() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Stall())
        stalled = asyncio.create_task(client.add(PHONES[:1]))
        await eventually(lambda: sandbox.history)
        assert 409 == (await client.add(PHONES[:1])).status
        assert sandbox.history[0].ended is None
        stalled.cancel()
        await eventually(lambda: sandbox.history[0].ended)
        assert 200 == (await client.add(PHONES[:1])).status


async def test_a_stall_of_some_seconds_ends_without_a_reply() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Stall(SHORT))
        began = time.monotonic()
        await failing(client)
        assert time.monotonic() - began >= SHORT


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_truncated_reply_is_shorter_than_its_framing_announces(framing: Any) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Truncate(20, framing))
        await failing(client, aiohttp.ClientPayloadError)
        assert (200, tuple(PHONES[:3])) == (sandbox.history[0].status, sandbox.history[0].applied)


async def test_a_truncated_reply_without_framing_looks_whole() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Truncate(20, "none"))
        async with client.session.get(
            f"{sandbox.url}/api/v4/users", headers={"Authorization": f"Bearer {sandbox.key}"}
        ) as reply:
            assert 200 == reply.status
            assert 20 == len(await reply.read())


async def test_a_truncated_reply_may_have_applied_nothing() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Truncate(1, apply=False))
        await failing(client, aiohttp.ClientPayloadError)
        assert {} == sandbox.campaigns[3].leads


@pytest.mark.parametrize("head", [False, True])
async def test_a_dripping_reply_comes_whole_byte_by_byte(head: bool) -> None:  # noqa: FBT001 - a table of values
    async with serving() as (sandbox, client):
        sandbox.faults.add(Drip(0.0005, head=head))
        assert "paused" == (await client("POST", "/campaigns/3/pause")).payload["status"]


async def test_a_dripping_reply_may_last_longer_than_the_timeout_of_the_client() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Drip(SHORT))
        with pytest.raises(TimeoutError):
            await client.add(PHONES[:3], timeout=aiohttp.ClientTimeout(total=3 * SHORT))
        assert (200, tuple(PHONES[:3])) == (sandbox.history[0].status, sandbox.history[0].applied)


async def test_garbage_is_not_http() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Garbage(apply=True))
        await failing(client, aiohttp.ClientResponseError)
        assert (None, tuple(PHONES[:3])) == (sandbox.history[0].status, sandbox.history[0].applied)


async def test_raw_bytes_arrive_as_they_are() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhm"
    async with serving() as (sandbox, _):
        sandbox.faults.add(RawBytes(data))
        assert data == await raw_get(sandbox)
