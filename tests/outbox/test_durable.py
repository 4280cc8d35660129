"""An outbox as a call of the lanes: what is lent, what leaves, what is written down, and who hears of it."""

import asyncio
import random
from typing import Any

import pytest
from fake_campaign import FakeCampaigns, busy, check, lost, phones, status, unsent, without
from fake_store import MemoryStore, durable_engine

from voiso_async.errors import AuthenticationError, ClientClosedError, OutboxError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.dispatcher import Dispatcher, drain, run

pytestmark = pytest.mark.virtual


def stage(count: int, campaign: int = 3, **server: object) -> tuple[FakeCampaigns, MemoryStore]:
    store = MemoryStore()
    store.put(campaign, phones(count))
    return FakeCampaigns(**server), store  # type: ignore[arg-type]


def nothing_is_claimed(store: MemoryStore) -> bool:
    return not any(row.flying or (row.claimed and row.outcome is None) for row in store.rows)


async def test_a_store_is_drained_in_full_batches() -> None:
    server, store = stage(2500)
    report = await drain(durable_engine(server, store), store)
    assert [1000, 1000, 500] == [len(post.leads) for post in server.history]
    assert {Outcome.CREATED} == set(store.outcomes())
    assert 2500 == report.rows == report.counts[Outcome.CREATED]
    assert 3 == report.batches
    check(server, [report])


async def test_an_empty_store_is_drained_at_once() -> None:
    server, store = stage(0)
    report = await drain(durable_engine(server, store), store)
    assert 0 == report.rows
    assert [] == server.history


async def test_a_single_lead_rides_the_next_batch_of_a_drain() -> None:
    server, store = stage(3000)
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await asyncio.sleep(0.1)
    report = await Ingestion(batcher, Operation.ADD, 3, ["12015550100"])
    assert 1 == report.counts[Outcome.CREATED]
    assert [1000, 1000] == [len(post.leads) for post in server.history]
    await draining
    assert [1000, 1000, 1000, 1] == [len(post.leads) for post in server.history]
    check(server, [report])


async def test_a_drain_and_a_long_call_share_each_batch() -> None:
    server, store = stage(2000)
    batcher = durable_engine(server, store)
    report, _ = await asyncio.gather(
        Ingestion(batcher, Operation.ADD, 3, phones(2000, start=50_000)), drain(batcher, store)
    )
    mixed = [sum(phone < phones(1, start=50_000)[0] for phone in post.phones) for post in server.history[1:3]]
    assert [500, 500] == mixed
    assert 2000 == report.counts[Outcome.CREATED]
    check(server, [report])


async def test_a_phone_that_both_bring_goes_in_two_batches() -> None:
    server, store = stage(3)
    batcher = durable_engine(server, store)
    report, drained = await asyncio.gather(Ingestion(batcher, Operation.ADD, 3, phones(3)), drain(batcher, store))
    outcomes = sorted([*[o.outcome for o in report.outcomes], *[o for o in store.outcomes() if o]])
    assert [Outcome.CREATED] * 3 + [Outcome.DUPLICATE] * 3 == outcomes
    assert 3 == drained.rows
    check(server, [report])


@pytest.mark.parametrize("first", [0, 400, None])
async def test_a_lost_answer_is_settled_by_the_same_rows(first: int | None) -> None:
    server, store = stage(1500)
    server.script = [lost(first)]
    report = await drain(durable_engine(server, store), store)
    assert server.history[0].phones == server.history[1].phones
    applied = 1000 if first is None else first
    assert applied == report.counts[Outcome.CONFIRMED]
    assert 1500 - applied == report.counts[Outcome.CREATED]
    assert 1000 == report.doubted
    check(server, [report])


@pytest.mark.parametrize("fault", [busy, unsent, lambda: lost(0)], ids=["busy", "unsent", "lost"])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_an_old_batch_goes_again_before_fresh_rows_do(fault: Any, times: int) -> None:
    """What was planned when it came is forgotten: it would be sent in its place, and the old batch be lost."""
    server, store = stage(20)
    for row in store.rows[:10]:
        row.doubts, row.group = 1, 7
    server.script = [unsent if fault is unsent else fault() for _ in range(times)]
    report = await asyncio.wait_for(drain(durable_engine(server, store), store), 300)
    assert [set(phones(10))] * (times + 1) == [set(post.phones) for post in server.history[: times + 1]]
    assert 20 == report.rows
    check(server, [report])


async def test_an_old_batch_goes_first_and_alone() -> None:
    server, store = stage(1200)
    for row in store.rows[3:10]:
        row.doubts, row.group = 1, 7
    server.members[3] = {row.phone for row in store.rows[3:6]}
    batcher = durable_engine(server, store)
    single = asyncio.create_task(_added(batcher, "12015550100"))
    await drain(batcher, store)
    await single
    old = next(post for post in server.history if phones(1, start=3)[0] in post.phones)
    assert [row.phone for row in store.rows[3:10]] == old.phones
    assert [Outcome.CONFIRMED] * 3 + [Outcome.CREATED] * 4 == store.outcomes()[3:10]


async def _added(batcher: LeadBatcher, phone: str) -> None:
    await Ingestion(batcher, Operation.ADD, 3, [phone])


async def test_doubt_used_up_in_an_earlier_life_counts() -> None:
    """Attempts persist: a batch that was lost four times before is parked after its fifth."""
    server, store = stage(10)
    for row in store.rows:
        row.doubts, row.group = 4, 1
    server.script = [lost(0)]
    report = await drain(durable_engine(server, store), store)
    assert 1 == len(server.history)
    assert {Outcome.UNKNOWN} == set(store.outcomes())
    assert 10 == report.counts[Outcome.UNKNOWN]


async def test_a_phone_doubted_in_another_job_is_confirmed_not_duplicate() -> None:
    server, store = stage(1)
    store.put(3, phones(1), job="k")
    store.rows[0].doubts, store.rows[0].outcome = 1, Outcome.UNKNOWN
    server.members[3] = set(phones(1))
    await drain(durable_engine(server, store), store)
    assert Outcome.CONFIRMED is store.rows[1].outcome


@pytest.mark.parametrize("fault", [busy(), unsent], ids=["busy", "unsent"])
async def test_what_was_not_taken_goes_again_and_costs_no_doubt(fault: object) -> None:
    server, store = stage(1500)
    server.script = [fault, fault]  # type: ignore[list-item]
    report = await drain(durable_engine(server, store), store)
    assert 1500 == report.counts[Outcome.CREATED]
    assert 0 == report.doubted
    check(server, [report])


async def test_rows_left_out_of_an_answer_ride_once_more() -> None:
    server, store = stage(20)
    server.script = [without(4), without(2)]
    report = await drain(durable_engine(server, store), store)
    assert 2 == report.counts[Outcome.UNREPORTED]
    assert 2 == report.counts[Outcome.CONFIRMED]
    assert 16 == report.counts[Outcome.CREATED]


async def test_a_poisoned_row_is_found_and_everything_else_arrives() -> None:
    server, store = stage(300)
    poisoned = {phones(300)[17], phones(300)[250]}
    server.members[3] = {"12015550199"}
    server.poison = lambda lead: "is bad" if lead["phone_number"] in poisoned else None
    batcher = durable_engine(server, store)
    await Ingestion(batcher, Operation.ADD, 3, ["12015550100"])
    report = await drain(batcher, store)
    assert 2 == report.counts[Outcome.REJECTED]
    assert 298 == report.counts[Outcome.CREATED]
    assert poisoned == {row.phone for row in store.rows if row.outcome is Outcome.REJECTED}
    check(server, [report])


async def test_a_batch_that_is_too_large_is_cut() -> None:
    server, store = stage(1000)
    server.script = [status(413)]
    report = await drain(durable_engine(server, store), store)
    assert 1000 == report.counts[Outcome.CREATED]
    assert all(len(post.leads) <= 600 for post in server.history[1:3])


async def test_a_campaign_that_is_refused_is_given_up_and_others_go_on() -> None:
    server, store = stage(1500)
    store.put(4, phones(1200, start=20_000))
    server.script = [status(404, {"error": "Not found"})]
    batcher = durable_engine(server, store)
    with pytest.raises(Exception, match="404") as caught:
        await drain(batcher, store)
    assert 1200 == caught.value.report.counts[Outcome.CREATED]  # type: ignore[attr-defined]
    assert [3] == list(store.suspended)
    assert "404" in str(store.suspended[3])
    assert 1500 == store.outcomes().count(None)
    assert nothing_is_claimed(store)
    assert 1500 == (await drain(batcher, store)).counts[Outcome.CREATED]


async def test_a_run_tries_a_campaign_again_after_five_minutes() -> None:
    server, store = stage(5)
    server.script = [status(401, {"error": "Unauthorized"})]
    batcher = durable_engine(server, store)
    running = asyncio.create_task(run(batcher, store))
    await asyncio.sleep(290)
    assert 1 == len(server.history)
    await asyncio.sleep(20)
    assert {Outcome.CREATED} == set(store.outcomes())
    store.put(3, phones(5, start=100))
    await asyncio.sleep(5)
    assert {Outcome.CREATED} == set(store.outcomes())
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    await batcher.aclose(0)
    assert nothing_is_claimed(store)


async def test_a_cancelled_drain_lets_the_post_end_and_gives_the_rest_back() -> None:
    server, store = stage(3000, seconds=5.0)
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await asyncio.sleep(1)
    draining.cancel()
    await asyncio.wait({draining})
    assert draining.cancelled()
    await asyncio.sleep(10)
    assert 1 == len(server.history)
    assert 1000 == store.outcomes().count(Outcome.CREATED)
    assert nothing_is_claimed(store)


async def test_a_drain_that_is_cancelled_while_the_server_is_busy_gives_the_batch_back() -> None:
    server, store = stage(1000)
    server.script = [busy(headers={"retry-after": "60"})]
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await asyncio.sleep(10)
    draining.cancel()
    await asyncio.wait({draining})
    await asyncio.sleep(0.1)
    assert nothing_is_claimed(store)
    report = await drain(batcher, store)
    assert 1000 == report.counts[Outcome.CREATED]
    check(server, [report])


async def test_a_drain_that_leaves_takes_nothing_from_another() -> None:
    server, store = stage(600)
    store.put(3, phones(600, start=10_000), job="k")
    server.script = [busy(headers={"retry-after": "30"})]
    batcher = durable_engine(server, store)
    leaving = asyncio.create_task(drain(batcher, store, "j"))
    await asyncio.sleep(0.1)
    staying = asyncio.create_task(drain(batcher, store, "k"))
    await asyncio.sleep(10)
    leaving.cancel()
    report = await staying
    assert 600 == report.counts[Outcome.CREATED]
    assert [None] * 600 == store.outcomes()[:600]
    assert nothing_is_claimed(store)
    await drain(batcher, store)
    check(server, [report])


async def test_a_close_cuts_the_post_short_and_its_rows_are_doubted() -> None:
    server, store = stage(1500, seconds=50.0)
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await asyncio.sleep(1)
    await batcher.aclose(grace=0.5)
    with pytest.raises(ClientClosedError):
        await draining
    assert {1} == {row.doubts for row in store.rows[:1000]}
    assert {0} == {row.doubts for row in store.rows[1000:]}
    assert nothing_is_claimed(store)


async def test_what_cannot_be_written_down_is_told_as_such() -> None:
    """132: the outbox keeps its rows in flight, the direct caller has its outcome, nothing more is sent."""
    server, store = stage(1500)
    store.fail_closing = 1
    batcher = durable_engine(server, store)
    single = asyncio.create_task(_added(batcher, "12015550100"))
    with pytest.raises(OutboxError) as caught:
        await drain(batcher, store)
    await asyncio.sleep(0.1)
    assert caught.value.outcomes
    assert {Outcome.CREATED} == {outcome.outcome for outcome in caught.value.outcomes}
    assert 1 == len(server.history)
    assert None is store.rows[0].outcome
    assert single.done()


async def test_a_turn_that_comes_too_late_is_not_used() -> None:
    server, store = stage(100)
    store.late = 2
    report = await drain(durable_engine(server, store), store)
    assert 100 == report.counts[Outcome.CREATED]
    assert 1 == len(server.history)
    assert 3 == store.turns


async def test_adds_and_updates_alternate() -> None:
    server, store = stage(2000)
    store.put(3, phones(2000), Operation.UPDATE)
    await drain(durable_engine(server, store), store)
    assert ["add", "update"] * 2 == [post.operation for post in server.history]


async def test_one_job_is_drained_and_others_wait() -> None:
    server, store = stage(10)
    store.put(3, phones(10, start=100), job="k")
    await drain(durable_engine(server, store), store, "k")
    assert [None] * 10 + [Outcome.CREATED] * 10 == store.outcomes()


async def test_a_drain_waits_for_more_that_is_being_loaded() -> None:
    server, store = stage(10)
    loading = asyncio.create_task(_put_later(store))
    async with Dispatcher(durable_engine(server, store), store) as dispatcher:
        await dispatcher.until_empty(feeding=loading)
    assert {Outcome.CREATED} == set(store.outcomes())
    assert 20 == len(store.rows)


async def _put_later(store: MemoryStore) -> None:
    await asyncio.sleep(3)
    store.put(3, phones(10, start=100))


async def test_a_key_that_is_refused_ends_a_drain_with_its_error() -> None:
    server, store = stage(10)
    server.script = [status(401, {"error": "Unauthorized"})]
    with pytest.raises(AuthenticationError):
        await drain(durable_engine(server, store), store)
    assert [None] * 10 == store.outcomes()


@pytest.mark.parametrize("seed", range(30))
async def test_any_schedule_leaves_every_row_with_one_true_outcome(seed: int) -> None:
    chance = random.Random(seed)
    server, store = stage(chance.randint(1, 2500), seconds=chance.choice([0.1, 3.0]))
    store.put(4, phones(chance.randint(0, 1200), start=30_000))
    faults = [None, None, lost(0), lost(None), lost(7), busy(), unsent, status(503), without(3), status(413)]
    server.script = [chance.choice(faults) for _ in range(12)]
    batcher = durable_engine(server, store)
    reports = []
    for _ in range(6):
        draining = asyncio.create_task(drain(batcher, store))
        singles = [asyncio.create_task(_added(batcher, f"12015550{n:03}")) for n in range(chance.randint(0, 3))]
        if chance.random() < 0.5:
            await asyncio.sleep(chance.uniform(0, 8))
            draining.cancel()
        await asyncio.wait({draining, *singles})
        if not draining.cancelled() and draining.exception() is None:
            reports.append(draining.result())
        for single in singles:
            single.cancelled() or single.exception()
    while any(outcome is None for outcome in store.outcomes()):
        reports.append(await drain(batcher, store))
    assert nothing_is_claimed(store)
    check(server, reports)
    for row in store.rows:
        member = row.phone in server.members.get(row.campaign, set())
        assert member or row.outcome in {Outcome.UNKNOWN, Outcome.UNREPORTED, Outcome.REJECTED}
    for row in store.rows:
        if row.outcome is Outcome.CREATED:
            assert any(row.phone in post.listed.get("created", []) for post in server.history)
    await batcher.aclose(0)
