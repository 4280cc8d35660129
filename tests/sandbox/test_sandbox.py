"""Start and end of a sandbox, and its data."""

import asyncio
import ssl
from urllib.parse import urlsplit

import aiohttp
import pytest
from sandbox_caller import PHONES, eventually, serving

from voiso_async.sandbox import Rules, Sandbox, Stall


async def test_campaigns_and_users_get_the_next_id_when_none_is_given() -> None:
    sandbox = Sandbox()
    sandbox.add_campaign(id=7)
    assert 8 == sandbox.add_campaign().id
    assert 1 == sandbox.add_user().id
    assert ("active", True, [], {}) == (
        sandbox.campaigns[8].status,
        sandbox.campaigns[8].live,
        sandbox.campaigns[8].user_ids,
        sandbox.campaigns[8].leads,
    )


async def test_the_clock_can_be_replaced() -> None:
    now = [100.0]
    async with Sandbox(clock=lambda: now[0]) as sandbox, aiohttp.ClientSession() as session:
        sandbox.add_campaign(id=3)
        statuses = []
        for moment in (100.0, 101.9, 102.0):
            now[0] = moment
            url = f"{sandbox.url}/api/v4/campaigns/3/leads"
            headers = {"Authorization": f"Bearer {sandbox.key}"}
            async with session.post(url, json=[{"phone_number": PHONES[0]}], headers=headers) as reply:
                statuses.append(reply.status)
        assert [200, 409, 200] == statuses
        assert [100.0, 101.9, 102.0] == [exchange.began for exchange in sandbox.history]


async def test_closing_ends_stalls_work_and_uploads_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    sandbox = Sandbox(rules=Rules(server_time=60.0))
    await sandbox.start()
    sandbox.add_campaign(id=3)
    sandbox.faults.add(Stall())
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    parts = urlsplit(sandbox.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    async with aiohttp.ClientSession() as session:
        stalled = asyncio.create_task(session.get(f"{sandbox.url}/api/v4/users", headers=headers))
        await eventually(lambda: len(sandbox.history) == 1)
        url = f"{sandbox.url}/api/v4/campaigns/3/leads"
        working = asyncio.create_task(session.post(url, json=[{"phone_number": PHONES[0]}], headers=headers))
        writer.write(b"POST /api/v4/users HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 900\r\n\r\n[")
        await eventually(lambda: len(sandbox.history) == 3)
        began = asyncio.get_running_loop().time()
        await sandbox.aclose()
        assert asyncio.get_running_loop().time() - began < 2.0
        assert set() == asyncio.all_tasks() - before - {stalled, working}
        await asyncio.gather(stalled, working, return_exceptions=True)
    writer.close()
    assert all(exchange.ended is not None for exchange in sandbox.history)
    await sandbox.aclose()


async def test_a_closed_sandbox_refuses_connections_and_opens_again_on_the_same_port() -> None:
    async with serving() as (sandbox, client):
        await client.add(PHONES[:1])
        url = sandbox.url
        await sandbox.aclose()
        with pytest.raises(aiohttp.ClientConnectorError):
            await client("GET", "/users")
        await sandbox.start()
        assert url == sandbox.url
        assert PHONES[:1] == (await client.add(PHONES[:1])).payload["leads_import"]["duplicates"]


async def test_a_sandbox_is_not_started_twice() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError):
            await sandbox.start()


async def test_a_port_in_use_is_an_oserror_and_leaves_nothing_open() -> None:
    async with Sandbox() as sandbox:
        port = urlsplit(sandbox.url).port
        assert port is not None
        with pytest.raises(OSError, match="address already in use"):
            await Sandbox(port=port).start()


def test_an_ipv6_host_is_written_in_brackets() -> None:
    assert "http://[::1]:8765" == Sandbox(host="::1", port=8765).url


async def test_sample_data_fills_pages() -> None:
    async with Sandbox(sample=True) as sandbox:
        assert 12 == len(sandbox.campaigns)
        assert list(range(1, 26)) == list(sandbox.users)
        assert {"active", "paused", "draft", "stopped"} < {one.status for one in sandbox.campaigns.values()}
        for campaign in sandbox.campaigns.values():
            assert set(campaign.user_ids) <= set(sandbox.users)


async def test_two_sandboxes_with_sample_data_share_nothing() -> None:
    one, other = Sandbox(sample=True), Sandbox(sample=True)
    one.campaigns[3].user_ids.append(25)
    one.campaigns[3].leads.clear()
    assert 25 not in other.campaigns[3].user_ids
    assert other.campaigns[3].leads


async def test_the_sandbox_can_speak_tls() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # without a certificate: no handshake succeeds
    async with Sandbox(ssl_context=context) as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.url.startswith("https://127.0.0.1:")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(sandbox.url)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(sandbox.url.replace("https", "http"))
