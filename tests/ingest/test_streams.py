"""A call whose outcomes are iterated: what a consumer that leaves costs, and that one that stays loses nothing."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from attrs import Factory, frozen
from fake_campaign import FakeCampaigns, busy, check, engine, lost, phones, status
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop

from voiso_async.errors import UsageError
from voiso_async.ingest import gate
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation

ADD = Operation.ADD
SLACK = 10 * LanePolicy().stall + 0.01
"""How long a batch waits for a slow source to fill it."""


def now() -> float:
    return asyncio.get_running_loop().time()


class LeftError(Exception):
    """An exception of the consumer's own code."""


@frozen(kw_only=True)
class Consumer:
    """How a consumer reads its outcomes, and when and how it leaves."""

    way: str
    named: bool = True
    context: bool = False
    pause: float = 0.0
    every: int = 1
    reads: int = 10**9
    leaves: float | None = None
    seen: list[LeadOutcome] = Factory(list)
    left: list[float] = Factory(list)

    async def run(self, make: Callable[[], Ingestion], keeps: list[Ingestion]) -> None:
        """Read; record the time of leaving before anything else can happen."""
        call = make()
        if self.named:
            keeps.append(call)
        try:
            async with call if self.context else nullcontext():
                await self._read(call)
        finally:
            self.left.append(now())

    async def _read(self, call: Ingestion) -> None:
        async for outcome in call:
            self.seen.append(outcome)
            assert call.report.balanced
            if len(self.seen) == self.reads:
                if self.way == "break":
                    break
                if self.way == "raise":
                    raise LeftError
                await asyncio.sleep(10**6)  # its task is cancelled here
            if self.pause and len(self.seen) % self.every == 0:
                await asyncio.sleep(self.pause)


async def consumed(consumer: Consumer, make: Callable[[], Ingestion]) -> list[Ingestion]:
    """Run a consumer until it has left; return its calls."""
    keeps: list[Ingestion] = []
    task = asyncio.create_task(consumer.run(make, keeps))
    if consumer.way == "cancel" and consumer.leaves is None:
        while len(consumer.seen) < consumer.reads and not task.done():  # noqa: ASYNC110 - it has no event to set
            await asyncio.sleep(0.001)
        task.cancel()
    elif consumer.leaves is not None:
        asyncio.get_running_loop().call_later(consumer.leaves, task.cancel)
    for error in await asyncio.gather(task, return_exceptions=True):
        if not isinstance(error, LeftError | asyncio.CancelledError | None):
            raise error
    return keeps


WAYS = ["break", "raise", "cancel"]
READS = [1, 2, 19, 20, 21, 500, 999, 1000, 1001, 1020, 1999, 2000, 2001]


@pytest.mark.virtual
@pytest.mark.parametrize("context", [False, True], ids=["bare", "context"])
@pytest.mark.parametrize("named", [False, True], ids=["dropped", "named"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pause", [0.0, 0.0011, 0.003])
async def test_after_its_consumer_has_left_nothing_of_a_call_begins(
    way: str, pause: float, *, named: bool, context: bool
) -> None:
    for reads in READS:
        gate._GATES.clear()
        await left_after(Consumer(way=way, named=named, context=context, pause=pause, reads=reads))


async def left_after(consumer: Consumer) -> None:
    server = FakeCampaigns(seconds=0.7)
    batcher = engine(server)
    keeps = await consumed(consumer, lambda: Ingestion(batcher, ADD, 3, phones(5000)))
    gc.collect()
    await asyncio.sleep(60)
    assert all(post.began <= consumer.left[0] for post in server.history)
    for call in keeps:
        assert call.report.balanced
        assert call.report.counts[Outcome.CREATED] == sum(len(post.leads) for post in server.history)
        assert consumer.context is (call.report.pending == 0)
    await batcher.aclose()
    assert all(call.report.pending == 0 for call in keeps)
    check(server, [call.report for call in keeps])


@pytest.mark.virtual
async def test_a_call_left_while_its_client_closes_sends_nothing_more() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    call = Ingestion(batcher, ADD, 3, phones(5000))
    async for outcome in call:
        if outcome.index == 700:
            break
    left = now()
    await batcher.aclose()
    assert left == now()
    check(server, [call.report])
    assert 1 == len(server.history)


@pytest.mark.virtual
@pytest.mark.parametrize(
    ("pause", "every"),
    [(0.0, 1), (0.001, 1), (0.0019, 1), (0.0022, 1), (0.0024, 1), (1.9, 1000), (0.9, 500), (0.2, 100)],
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["list", "async"])
async def test_a_consumer_that_keeps_up_loses_nothing(pause: float, every: int, *, asynchronous: bool) -> None:
    """Full batches, each as soon as the gate opens: 2.5 seconds after the one before."""

    async def source() -> AsyncIterator[str]:
        for phone in phones(8000):
            yield phone

    server = FakeCampaigns()
    batcher = engine(server)
    consumer = Consumer(way="break", pause=pause, every=every)
    await consumed(consumer, lambda: Ingestion(batcher, ADD, 3, source() if asynchronous else phones(8000)))
    assert [1000] * 8 == [len(post.leads) for post in server.history]
    pace = [after.began - before.began for before, after in zip(server.history, server.history[1:], strict=False)]
    assert [pytest.approx(2.5, abs=0.05)] * 7 == pace


@pytest.mark.virtual
async def test_a_busy_consumer_holds_no_other_call() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    slow = Consumer(way="break", pause=7.0, reads=20)
    consuming = asyncio.create_task(consumed(slow, lambda: Ingestion(batcher, ADD, 3, phones(5000))))
    await asyncio.sleep(0.1)
    waited = []
    for number in range(5):
        began = now()
        await Ingestion(batcher, ADD, 3, phones(1, 9000 + number))
        waited.append(now() - began)
    assert [pytest.approx(2.5)] * 4 == waited[1:]
    await consuming
    await batcher.aclose()


@pytest.mark.virtual
async def test_a_stream_rides_along_with_other_calls_at_every_turn() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    consumer = Consumer(way="break", pause=0.001)
    consuming = asyncio.create_task(consumed(consumer, lambda: Ingestion(batcher, ADD, 3, phones(5000))))
    await asyncio.sleep(0)
    while not consuming.done():
        await Ingestion(batcher, ADD, 3, phones(1, 9000 + len(server.history)))
    assert {1000} == {len(post.leads) for post in server.history[1:5]}


@pytest.mark.virtual
@pytest.mark.parametrize("leads", [["bad"] * 5000, phones(1) * 5000, [], [*phones(1000), *["bad"] * 3000]])
@pytest.mark.parametrize("pause", [0.0, 0.0005])
async def test_outcomes_without_a_post_come_all_the_same(leads: list[str], pause: float) -> None:
    server = FakeCampaigns()
    consumer = Consumer(way="break", pause=pause)
    (call,) = await consumed(consumer, lambda: Ingestion(engine(server), ADD, 3, leads))
    assert list(range(len(leads))) == sorted(outcome.index for outcome in consumer.seen)
    check(server, [call.report])


@pytest.mark.virtual
async def test_the_report_of_a_call_balances_while_it_runs() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    call = Ingestion(batcher, ADD, 3, [*phones(2500), "bad"])
    task = asyncio.ensure_future(call._whole())
    seen = set()
    await asyncio.sleep(0)
    while not task.done():
        report = call.report
        assert report.rows == report.pending + sum(report.counts.values())
        assert report.balanced
        assert not report.ok
        seen.add(report.pending)
        await asyncio.sleep(0.1)
    assert {2500, 1500, 500} <= seen
    assert (0, "invalid 1") == (call.report.pending, str(call.report).rpartition(" · ")[2])


# One call, several tasks


@pytest.mark.virtual
async def test_a_call_is_awaited_or_iterated_and_never_both() -> None:
    batcher = engine(FakeCampaigns())
    awaited = Ingestion(batcher, ADD, 3, phones(5))
    task = asyncio.ensure_future(awaited._whole())
    await asyncio.sleep(0.1)
    for _ in range(2):
        with pytest.raises(UsageError, match="awaited or iterated"):
            await anext(awaited)
        await task
    assert (await task).ok
    iterated = Ingestion(batcher, ADD, 3, phones(5, 100))
    await anext(iterated)
    with pytest.raises(UsageError, match="awaited or iterated"):
        await iterated
    assert 4 == len([outcome async for outcome in iterated]), "the iteration goes on undisturbed"
    assert [] == [outcome async for outcome in iterated], "as every iterator that is at its end"


# Whatever happens meanwhile

FAULTS = {"none": None, "lost": lost(1), "busy": busy(), "too large": status(413)}
KINDS = st.sampled_from(["own", "own", "own", "invalid", "again"])
CONSUMERS = st.builds(
    Consumer,
    way=st.sampled_from(WAYS),
    named=st.booleans(),
    context=st.booleans(),
    pause=st.sampled_from([0, 0.001, 0.1, 1, 3]),
    reads=st.integers(1, 60),
    leaves=st.none() | st.floats(0, 30),
)


def leads_of(kinds: list[str]) -> Iterator[str]:
    for index, kind in enumerate(kinds):
        yield "bad" if kind == "invalid" else phones(1, 0 if kind == "again" else index)[0]


async def slowly(leads: Iterator[str], pause: float) -> AsyncIterator[str]:
    for lead in leads:
        await asyncio.sleep(pause)
        yield lead


async def others(batcher: LeadBatcher, count: int) -> None:
    """Calls that share the lane, one after the other."""
    for number in range(count):
        assert (await Ingestion(batcher, ADD, 3, phones(1, 500 + number))).rows == 1


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    consumer=CONSUMERS,
    kinds=st.lists(KINDS, min_size=1, max_size=60),
    comes=st.none() | st.sampled_from([0, 0.005, 0.3]),
    faults=st.lists(st.sampled_from(list(FAULTS)), max_size=12),
    riders=st.integers(0, 6),
    seconds=st.sampled_from([0, 0.5, 4]),
)
def test_leaving_costs_at_most_the_batch_on_its_way(
    *,
    consumer: Consumer,
    kinds: list[str],
    comes: float | None,
    faults: list[str],
    riders: int,
    seconds: float,
) -> None:
    """A row that was never sent is not sent any more, whatever happens to those that were."""

    async def scenario() -> None:
        server = FakeCampaigns(seconds=seconds, script=[FAULTS[fault] for fault in faults])
        batcher = engine(server, max_rows=10)

        def make() -> Ingestion:
            leads = leads_of(kinds)
            return Ingestion(batcher, ADD, 3, leads if comes is None else slowly(leads, comes))

        riding = asyncio.create_task(others(batcher, riders))
        keeps = await consumed(consumer, make)
        gc.collect()
        await riding
        await asyncio.sleep(300)
        fresh: dict[str, float] = {}
        for post in server.history:
            for phone in post.phones:
                fresh.setdefault(phone, post.began)
        own = set(leads_of(kinds))
        assert all(began <= consumer.left[0] + SLACK for phone, began in fresh.items() if phone in own)
        assert all(call.report.balanced for call in keeps)
        await batcher.aclose()
        assert all(call.report.pending == 0 for call in keeps)
        check(server, [call.report for call in keeps])

    def run(main: Any) -> None:
        gate._GATES.clear()
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main)

    run(scenario())
