"""One lead request of a campaign at a time, and a cooldown after it."""

import asyncio
from typing import Any

import pytest
from sandbox_caller import PHONES, SHORT, eventually, serving

from voiso_async.sandbox import ApplyThenClose, Status

BUSY = {"errors": {"campaign": ["the previous request is still being processed"]}}


@pytest.mark.parametrize(("status", "body"), [(409, BUSY), (429, {"error": "Too many requests"})])
async def test_a_second_lead_request_too_soon_is_busy(status: int, body: object) -> None:
    async with serving(cooldown=60.0, busy_status=status) as (sandbox, client):
        assert 200 == (await client.add(PHONES[:1])).status
        for method in ("POST", "PATCH", "PUT"):
            received = await client(method, "/campaigns/3/leads", json=[{"phone_number": PHONES[1]}])
            assert (status, body) == (received.status, received.payload)
            assert "Retry-After" not in received.headers
        assert 3 == sandbox.too_early
        assert [False, True, True, True] == [exchange.early for exchange in sandbox.history]
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


async def test_busy_may_name_the_seconds_to_wait() -> None:
    async with serving(cooldown=60.0, busy_retry_after=7) as (_, client):
        await client.add(PHONES[:1])
        assert "7" == (await client.add(PHONES[1:2])).headers["Retry-After"]


async def test_after_the_cooldown_the_campaign_is_free_and_others_always_were() -> None:
    async with serving(cooldown=SHORT) as (sandbox, client):
        sandbox.add_campaign(id=4)
        assert 200 == (await client.add(PHONES[:1])).status
        assert 200 == (await client.add(PHONES[:1], campaign=4)).status
        await asyncio.sleep(SHORT)
        assert 200 == (await client.add(PHONES[1:2])).status
        assert 0 == sandbox.too_early
        first, _, third = sandbox.history
        assert first.ended is not None
        assert third.began - first.ended >= SHORT


async def test_while_one_lead_request_is_in_flight_another_is_busy() -> None:
    async with serving(server_time=4 * SHORT) as (sandbox, client):
        slow = asyncio.create_task(client.add(PHONES[:1]))
        await eventually(lambda: sandbox.history)
        assert 409 == (await client.add(PHONES[1:2])).status
        assert 200 == (await slow).status
        assert 1 == sandbox.too_early


async def test_a_busy_reply_does_not_restart_the_cooldown() -> None:
    now = [100.0]
    async with serving(cooldown=2.0, clock=lambda: now[0]) as (_, client):
        statuses = []
        for now[0] in (100.0, 101.0, 101.9, 102.0, 103.9, 104.0):
            statuses.append((await client.add(PHONES[:1])).status)
        assert [200, 409, 409, 200, 409, 200] == statuses


async def test_a_lead_request_with_a_bad_body_counts() -> None:
    async with serving(cooldown=60.0) as (sandbox, client):
        assert 422 == (await client.post_leads([])).status
        assert 409 == (await client.add(PHONES[:1])).status
        assert 422 == (await client.post_leads([])).status
        assert 2 == sandbox.too_early


@pytest.mark.parametrize("fault", [ApplyThenClose(), Status(503)])
async def test_a_lead_request_whose_reply_a_fault_dropped_counts(fault: Any) -> None:
    async with serving(cooldown=60.0) as (sandbox, client):
        sandbox.faults.add(fault)
        await asyncio.gather(client.add(PHONES[:1]), return_exceptions=True)
        assert 409 == (await client.add(PHONES[:1])).status


async def test_a_lead_request_that_never_reached_its_campaign_does_not_count() -> None:
    async with serving(cooldown=60.0) as (sandbox, client):
        assert 401 == (await client.add(PHONES[:1], key="another")).status
        assert 404 == (await client.add(PHONES[:1], campaign=9)).status
        assert 200 == (await client.add(PHONES[:1])).status
        assert 0 == sandbox.too_early


async def test_reads_and_changes_of_status_need_no_cooldown() -> None:
    async with serving(cooldown=60.0) as (_, client):
        await client.add(PHONES[:1])
        assert 200 == (await client("GET", "/campaigns/3")).status
        assert 200 == (await client("POST", "/campaigns/3/pause")).status


async def test_the_time_of_processing_grows_with_the_leads() -> None:
    async with serving(server_time=SHORT, per_lead_time=0.01) as (sandbox, client):
        await client.add(PHONES[:5])
        exchange = sandbox.history[0]
        assert exchange.ended is not None
        assert exchange.ended - exchange.began >= SHORT + 0.05
