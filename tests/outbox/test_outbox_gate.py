"""The gate of a campaign: one turn at a time, not too soon, for one address, whatever implementation."""

import asyncio
from typing import Any

import outbox_cases
import pytest
from outbox_cases import (
    ORIGIN,
    Make,
    asking,
    gate_of,
    indexes,
    leads,
    now,
    results,
    send,
)

from voiso_async.errors import ConfigurationError, OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy

make = outbox_cases.make
pytestmark = pytest.mark.virtual


async def test_the_gate_stays_shut_for_the_cooldown_or_the_longer_hold(make: Make) -> None:
    outbox = make()
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    turn.attempt_ended()
    await asyncio.sleep(1)
    await turn.release([], 0.0)
    turn = await gate.acquire(3, asking())
    assert 2.0 == pytest.approx(now())
    await turn.release([], 10.0)
    assert 10.0 == pytest.approx(gate.opens_in(3))
    turn = await gate.acquire(3, asking())
    assert 12.0 == pytest.approx(now())
    await turn.release([], None)
    await gate.acquire(3, asking())
    assert 12.0 == pytest.approx(now()), "an unused turn leaves the gate as it was"


async def test_two_instances_keep_one_gate(make: Make, fresh_gates: dict[object, object]) -> None:
    """The gate in the file alone: in another process there is no other."""
    first, second = make(), make()
    gate = gate_of(second)  # from here on it has the clock of this test
    await first.put(3, leads(4))
    turn = await gate_of(first).acquire(3, asking(2))
    assert [True] == [status.sending for status in await second.campaigns()]
    fresh_gates.clear()
    waiting = asyncio.create_task(gate.acquire(3, asking()))
    await asyncio.sleep(5)
    assert not waiting.done()
    await turn.release(results(turn.rows), 0.0)
    other = await waiting
    assert now() >= 7.0
    assert [2, 3] == indexes(other)


async def test_an_early_claim_opens_no_earlier(make: Make) -> None:
    outbox = make()
    gate = gate_of(outbox)
    for number in range(20):
        turn = await gate.acquire(3, asking())
        assert 2.0 * number <= now() < 2.0 * number + 0.001
        await turn.release([], 0.0)
        assert 2.0 == pytest.approx(gate.opens_in(3))


@pytest.mark.parametrize(("before", "after"), [(1e6, 0.0), (0.0, 1e6)])
@pytest.mark.row(204)
async def test_a_clock_that_jumped_holds_nothing_for_longer_than_was_said(
    make: Make, fresh_gates: dict[object, object], before: float, after: float
) -> None:
    """Row 204: after a reboot the monotonic clock begins anew."""
    loop = asyncio.get_running_loop()
    turn = await make().gate(ORIGIN, LanePolicy(cooldown=2.0), lambda: loop.time() + before).acquire(3, asking())
    await turn.release([], 5.0)
    fresh_gates.clear()
    began = now()
    turn = await make().gate(ORIGIN, LanePolicy(cooldown=2.0), lambda: loop.time() + after).acquire(3, asking())
    assert now() - began == pytest.approx(5.0 if before else 0.0, abs=0.001)
    await turn.release([], None)


@pytest.mark.row(145)
@pytest.mark.parametrize("lease", [0, -1, float("nan"), float("inf"), True, "300", None])
def test_a_lease_that_is_no_time_opens_nothing(make: Make, lease: Any) -> None:
    with pytest.raises(ConfigurationError, match="lease must be a number of seconds from 1; nothing was opened"):
        make(lease=lease)


async def test_the_lease_must_hold_a_post(make: Make) -> None:
    """Row 145."""
    with pytest.raises(ConfigurationError, match="lease"):
        make(lease=100).gate(ORIGIN, LanePolicy(post_timeout=97, cooldown=2))
    make(lease=100).gate(ORIGIN, LanePolicy(post_timeout=96, cooldown=2))


async def test_a_turn_that_was_long_in_coming_sends_nothing(make: Make) -> None:
    turn = await gate_of(make(lease=200)).acquire(3, asking())
    assert turn.in_time()
    await asyncio.sleep(77)
    assert turn.in_time()
    await asyncio.sleep(2)
    assert not turn.in_time()


@pytest.mark.row(135)
async def test_the_first_claim_fixes_the_origin(make: Make) -> None:
    """Row 135."""
    outbox = make()
    await send(gate_of(outbox))
    other = outbox.gate("https://other.example:443", LanePolicy())
    with pytest.raises(OutboxError) as caught:
        await other.acquire(3, asking())
    assert "mismatch" == caught.value.reason
    await outbox.put(3, leads(1))
    assert 1 == len((await send(gate_of(outbox))).rows), "its gate is free"


async def test_a_row_that_somebody_else_has_is_not_sent_again(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(1))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    await turn.release(results(turn.rows), 0.0)
    with pytest.raises(OutboxError) as caught:
        await gate.acquire(3, asking(0, again=turn.rows))
    assert "fenced" == caught.value.reason


async def test_a_turn_is_closed_once(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(1))
    turn = await gate_of(outbox).acquire(3, asking())
    await turn.release(results(turn.rows), 0.0)
    with pytest.raises(OutboxError) as caught:
        await turn.release(results(turn.rows, Outcome.REJECTED), 0.0)
    assert "fenced" == caught.value.reason


async def test_a_suspended_campaign_says_why_until_it_takes_leads(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(1))
    await outbox.suspend(3, "not live")
    assert ["not live"] == [status.suspended for status in await outbox.campaigns()]
    await outbox.suspend(3, None)
    assert [None] == [status.suspended for status in await outbox.campaigns()]
    await outbox.suspend(3, "not live")
    await send(gate_of(outbox))
    assert [None] == [status.suspended for status in await outbox.campaigns()]
