"""A client with an outbox against the sandbox: pushed, drained, run, shared, cancelled, and mended."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from client_calls import LANE, QUICK
from report_in import report_in
from sandbox_caller import eventually

from voiso_async import Outcome, VoisoClient
from voiso_async.errors import AuthenticationError, ClientClosedError, OutboxError, SourceError
from voiso_async.outbox import JobState, SqliteOutbox
from voiso_async.sandbox import ApplyThenClose, Rules, Sandbox, Status


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(rules=Rules(cooldown=LANE.cooldown)) as running:
        running.add_campaign(id=3, name="Summer")
        running.add_campaign(id=4, name="Winter")
        yield running


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with SqliteOutbox(tmp_path / "leads.db") as opened:
        yield opened


def client(sandbox: Sandbox, outbox: SqliteOutbox, **options: Any) -> VoisoClient:
    usual: dict[str, Any] = {"base_url": sandbox.url, "lane": LANE, "retry": QUICK, "outbox": outbox}
    return VoisoClient(options.pop("key", sandbox.key), **usual | options)


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"4416329600{start + line:05d}" for line in range(count)]


async def test_a_push_gives_the_job_and_its_outcomes(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    async with client(sandbox, outbox) as voiso:
        job = await voiso.leads.push(3, [*numbers(2500), "no number", numbers(1)[0]], name="summer")
    assert JobState.DONE is job.state
    assert "created 2 500 · repeated 1 · invalid 1" == str(job.report)
    assert job.report.balanced
    assert 3 == job.report.attempts
    assert set(numbers(2500)) == set(sandbox.campaigns[3].leads)
    problems = [o async for o in outbox.outcomes(job.id, outcomes={Outcome.INVALID, Outcome.REPEATED})]
    assert [(2500, Outcome.INVALID), (2501, Outcome.REPEATED)] == [(o.index, o.outcome) for o in problems]
    assert 0 == sandbox.too_early


async def test_campaigns_are_drained_side_by_side(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    await outbox.put(3, numbers(1500))
    await outbox.put(4, numbers(1500))
    async with client(sandbox, outbox) as voiso:
        report = await voiso.leads.drain()
    assert 3000 == report.counts[Outcome.CREATED]
    assert 4 == report.attempts
    assert {1000, 500} == {len(exchange.applied) for exchange in sandbox.history}


async def test_a_lost_answer_is_confirmed_in_the_report_too(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    sandbox.faults.add(ApplyThenClose(), method="POST", path="/campaigns/3/leads")
    async with client(sandbox, outbox) as voiso:
        job = await voiso.leads.push(3, numbers(10))
    assert 10 == job.report.counts[Outcome.CONFIRMED]
    assert 10 == job.report.doubted
    assert sandbox.history[0].body == sandbox.history[1].body


async def test_direct_leads_ride_along_and_keep_the_pace(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    async with client(sandbox, outbox) as voiso:
        pushing = asyncio.create_task(voiso.leads.push(3, numbers(3000)))
        reports = await asyncio.gather(*(voiso.leads.add(3, [phone]) for phone in numbers(20, start=50_000)))
        job = await pushing
    assert all(report.ok for report in reports)
    assert 3000 == job.report.counts[Outcome.CREATED]
    assert 4 >= len(sandbox.history)
    assert 0 == sandbox.too_early


async def test_two_clients_with_two_outboxes_of_one_file_keep_one_gate(
    sandbox: Sandbox, outbox: SqliteOutbox, tmp_path: Path
) -> None:
    await outbox.put(3, numbers(4000))
    async with (
        SqliteOutbox(tmp_path / "leads.db") as same,
        client(sandbox, outbox) as one,
        client(sandbox, same) as two,
    ):
        reports = await asyncio.gather(one.leads.drain(), two.leads.drain())
        direct = await asyncio.gather(
            *(voiso.leads.add(3, [phone]) for voiso, phone in zip((one, two) * 3, numbers(6, 60_000), strict=True))
        )
    assert 4000 == sum(report.counts[Outcome.CREATED] for report in reports)
    assert all(report.ok for report in direct)
    assert 0 == sandbox.too_early


async def test_run_sends_what_is_put_until_it_is_stopped(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    async with client(sandbox, outbox) as voiso:
        running = asyncio.create_task(voiso.leads.run())
        for line in range(3):
            job = await outbox.put(3, numbers(2, start=10 * line))
            async with asyncio.timeout(20):
                while (await outbox.job(job.id)).waiting:
                    await outbox.changed(0.05)
        running.cancel()
        await asyncio.wait({running})
    assert 6 == len(sandbox.campaigns[3].leads)


async def test_a_refused_campaign_is_given_up_and_mended(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    await outbox.put(3, numbers(5))
    await outbox.put(4, numbers(5))
    sandbox.faults.add(Status(403), method="POST", path="/campaigns/3/leads")
    async with client(sandbox, outbox) as voiso:
        with pytest.raises(Exception, match="403") as caught:
            await voiso.leads.drain()
        assert 5 == caught.value.report.counts[Outcome.CREATED]  # type: ignore[attr-defined]
        state = {status.campaign: status for status in await outbox.campaigns()}
        assert "403" in str(state[3].suspended)
        assert 5 == state[3].waiting
        await voiso.leads.drain()
    assert all(not status.suspended for status in await outbox.campaigns())
    assert 5 == len(sandbox.campaigns[3].leads)


async def test_a_wrong_key_ends_a_push_and_keeps_every_row(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    async with client(sandbox, outbox, key="a-wrong-key-of-another") as voiso:
        with pytest.raises(AuthenticationError) as caught:
            await voiso.leads.push(3, numbers(5), name="summer")
    assert (5, "refused") == (report_in(caught.value).pending, caught.value.proof)
    (job,) = await outbox.jobs(name="summer")
    async with client(sandbox, outbox) as voiso:
        await voiso.leads.drain(job.id)
    assert 5 == len(sandbox.campaigns[3].leads)


async def test_a_push_that_ends_after_a_lost_answer_leaves_its_job_in_doubt(
    sandbox: Sandbox, outbox: SqliteOutbox
) -> None:
    """Rows that wait are pending in its report: the error says that they may be in the campaign."""
    sandbox.faults.add(ApplyThenClose(3), path="/campaigns/3/leads")
    sandbox.faults.add(Status(401), path="/campaigns/3/leads")
    async with client(sandbox, outbox) as voiso:
        with pytest.raises(AuthenticationError) as caught:
            await voiso.leads.push(3, numbers(5), name="summer")
    assert (5, "in_doubt") == (report_in(caught.value).pending, caught.value.proof)
    (job,) = await outbox.jobs(name="summer")
    assert 5 == job.doubted


async def test_a_source_that_raises_leaves_a_job_that_can_be_gone_on_with(
    sandbox: Sandbox, outbox: SqliteOutbox
) -> None:
    def breaking() -> Any:
        yield from numbers(1500)
        raise LookupError("the source is gone")

    async with client(sandbox, outbox) as voiso:
        with pytest.raises(SourceError) as caught:
            await voiso.leads.push(3, breaking(), name="summer")
        assert isinstance(caught.value.__cause__, LookupError)
        (job,) = await outbox.jobs(name="summer")
        assert JobState.LOADING is job.state
        await outbox.load(job.id, 3, numbers(1600))
        await voiso.leads.drain(job.id)
    assert 1600 == (await outbox.job(job.id)).report.counts[Outcome.CREATED]


async def test_a_push_that_is_cancelled_goes_on_later(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    sandbox.rules = Rules(cooldown=LANE.cooldown, server_time=0.3)
    async with client(sandbox, outbox) as voiso:
        pushing = asyncio.create_task(voiso.leads.push(3, numbers(3000), name="summer"))
        await eventually(lambda: bool(sandbox.history))
        pushing.cancel()
        await asyncio.wait({pushing})
        assert pushing.cancelled()
    async with client(sandbox, outbox) as voiso:
        (job,) = await outbox.jobs(name="summer")
        await outbox.load(job.id, 3, numbers(3000))
        await voiso.leads.drain(job.id)
    job = await outbox.job(job.id)
    assert 3000 == job.report.counts[Outcome.CREATED] + job.report.counts[Outcome.CONFIRMED]
    assert 0 == sandbox.too_early


@pytest.mark.row(135)
async def test_135_an_outbox_of_another_origin_sends_nothing(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    await outbox.put(3, numbers(5))
    async with client(sandbox, outbox) as voiso:
        await voiso.leads.drain()
    async with Sandbox() as other:
        other.add_campaign(id=3, name="Elsewhere")
        await outbox.put(3, numbers(5, start=100))
        async with client(other, outbox) as voiso:
            with pytest.raises(OutboxError) as caught:
                await voiso.leads.drain()
            assert "mismatch" == caught.value.reason
            with pytest.raises(OutboxError):
                await voiso.leads.add(3, numbers(1))
        assert [] == list(other.history)


async def test_closing_the_client_ends_a_run(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    voiso = client(sandbox, outbox)
    running = asyncio.create_task(voiso.leads.run())
    await outbox.put(3, numbers(5))
    await eventually(lambda: bool(sandbox.campaigns[3].leads))
    await voiso.aclose()
    with pytest.raises(ClientClosedError):
        await running


async def test_a_closed_outbox_is_told_as_such(sandbox: Sandbox, tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "leads.db")
    await outbox.put(3, numbers(5))
    await outbox.aclose()
    async with client(sandbox, outbox) as voiso:
        with pytest.raises(OutboxError, match="closed"):
            await voiso.leads.add(3, numbers(1))
        with pytest.raises(OutboxError, match="closed"):
            await voiso.leads.drain()
    assert [] == list(sandbox.history)
