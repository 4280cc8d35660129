"""Callers who leave and clients that close in the middle, over real HTTP: no lead is lost, the pace is kept."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import anyio
import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones

from voiso_async.errors import ClientClosedError
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.sandbox import ApplyThenReset, Rules, Stall

stage = http_stage.stage

SERVER_TIME = 0.02
MOMENTS = 10


async def _whole(call: Ingestion) -> None:
    await call


async def native(call: Ingestion, moment: float) -> None:
    """What a web framework does when its client goes away."""
    task = asyncio.create_task(_whole(call))
    await asyncio.sleep(moment)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def twice(call: Ingestion, moment: float) -> None:
    """A timeout, and a shutdown on top of it."""
    task = asyncio.create_task(_whole(call))
    await asyncio.sleep(moment)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timeout(call: Ingestion, moment: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(moment):
            await call


async def wait_for(call: Ingestion, moment: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_whole(call), moment)


async def scope(call: Ingestion, moment: float) -> None:
    with anyio.move_on_after(moment) as left:
        await call
    assert left.cancelled_caught


async def task_group(call: Ingestion, moment: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_whole, call)
        await anyio.sleep(moment)
        group.cancel_scope.cancel()


async def streaming(call: Ingestion, moment: float) -> None:
    """A consumer that is cancelled somewhere: between two outcomes or while it waits for one."""
    with pytest.raises(TimeoutError):
        await _read(call, moment, 0.0)


async def dawdling(call: Ingestion, moment: float) -> None:
    """A consumer that is cancelled between two outcomes."""
    with pytest.raises(TimeoutError):
        await _read(call, moment, 3600.0)


async def _read(call: Ingestion, moment: float, pause: float) -> None:
    async with asyncio.timeout(moment):
        async for _ in call:
            await asyncio.sleep(pause)


async def context(call: Ingestion, moment: float) -> None:
    """Leaving the context withdraws what was not sent."""
    async with call:
        with anyio.move_on_after(moment):
            async for _ in call:
                await asyncio.sleep(0)


WAYS: list[Callable[[Ingestion, float], Awaitable[None]]] = [
    *(native, twice, timeout, wait_for),
    *(scope, task_group, streaming, dawdling, context),
]


@pytest.mark.row(101, 102, 109, 110, 111, 113)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_leaving_at_any_moment_loses_nothing_and_keeps_the_pace(
    stage: Stage, way: Callable[[Ingestion, float], Awaitable[None]]
) -> None:
    """The cancellation is raised unchanged, the report balances, and the next call keeps the pace."""
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, server_time=SERVER_TIME)
    voiso = await stage.client(max_rows=20)
    chance = random.Random(way.__name__)
    for round_ in range(MOMENTS):
        call = voiso.leads.add(3, phones(200, 1000 * round_))
        await way(call, chance.uniform(0.0, 0.25))
        assert call.report.balanced
        after = await voiso.leads.add(3, phones(1, 1000 * round_ + 500))
        assert {"created": 1} == counts(after)
        assert set(counts(call.report)) <= {"created", "not_sent"}, "the answer in flight is in the report"
    assert all("idle" == lane.state for lane in voiso.lanes())


@pytest.mark.row(103)
async def test_a_cancelled_waiter_leaves_its_place_to_the_others(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    big = asyncio.create_task(_whole(first := voiso.leads.add(3, phones(60))))
    calls = [voiso.leads.add(3, [phone]) for phone in phones(20, 1000)]
    tasks = [asyncio.create_task(_whole(call)) for call in calls]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(big, *tasks, return_exceptions=True)
    assert {"created": 60} == counts(first.report)
    assert {Outcome.CREATED} == {call.report.outcomes[0].outcome for call in calls[1::2]}


@pytest.mark.parametrize("leads", [phones(200), [*phones(20), *["bad"] * 20, *phones(20, 20)]])
async def test_a_loop_that_was_left_lets_nothing_more_go_although_its_call_is_still_there(
    stage: Stage, leads: list[str]
) -> None:
    voiso = await stage.client(max_rows=20)
    call = voiso.leads.add(3, leads)
    async for outcome in call:
        if outcome.outcome is Outcome.CREATED:
            break
    for number in range(3):
        assert {"created": 1} == counts(await voiso.leads.add(3, phones(1, 1000 + number)))
    assert [20, 1, 1, 1] == stage.sizes
    assert call.report.balanced
    assert call.report.pending
    await voiso.aclose()
    assert [20, 1, 1, 1] == stage.sizes
    assert call.report.counts[Outcome.NOT_SENT]


async def test_rows_of_a_cancelled_call_are_left_out_of_the_repeat(stage: Stage) -> None:
    stage.fail(ApplyThenReset(0))
    voiso = await stage.client(doubt_backoff=0.3)
    gone, stays = voiso.leads.add(3, phones(5)), voiso.leads.add(3, phones(5, 100))
    leaving, staying = asyncio.create_task(_whole(gone)), asyncio.create_task(_whole(stays))
    await asyncio.sleep(0.15)
    leaving.cancel()
    await staying
    assert [10, 5] == stage.sizes
    assert {"unknown": 5} == counts(gone.report)
    assert {"created": 5} == counts(stays.report)


# Closing


async def closed_while(stage: Stage, grace: float, leads: int = 50) -> tuple[Ingestion, BaseException | None]:
    voiso = await stage.client(max_rows=10)
    call = voiso.leads.add(3, phones(leads))
    task = asyncio.create_task(_whole(call))
    while not stage.histories.posts:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.001)
    await voiso.aclose(grace)
    await asyncio.wait([task])
    with pytest.raises(ClientClosedError):
        await voiso.leads.add(3, phones(1, 900))
    return call, task.exception()


@pytest.mark.row(115)
async def test_closing_lets_what_is_buffered_go(stage: Stage) -> None:
    call, error = await closed_while(stage, grace=10, leads=20)
    assert error is None
    assert {"created": 20} == counts(call.report)


async def test_closing_reads_no_further_and_says_so(stage: Stage) -> None:
    call, error = await closed_while(stage, grace=10)
    assert isinstance(error, ClientClosedError)
    assert call.report.rows == call.report.counts[Outcome.CREATED]
    assert error.report == call.report


@pytest.mark.row(115)
async def test_closing_without_grace_leaves_the_batch_in_flight_unknown(stage: Stage) -> None:
    stage.fail(Stall(apply=True))
    call, error = await closed_while(stage, grace=0, leads=20)
    assert isinstance(error, ClientClosedError)
    assert {"unknown": 10, "not_sent": 10} == counts(call.report)
    assert "canary" not in str(error)


async def test_after_closing_another_client_keeps_the_pace(stage: Stage) -> None:
    """The gate belongs to the process: a POST that was cut off holds it for the doubt backoff."""
    stage.fail(Stall())
    first = await stage.client(doubt_backoff=0.2)
    task = asyncio.create_task(_whole(first.leads.add(3, phones(5))))
    while not stage.histories.posts:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.001)
    await first.aclose(grace=0)
    await asyncio.wait([task])
    second = await stage.client(doubt_backoff=0.2)
    assert {"created": 5} == counts(await second.leads.add(3, phones(5, 100)))
    before, after = stage.histories.attempts
    assert after.began - before.ended >= 0.2


@pytest.mark.row(121)
async def test_an_error_in_the_clients_block_wins_and_everything_is_closed(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    call = voiso.leads.add(3, phones(30))
    task = asyncio.create_task(_whole(call))

    async def block() -> None:
        async with voiso:
            await asyncio.sleep(0.03)
            raise LookupError("the caller's own")

    with pytest.raises(LookupError):
        await block()
    await asyncio.wait([task])
    assert isinstance(task.exception(), ClientClosedError | None)
    assert call.report.balanced


@pytest.mark.row(116)
async def test_closing_twice_at_once_is_harmless(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    task = asyncio.create_task(_whole(call := voiso.leads.add(3, phones(20))))
    await asyncio.sleep(0.01)
    await asyncio.gather(voiso.aclose(), voiso.aclose())
    await task
    assert {"created": 20} == counts(call.report)


async def test_a_cancelled_close_still_closes(stage: Stage) -> None:
    stage.fail(Stall())
    voiso = await stage.client()
    task = asyncio.create_task(_whole(call := voiso.leads.add(3, phones(5))))
    await asyncio.sleep(0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await voiso.aclose(grace=30)
    await asyncio.wait([task], timeout=1)
    assert isinstance(task.exception(), ClientClosedError)
    assert {"unknown": 5} == counts(call.report)
