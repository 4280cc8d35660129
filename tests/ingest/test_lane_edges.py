"""The lane at its edges: leads read in the tick of a stop, hooks that raise, refusals that never end."""

import asyncio
import gc
import tracemalloc
from collections import deque
from collections.abc import AsyncIterator, ItemsView, Iterator
from typing import Any

import pytest
from fake_campaign import (
    ORIGIN,
    FakeCampaigns,
    Post,
    check,
    engine,
    explain,
    lost,
    phones,
    reply,
    status,
    unsent,
    without,
)
from report_in import report_in

from voiso_async.errors import APIError, ClientClosedError, ConnectError, VoisoError
from voiso_async.events import Event, EventHook, LaneStopped
from voiso_async.ingest.accumulator import Accumulator
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import LocalGate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.models.leads import Lead, LeadUpdate
from voiso_async.wire import Response

pytestmark = pytest.mark.virtual

ADD, UPDATE = Operation.ADD, Operation.UPDATE
FORBIDDEN = {"error": "Forbidden"}
HOUR = 3600.0


def counts(report: IngestReport) -> dict[str, int]:
    return {outcome.value: count for outcome, count in report.counts.items() if count}


async def add(batcher: LeadBatcher, leads: Any, campaign: int = 3, **options: Any) -> IngestReport:
    return await Ingestion(batcher, ADD, campaign, leads, **options)


async def report_of(call: asyncio.Task[IngestReport]) -> IngestReport:
    """Whatever ended the call, there is a report."""
    try:
        return await call
    except VoisoError as error:
        report: IngestReport = report_in(error)
        return report


def now() -> float:
    return asyncio.get_running_loop().time()


def listening(server: FakeCampaigns, hook: Any, explains: Any = explain) -> LeadBatcher:
    return LeadBatcher(
        server.post, LocalGate(ORIGIN, 2.0, now), explains, policy=LanePolicy(), hook=EventHook(hook), clock=now
    )


# Leads read in the tick of an ending


async def test_a_lead_read_in_the_tick_of_the_close_has_an_outcome() -> None:
    leads: asyncio.Queue[str] = asyncio.Queue()

    async def source() -> AsyncIterator[str]:
        while True:
            yield await leads.get()

    batcher = engine(FakeCampaigns())
    call = asyncio.create_task(add(batcher, source()))
    await asyncio.sleep(1)
    leads.put_nowait(phones(1)[0])
    await batcher.aclose()
    with pytest.raises(ClientClosedError) as caught:
        await call
    assert report_in(caught.value).balanced


async def test_a_lead_read_in_the_tick_of_a_stop_has_an_outcome() -> None:
    leads: asyncio.Queue[str] = asyncio.Queue()

    def refuse(server: FakeCampaigns, post: Post) -> Response | Exception:
        leads.put_nowait(phones(1, 5)[0])
        return status(403, FORBIDDEN)(server, post)

    async def source() -> AsyncIterator[str]:
        yield phones(1)[0]
        while True:
            yield await leads.get()

    with pytest.raises(APIError) as caught:
        await add(engine(FakeCampaigns(script=[refuse])), source())
    assert report_in(caught.value).balanced


async def test_a_source_that_raises_after_a_stop_does_not_hide_the_cause() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            yield phones(1)[0]
            await asyncio.sleep(HOUR)
        except asyncio.CancelledError:
            raise LookupError("clean-up failed") from None

    with pytest.raises(APIError):
        await add(engine(FakeCampaigns(script=[status(403, FORBIDDEN)])), source())


# Streams


async def test_streamed_outcomes_do_not_wait_for_the_next_lead() -> None:
    """A source may wait for the outcome of its last lead before it yields another."""
    leads: asyncio.Queue[str | None] = asyncio.Queue()
    leads.put_nowait(phones(1)[0])

    async def source() -> AsyncIterator[str]:
        while (lead := await leads.get()) is not None:
            yield lead

    async with asyncio.timeout(HOUR):
        seen = 0
        async for _ in Ingestion(engine(FakeCampaigns()), ADD, 3, source()):
            seen += 1
            leads.put_nowait(phones(1, seen)[0] if seen < 3 else None)
    assert 3 == seen


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_stream_of_invalid_leads_lets_other_tasks_run(*, asynchronous: bool) -> None:
    """At most one buffer of outcomes is handed out between two turns of the event loop."""
    leads, ticks = ["bad"] * 20_000, 0

    async def give() -> AsyncIterator[str]:
        for lead in leads:
            yield lead

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    at_tick: dict[int, int] = {}
    async for _ in Ingestion(engine(FakeCampaigns()), ADD, 3, give() if asynchronous else leads):
        at_tick[ticks] = at_tick.get(ticks, 0) + 1
    ticking.cancel()
    assert len(leads) == sum(at_tick.values())
    assert max(at_tick.values()) <= LanePolicy().buffer_rows


# Closing


async def test_tasks_that_share_an_iteration_miss_no_outcome() -> None:
    ingestion = Ingestion(engine(FakeCampaigns()), ADD, 3, phones(2500))
    seen: list[int] = []

    async def reads() -> None:
        async for outcome in ingestion:
            seen.append(outcome.index)
            await asyncio.sleep(0)

    await asyncio.gather(*(reads() for _ in range(5)))
    assert list(range(2500)) == sorted(seen)


def rests(batcher: LeadBatcher) -> bool:
    """Whether the lane has rows that it may not send, because their caller does not read outcomes."""
    lane = batcher.statuses()[0]
    return "idle" == lane.state and lane.rows_waiting > 0


async def test_a_row_whose_post_is_in_flight_at_the_close_is_never_not_sent() -> None:
    """A lane that waits for a slow consumer starts again while another gets its grace."""
    server = FakeCampaigns(seconds=5)
    batcher = engine(server, max_rows=10)
    slow = Ingestion(batcher, ADD, 3, phones(200))
    await anext(slow)
    while not rests(batcher):
        await anext(slow)
        await asyncio.sleep(1)
    other = asyncio.create_task(add(batcher, phones(1), campaign=4))
    await asyncio.sleep(0.1)
    closing = asyncio.create_task(batcher.aclose(grace=30))
    await asyncio.sleep(2)
    while rests(batcher):
        await anext(slow)
    await anext(slow)
    await closing
    await other
    await asyncio.sleep(30)
    with pytest.raises(ClientClosedError) as caught:
        async for _ in slow:
            pass
    check(server, [report_in(caught.value)])
    untouched = {o.phone for o in report_in(caught.value).outcomes if Outcome.NOT_SENT is o.outcome}
    assert untouched
    assert set() == untouched & server.members[3]


async def test_after_the_last_answer_the_close_waits_for_nothing() -> None:
    batcher = engine(FakeCampaigns())
    await add(batcher, phones(1000))
    ended = now()
    await batcher.aclose()
    assert ended == pytest.approx(now())


async def test_a_stop_because_nothing_left_does_not_delay_the_next_call() -> None:
    server = FakeCampaigns(script=[unsent])
    batcher = engine(server, unsent_for=0)
    with pytest.raises(ConnectError):
        await add(batcher, phones(1))
    stopped = now()
    await add(batcher, phones(1))
    assert server.seconds == pytest.approx(now() - stopped)


# Sources and hooks that raise


@pytest.mark.parametrize(
    ("kind", "outcome"), [("BatchSent", "unknown"), ("BatchAnswered", "unknown"), ("LaneStopped", "not_sent")]
)
async def test_a_hook_that_cancels_the_lane_leaves_no_call_behind(kind: str, outcome: str) -> None:
    """Outcomes from before the hook stay; the rows of a batch in flight get none."""
    server = FakeCampaigns(script=[status(403, FORBIDDEN)] if kind == "LaneStopped" else [])

    def hook(event: Event) -> None:
        if type(event).__name__ == kind:
            raise asyncio.CancelledError

    batcher = listening(server, hook)
    calls = [asyncio.create_task(add(batcher, phones(2, 10 * i))) for i in range(2)]
    async with asyncio.timeout(600):
        reports = [await report_of(call) for call in calls]
    assert [{outcome: 2}] * 2 == [counts(report) for report in reports]


async def test_an_answer_that_cannot_be_explained_is_no_proof_of_not_sent() -> None:
    def explains(*_: Any) -> APIError:
        raise ZeroDivisionError

    server = FakeCampaigns(script=[status(403, FORBIDDEN, apply=True)])
    report = await report_of(asyncio.create_task(add(listening(server, [].append, explains), phones(1))))
    assert {"unknown": 1} == counts(report)


async def test_one_stop_of_fifty_calls_is_told_once() -> None:
    events: list[Event] = []
    batcher = listening(FakeCampaigns(script=[status(403, FORBIDDEN)]), events.append)
    await asyncio.gather(*(add(batcher, [phone]) for phone in phones(50)), return_exceptions=True)
    assert 1 == sum(isinstance(event, LaneStopped) for event in events)


@pytest.mark.row(200)
async def test_of_a_text_that_lies_the_true_text_is_sent() -> None:
    class Sly(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "a\r\nX-Evil: 1"

    server = FakeCampaigns()
    await add(engine(server), [{"phone_number": phones(1)[0], "context_headers": {"X-A": Sly("fine")}}])
    assert {"X-A": "fine"} == server.history[0].leads[0]["context_headers"]


# Doubt


async def test_a_refused_update_does_not_clear_the_doubt_of_an_add() -> None:
    [phone] = phones(1)

    def not_found(_: FakeCampaigns, post: Post) -> Response:
        return reply(200, {"leads_update": {"rejected": post.phones}})

    batcher = engine(FakeCampaigns(script=[lost(None), not_found]), on_doubt="report")
    await add(batcher, [phone])
    await Ingestion(batcher, UPDATE, 3, [LeadUpdate(phone, priority=5)])
    assert {"confirmed": 1} == counts(await add(batcher, [phone]))


async def test_a_doubted_row_of_an_exhausted_search_is_not_rejected() -> None:
    """The attempt whose answer was lost added it to the campaign."""
    refuse = status(422, {"errors": {"name": ["is not allowed"]}})
    server = FakeCampaigns(script=[None, lost(None), refuse, refuse, refuse])
    batcher = engine(server, max_extra_posts=2, cooldown=0)
    await add(batcher, phones(1, 9000))
    report = await report_of(asyncio.create_task(add(batcher, phones(100))))
    check(server, [report], cooldown=0)
    assert {"unknown": 100} == counts(report)


async def test_policy_report_never_sends_twice_what_an_answer_left_out() -> None:
    server = FakeCampaigns(script=[without(1)])
    report = await add(engine(server, on_doubt="report"), phones(2))
    assert 1 == len(server.history)
    assert {"created": 1, "unreported": 1} == counts(report)


# Refusals


async def test_many_rows_named_by_the_server_do_not_fail_the_others() -> None:
    """The server names more rows than POSTs are allowed; still the others are found to be good."""

    def name_all(server: FakeCampaigns, post: Post) -> Response:
        bad = [i for i, lead in enumerate(post.leads) if lead.get("name") == "bad"]
        if not bad:
            return server.answer(post)
        post.told = "refused"
        return reply(422, {"errors": {f"{i}.name": ["is not allowed"] for i in bad}})

    server = FakeCampaigns(script=[name_all] * 100)
    leads = [Lead(phone, name="bad" if i < 70 else "fine") for i, phone in enumerate(phones(1000))]
    report = await add(engine(server), leads)
    check(server, [report])
    assert {"created": 930, "rejected": 70} == counts(report)


async def test_a_server_that_finds_everything_too_large_stops_the_lane() -> None:
    """Ten single leads in a row refused for their size: the server accepts nothing at all."""
    server = FakeCampaigns(script=[status(413)] * 3000)
    with pytest.raises(APIError) as caught:
        await add(engine(server), phones(3000))
    check(server, [report_in(caught.value)])
    assert 413 == caught.value.status
    assert {"rejected": 10, "not_sent": 2990} == counts(report_in(caught.value))
    assert len(server.history) < 50


async def test_a_campaign_refused_in_mid_run_stops_the_lane_and_condemns_nobody_unheard() -> None:
    """Only what was refused alone may be REJECTED."""
    ended = status(422, {"errors": {"campaign": ["is stopped"]}})
    server = FakeCampaigns(script=[None] * 3 + [ended] * 1000)
    with pytest.raises(APIError) as caught:
        await add(engine(server), phones(20_000))
    check(server, [])
    report = report_in(caught.value)
    assert report.balanced
    alone = {post.phones[0] for post in server.history if 1 == len(post.leads)}
    assert {o.phone for o in report.problems if Outcome.REJECTED is o.outcome} <= alone
    assert report.counts[Outcome.REJECTED] <= len(alone)
    assert 3000 == report.counts[Outcome.CREATED]
    assert len(server.history) <= 130


# What it costs


async def test_a_waiting_call_of_one_lead_is_small() -> None:
    batcher = engine(FakeCampaigns())
    tracemalloc.start()
    calls = [asyncio.create_task(add(batcher, [phone])) for phone in phones(500)]
    await asyncio.sleep(0.01)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await asyncio.gather(*calls)
    assert size / 500 < 20_000


async def test_the_oldest_age_is_that_of_the_oldest_row_that_waits() -> None:
    batcher = engine(FakeCampaigns())
    call = asyncio.create_task(add(batcher, phones(60_000)))
    await asyncio.sleep(60)
    assert 0 < batcher.statuses()[0].oldest_age < 10
    call.cancel()


async def test_the_garbage_collector_need_not_look_at_rows_wherever_they_are() -> None:
    def holders(row: Row) -> list[object]:
        gc.collect()
        return [one for one in gc.get_referrers(row) if isinstance(one, list | tuple | dict | set | deque)]

    accumulator = Accumulator()
    call = LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
    call.add(phones(1500))
    accumulator.add(call)
    assert [] == holders(next(iter(call.waiting.values())))
    accumulator.next()
    batch = accumulator.take(1000, 10**7)
    assert batch is not None
    assert [] == holders(batch.rows[0])
    there = list(call.waiting.values())
    assert [there] == holders(there[0])


async def test_many_updates_of_one_phone_are_not_all_looked_at_for_each_batch() -> None:
    looks = 0

    class Looked(ItemsView[int, Row]):
        def __iter__(self) -> Iterator[tuple[int, Row]]:
            nonlocal looks
            for item in super().__iter__():
                looks += 1
                yield item

    class Counted(dict[int, Row]):
        def items(self) -> ItemsView[int, Row]:  # type: ignore[override]
            return Looked(self)

    accumulator = Accumulator()
    for _ in range(100):
        call = LeadSubmission(UPDATE, LanePolicy(), lambda: 0.0, dedupe=False, streamed=False)
        call.waiting = Counted()
        for _ in range(100):
            call.add([{"phone_number": phones(1)[0], "priority": 1}])
        accumulator.add(call)
    accumulator.next()
    batch = accumulator.take(1000, 10**7)
    assert batch is not None
    assert 1 == len(batch.rows)
    assert 100 <= looks <= 2 * 1000
