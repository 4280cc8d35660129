"""Rows of the catalogue that need minutes or many callers, on a virtual clock."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from fake_campaign import FakeCampaigns, busy, check, engine, lost, phones, status
from report_in import report_in

from voiso_async._structs import replace
from voiso_async.errors import IngestError, SourceError
from voiso_async.events import BatchSent, Event, EventHook
from voiso_async.ingest.batch import Batch
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation

pytestmark = pytest.mark.virtual

COOLDOWN = 2.0


def counts(report: IngestReport) -> dict[str, int]:
    return {outcome.value: count for outcome, count in report.counts.items() if count}


async def add(batcher: LeadBatcher, leads: Any, campaign: int = 3, **options: Any) -> IngestReport:
    return await Ingestion(batcher, Operation.ADD, campaign, leads, **options)


def gaps(server: FakeCampaigns) -> list[float]:
    """Seconds from the end of each POST to the start of the next."""
    return [round(after.began - before.ended, 3) for before, after in itertools.pairwise(server.history)]


@pytest.mark.row(30)
async def test_after_a_lost_answer_a_429_is_waited_for_and_the_doubt_stays() -> None:
    server = FakeCampaigns(script=[lost(None), status(429, None, {"retry-after": "30"})])
    report = await add(engine(server), phones(4))
    check(server, [report])
    assert {"confirmed": 4} == counts(report)
    assert [2.0, 30.0] == gaps(server)


@pytest.mark.row(31)
async def test_after_a_lost_answer_every_busy_makes_the_wait_longer() -> None:
    server = FakeCampaigns(script=[lost(2), busy(), busy(), busy()])
    report = await add(engine(server), phones(4))
    check(server, [report])
    assert {"confirmed": 2, "created": 2} == counts(report)
    assert gaps(server) == sorted(gaps(server))
    assert gaps(server)[-1] > COOLDOWN
    assert (5, 3) == (report.attempts, report.busy)


@pytest.mark.row(86)
async def test_a_number_that_comes_again_batches_later_shares_the_fate_of_the_first() -> None:
    leads = phones(7500)
    leads[6200] = f"+{leads[3]}"
    server = FakeCampaigns()
    outcomes = [o async for o in Ingestion(engine(server), Operation.ADD, 3, leads) if o.index in {3, 6200}]
    first, again = sorted(outcomes, key=lambda outcome: outcome.index)
    assert (Outcome.CREATED, Outcome.REPEATED, 3) == (first.outcome, again.outcome, again.first)
    assert 1 == sum(leads[3] in post.phones for post in server.history)


@pytest.mark.row(95)
async def test_numbers_that_another_client_adds_meanwhile_are_certain_duplicates() -> None:
    server = FakeCampaigns()
    mine, theirs = await asyncio.gather(add(engine(server), phones(3000)), add(engine(server), phones(3000)))
    check(server, [mine, theirs])
    assert 3000 == mine.counts[Outcome.CREATED] + theirs.counts[Outcome.CREATED]
    assert 3000 == mine.counts[Outcome.DUPLICATE] + theirs.counts[Outcome.DUPLICATE]


@pytest.mark.row(105)
async def test_the_cooldown_after_an_answer_of_ninety_seconds_begins_at_its_end() -> None:
    server = FakeCampaigns(seconds=90.0)
    report = await add(engine(server), phones(2500))
    check(server, [report])
    assert [COOLDOWN, COOLDOWN] == gaps(server)
    assert 2500 == report.counts[Outcome.CREATED]


@pytest.mark.row(97, 106)
async def test_two_hundred_calls_share_every_batch_and_none_starves() -> None:
    """Each has 20 leads: a batch of 1000 holds 5 rows of each call, so all end in the same fourth batch."""
    server = FakeCampaigns()
    batcher = engine(server)
    reports = await asyncio.gather(*(add(batcher, phones(20, 100 * at)) for at in range(200)))
    check(server, reports)
    assert [1000] * 4 == [len(post.leads) for post in server.history]
    callers = [{int(phone[-5:]) // 100 for phone in post.phones} for post in server.history]
    assert [200] * 4 == [len(numbers) for numbers in callers]
    assert {4} == {report.batches for report in reports}


@pytest.mark.row(107)
async def test_a_hook_that_blocks_for_seconds_changes_nothing_in_the_pace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It blocks the loop, which the engine cannot prevent; the cooldown still counts by the clock."""
    loop: Any = asyncio.get_running_loop()

    def blocking(event: Event) -> None:
        if isinstance(event, BatchSent):
            loop._jumping.now += 3.0

    server = FakeCampaigns()
    batcher = engine(server)
    batcher._parts = replace(batcher._parts, hook=EventHook(blocking))
    report = await add(batcher, phones(3000))
    check(server, [report])
    assert [COOLDOWN + 3.0] * 2 == gaps(server)
    assert 3000 == report.counts[Outcome.CREATED]


@pytest.mark.row(124)
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_no_memory_for_a_batch_sends_no_half_of_it_and_gives_the_gate_back(
    monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    made, body = itertools.count(1), Batch.body

    def failing(batch: Batch) -> bytes:
        if next(made) == at:
            raise MemoryError
        return body(batch)

    monkeypatch.setattr(Batch, "body", failing)
    server = FakeCampaigns()
    batcher = engine(server)
    with pytest.raises(IngestError, match="MemoryError") as caught:
        await add(batcher, phones(3000))
    assert isinstance(caught.value.__cause__, MemoryError)
    assert at - 1 == len(server.history)
    assert 1000 * (at - 1) == report_in(caught.value).counts[Outcome.CREATED]
    assert report_in(caught.value).balanced
    again = await add(batcher, phones(3000))
    assert again.ok
    check(server, [again])


@pytest.mark.row(124)
async def test_no_memory_while_leads_are_read_ends_their_call_alone() -> None:
    def leads() -> Iterator[str]:
        yield from phones(10)
        raise MemoryError

    server = FakeCampaigns()
    batcher = engine(server)
    with pytest.raises(SourceError) as caught:
        await add(batcher, leads())
    assert isinstance(caught.value.__cause__, MemoryError)
    assert {"created": 5} == counts(await add(batcher, phones(5, 100)))
