"""Rule 12 of contract section 14: one lead call at a time, and two seconds between them."""

import asyncio
from typing import Any

import pytest
from sandbox_caller import PHONES, SHORT, eventually, visiting

from voiso_async.sandbox import ApplyThenClose, Status

BUSY = {"errors": {"campaign": ["the previous request is still being processed"]}}


@pytest.mark.parametrize(("status", "body"), [(409, BUSY), (429, {"error": "Too many requests"})])
async def test_rule_12_a_second_lead_call_too_soon_is_busy(status: int, body: object) -> None:
    async with visiting(cooldown=60.0, busy_status=status) as (sandbox, call):
        assert 200 == (await call.add(PHONES[:1])).status
        for method in ("POST", "PATCH", "PUT"):
            said = await call(method, "/campaigns/3/leads", json=[{"phone_number": PHONES[1]}])
            assert (status, body) == (said.status, said.payload)
            assert "Retry-After" not in said.headers
        assert 3 == sandbox.too_early
        assert [False, True, True, True] == [exchange.early for exchange in sandbox.history]
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


async def test_rule_12_busy_may_name_the_seconds_to_wait() -> None:
    async with visiting(cooldown=60.0, busy_retry_after=7) as (_, call):
        await call.add(PHONES[:1])
        assert "7" == (await call.add(PHONES[1:2])).headers["Retry-After"]


async def test_rule_12_after_the_cooldown_the_campaign_is_free_and_others_always_were() -> None:
    async with visiting(cooldown=SHORT) as (sandbox, call):
        sandbox.add_campaign(id=4)
        assert 200 == (await call.add(PHONES[:1])).status
        assert 200 == (await call.add(PHONES[:1], campaign=4)).status
        await asyncio.sleep(SHORT)
        assert 200 == (await call.add(PHONES[1:2])).status
        assert 0 == sandbox.too_early
        first, _, third = sandbox.history
        assert first.ended is not None
        assert third.began - first.ended >= SHORT


async def test_rule_12_while_one_call_is_in_flight_another_is_busy() -> None:
    async with visiting(server_time=4 * SHORT) as (sandbox, call):
        slow = asyncio.create_task(call.add(PHONES[:1]))
        await eventually(lambda: sandbox.history)
        assert 409 == (await call.add(PHONES[1:2])).status
        assert 200 == (await slow).status
        assert 1 == sandbox.too_early


async def test_rule_12_a_refusal_as_busy_does_not_extend_the_wait() -> None:
    now = [100.0]
    async with visiting(cooldown=2.0, clock=lambda: now[0]) as (_, call):
        statuses = []
        for now[0] in (100.0, 101.0, 101.9, 102.0, 103.9, 104.0):
            statuses.append((await call.add(PHONES[:1])).status)
        assert [200, 409, 409, 200, 409, 200] == statuses


async def test_rule_12_a_call_that_fails_by_its_body_counts_all_the_same() -> None:
    async with visiting(cooldown=60.0) as (sandbox, call):
        assert 422 == (await call.post_leads([])).status
        assert 409 == (await call.add(PHONES[:1])).status
        assert 422 == (await call.post_leads([])).status
        assert 2 == sandbox.too_early


@pytest.mark.parametrize("fault", [ApplyThenClose(), Status(503)])
async def test_rule_12_a_call_whose_answer_a_fault_swallowed_counts(fault: Any) -> None:
    async with visiting(cooldown=60.0) as (sandbox, call):
        sandbox.faults.add(fault)
        await asyncio.gather(call.add(PHONES[:1]), return_exceptions=True)
        assert 409 == (await call.add(PHONES[:1])).status


async def test_rule_12_a_call_that_never_reached_its_campaign_does_not_count() -> None:
    async with visiting(cooldown=60.0) as (sandbox, call):
        assert 401 == (await call.add(PHONES[:1], key="another")).status
        assert 404 == (await call.add(PHONES[:1], campaign=9)).status
        assert 200 == (await call.add(PHONES[:1])).status
        assert 0 == sandbox.too_early


async def test_rule_12_reads_and_state_calls_are_not_gated() -> None:
    async with visiting(cooldown=60.0) as (_, call):
        await call.add(PHONES[:1])
        assert 200 == (await call("GET", "/campaigns/3")).status
        assert 200 == (await call("POST", "/campaigns/3/pause")).status


async def test_rule_12_the_time_of_processing_grows_with_the_leads() -> None:
    async with visiting(server_time=SHORT, per_lead_time=0.01) as (sandbox, call):
        await call.add(PHONES[:5])
        exchange = sandbox.history[0]
        assert exchange.ended is not None
        assert exchange.ended - exchange.began >= SHORT + 0.05
