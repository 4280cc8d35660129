"""Leads over real HTTP without faults: full batches, one at a time, at the pace, from any number of callers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones
from report_in import report_in
from sandbox_caller import PlainClient

from voiso_async import VoisoClient
from voiso_async.errors import ConfigurationError, DeadlineExceededError, SourceError
from voiso_async.events import BatchSent, Event
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.models.leads import Lead, LeadSource
from voiso_async.sandbox import ApplyThenClose, Rules

stage = http_stage.stage


# Sizes and order


@pytest.mark.row(88, 89)
@pytest.mark.parametrize(
    ("leads", "sizes"),
    [(0, []), (1, [1]), (999, [999]), (1000, [1000]), (1001, [1000, 1]), (2001, [1000, 1000, 1])],
)
async def test_leads_leave_in_full_batches_in_order(stage: Stage, leads: int, sizes: list[int]) -> None:
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(leads))
    assert sizes == stage.sizes
    assert phones(leads) == list(stage.sandbox.campaigns[3].leads)
    assert ({"created": leads} if leads else {}) == counts(report)


async def test_every_field_arrives_as_it_was_given(stage: Stage) -> None:
    lead = Lead(
        "+44 (1632) 960-001",
        name="Zoë 李 👋",
        source=LeadSource(system="crm", url="https://example.com/1"),
        priority=5,
        active=False,
        context_headers={"X-Order": "17"},
        key="row 1",
    )
    voiso = await stage.client()
    report = await voiso.leads.add(3, [lead])
    assert "row 1" == report.outcomes[0].key
    assert {
        "phone_number": "441632960001",
        "name": "Zoë 李 👋",
        "source": {"system": "crm", "url": "https://example.com/1"},
        "priority": 5,
        "active": False,
        "context_headers": {"X-Order": "17"},
    } == stage.sandbox.campaigns[3].leads["441632960001"]


@pytest.mark.row(90)
async def test_what_cannot_be_sent_never_is(stage: Stage) -> None:
    number = phones(1)[0]
    leads: list[Any] = ["", "abc", None, 5.5, {"phone_number": number, "priority": 0}, [], object()]
    voiso = await stage.client()
    report = await voiso.leads.add(3, leads)
    assert {"invalid": 7} == counts(report)
    assert [] == stage.sandbox.history


@pytest.mark.row(94)
async def test_a_lead_changed_by_its_owner_in_mid_run_is_sent_as_it_was(stage: Stage) -> None:
    leads = [{"phone_number": number, "name": "before"} for number in phones(3)]

    def change(event: Event) -> None:
        if isinstance(event, BatchSent):
            for lead in leads:
                lead["name"] = "after"

    stage.fail(ApplyThenClose(0))
    voiso = await stage.client(on_event=change)
    report = await voiso.leads.add(3, leads)
    assert {"created": 3} == counts(report)
    assert {"before"} == {lead["name"] for lead in stage.sandbox.campaigns[3].leads.values()}


# Many callers


async def test_a_thousand_tasks_with_one_lead_each_leave_in_at_most_two_posts(stage: Stage) -> None:
    stage.sandbox.campaigns[3].leads.update({phone: {} for phone in phones(100)})
    voiso = await stage.client()
    reports = await asyncio.gather(*(voiso.leads.add(3, [phone]) for phone in phones(1000)))
    assert len(stage.histories.attempts) <= 2
    assert phones(1000) == [report.outcomes[0].phone for report in reports]
    assert [Outcome.DUPLICATE] * 100 + [Outcome.CREATED] * 900 == [r.outcomes[0].outcome for r in reports]


async def test_a_single_lead_rides_the_next_batch_of_a_big_import(stage: Stage) -> None:
    voiso = await stage.client()
    big = asyncio.ensure_future(voiso.leads.add(3, phones(10_000))._whole())
    while len(stage.histories.attempts) < 5:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.005)
    sent = len(stage.histories.attempts)
    single = await voiso.leads.add(3, ["447700900123"])
    assert {"created": 1} == counts(single)
    assert "447700900123" in stage.histories.attempts[sent].phones
    assert {"created": 10_000} == counts(await big)
    assert 11 == len(stage.histories.attempts)


@pytest.mark.row(98)
async def test_two_clients_in_one_loop_keep_the_pace_together(stage: Stage) -> None:
    clients = [await stage.client(max_rows=10) for _ in range(2)]
    reports = await asyncio.gather(*(c.leads.add(3, phones(100, i * 100)) for i, c in enumerate(clients)))
    assert [{"created": 100}] * 2 == [counts(report) for report in reports]
    assert 20 == len(stage.histories.posts)


async def test_clients_in_two_threads_keep_the_pace_together(stage: Stage) -> None:
    """Two event loops in one process share the gate."""

    async def run(start: int) -> IngestReport:
        lane = LanePolicy(cooldown=COOLDOWN, doubt_backoff=COOLDOWN, max_rows=10)
        async with VoisoClient(stage.sandbox.key, base_url=stage.sandbox.url, lane=lane) as voiso:
            return await voiso.leads.add(3, phones(60, start))

    reports = await asyncio.gather(*(asyncio.to_thread(asyncio.run, run(i * 100)) for i in range(3)))
    assert [{"created": 60}] * 3 == [counts(report) for report in reports]
    assert 18 == len(stage.histories.posts)


async def test_one_run_after_another_keeps_the_pace(stage: Stage) -> None:
    async def run(start: int) -> IngestReport:
        lane = LanePolicy(cooldown=COOLDOWN)
        async with VoisoClient(stage.sandbox.key, base_url=stage.sandbox.url, lane=lane) as voiso:
            return await voiso.leads.add(3, phones(1, start))

    def script() -> None:
        reports.extend(asyncio.run(run(i)) for i in range(4))

    reports: list[IngestReport] = []
    thread = threading.Thread(target=script)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert [{"created": 1}] * 4 == [counts(report) for report in reports]


async def test_a_writer_outside_of_this_process_costs_patience_and_no_leads(stage: Stage) -> None:
    stage.histories.paced = False
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, server_time=0.01)

    async def rival() -> None:
        async with aiohttp.ClientSession() as session:
            call = PlainClient(stage.sandbox, session)
            for number in range(30):
                await call.add([f"4477009{number:05d}"], key=stage.sandbox.key)
                await asyncio.sleep(0.03)

    voiso = await stage.client(max_rows=10)
    report, _ = await asyncio.gather(voiso.leads.add(3, phones(50)), rival())
    assert {"created": 50} == counts(report)
    assert report.attempts == 5 + report.busy


@pytest.mark.row(99)
async def test_campaigns_go_side_by_side(stage: Stage) -> None:
    for number in range(4, 9):
        stage.sandbox.add_campaign(id=number)
    stage.sandbox.rules = Rules(cooldown=0.2)
    voiso = await stage.client(max_rows=10)
    calls = [voiso.leads.add(campaign, phones(30)) for campaign in range(3, 9)]
    reports = await asyncio.gather(*calls)
    assert [{"created": 30}] * 6 == [counts(report) for report in reports]
    posts = {
        campaign: [one for one in stage.histories.posts if f"/{campaign}/" in one.path] for campaign in range(3, 9)
    }
    first_ends = min(one[-1].began for one in posts.values())
    assert all(one[0].began < first_ends for one in posts.values()), "none waits until another is through"


async def test_a_slow_server_is_not_hurried(stage: Stage) -> None:
    """The cooldown counts from the end of a POST, not from its start."""
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, server_time=0.15)
    voiso = await stage.client(max_rows=10)
    report = await voiso.leads.add(3, phones(30))
    assert {"created": 30} == counts(report)
    assert report.ceiling_share is not None
    assert report.ceiling_share > 0.8


# Sources and consumers


async def test_outcomes_come_while_the_rest_still_waits(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    seen = [(outcome.index, len(stage.sizes)) async for outcome in voiso.leads.add(3, phones(50))]
    assert list(range(50)) == [index for index, _ in seen]
    assert seen[0][1] <= 2


async def test_a_source_that_raises_leaves_everything_said(stage: Stage) -> None:
    def broken() -> Iterator[str]:
        yield from phones(25)
        raise LookupError("no more")

    voiso = await stage.client(max_rows=10)
    with pytest.raises(SourceError) as caught:
        await voiso.leads.add(3, broken())
    assert isinstance(caught.value.__cause__, LookupError)
    assert report_in(caught.value).rows == 25
    assert set(counts(report_in(caught.value))) <= {"created", "not_sent"}


async def test_an_async_source_is_read_as_it_comes(stage: Stage) -> None:
    async def trickle() -> AsyncIterator[str]:
        for phone in phones(30):
            yield phone
            await asyncio.sleep(0.01)

    voiso = await stage.client()
    report = await voiso.leads.add(3, trickle())
    assert {"created": 30} == counts(report)
    assert len(stage.sizes) < 15, "what comes during the cooldown leaves together"


async def test_a_deadline_raises_with_its_report_and_the_pace_is_kept(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    with pytest.raises(DeadlineExceededError) as caught:
        await voiso.leads.add(3, phones(1000), timeout=0.2)
    assert report_in(caught.value).balanced
    assert 0 < report_in(caught.value).counts[Outcome.CREATED] < 1000
    assert {"created": 5} == counts(await voiso.leads.add(3, phones(5, 5000)))


@pytest.mark.row(93)
async def test_a_broken_hook_breaks_nothing(stage: Stage) -> None:
    def broken(_: Event) -> None:
        raise ZeroDivisionError

    voiso = await stage.client(max_rows=10, on_event=broken)
    assert {"created": 30} == counts(await voiso.leads.add(3, phones(30)))


@pytest.mark.row(189)
@pytest.mark.parametrize("campaign", ["../users", "3?x=1", "3/leads/..", "3\n", 0, -1, 3.0, True, "evil.example"])
async def test_a_hostile_campaign_id_sends_nothing(stage: Stage, campaign: Any) -> None:
    voiso = await stage.client()
    with pytest.raises(ConfigurationError):
        voiso.leads.add(campaign, phones(1))
    assert [] == stage.sandbox.history
