"""Cancels at every suspension point, in every way: the cancellation is raised, no task is left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from client_calls import CALLS, ONCE, Call, client_of
from cut_short import WAYS, Counted, Way, points_of
from fake_campaign import FakeCampaigns, busy, check, engine, lost, phones
from fake_transport import bench, status
from lane_schedules import check_truth
from virtual_time import VirtualLoop

from voiso_async.errors import ClientClosedError, ConnectionLostError, VoisoError
from voiso_async.ingest import gate
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.lane import Lane
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.retry import RetryPolicy
from voiso_async.sandbox import Rules, Sandbox
from voiso_async.wire import Request

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
LEADS = 25
MAX_ROWS = 10


async def coming() -> AsyncIterator[str]:
    """A source that waits between its leads."""
    for phone in phones(LEADS):
        await asyncio.sleep(0.001)
        yield phone


def awaited(batcher: LeadBatcher) -> tuple[Ingestion, Coroutine[Any, Any, Any]]:
    call = Ingestion(batcher, Operation.ADD, 3, phones(LEADS))
    return call, call._whole()


def fed(batcher: LeadBatcher) -> tuple[Ingestion, Coroutine[Any, Any, Any]]:
    call = Ingestion(batcher, Operation.ADD, 3, coming())
    return call, call._whole()


def iterated(batcher: LeadBatcher) -> tuple[Ingestion, Coroutine[Any, Any, Any]]:
    call = Ingestion(batcher, Operation.ADD, 3, coming())

    async def read() -> None:
        async with call:
            async for _ in call:
                await asyncio.sleep(0)

    return call, read()


Begin = Callable[[LeadBatcher], tuple[Ingestion, Coroutine[Any, Any, Any]]]


def server() -> FakeCampaigns:
    return FakeCampaigns(script=[None, lost(4), busy(), None])


async def undisturbed(begin: Begin) -> int:
    _, running = begin(engine(server(), max_rows=MAX_ROWS))
    return await points_of(running)


async def cut(begin: Begin, way: Way, at: int) -> None:
    """Cancel at one point; then a second call must go on in pace, and closing must leave nothing."""
    played = server()
    batcher = engine(played, max_rows=MAX_ROWS)
    call, running = begin(batcher)
    assert await way(running, at)
    second = await Ingestion(batcher, Operation.ADD, 3, phones(3, 500))
    assert second.balanced
    assert not second.counts[Outcome.NOT_SENT]
    await batcher.aclose()
    report = call.report
    assert report.balanced
    assert 0 == report.pending
    check(played, [second])
    for outcome in report.outcomes:
        check_truth(played, outcome, [post for post in played.history if outcome.phone in post.phones])
    assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.mark.row(101, 102, 109, 110, 111)
@every_way
@pytest.mark.parametrize("begin", [awaited, fed, iterated], ids=lambda begin: begin.__name__)
def test_a_caller_may_be_cancelled_at_every_point(begin: Begin, way: Way) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        points = runner.run(undisturbed(begin))
        assert points >= 3
        for at in range(1, points + 1):
            gate._GATES.clear()
            runner.run(cut(begin, way, at))


async def lane_cut(at: int) -> int:
    """Cancel the lane's own task at one of its points: every call gets a report, the campaign is free again."""
    played = server()
    batcher = engine(played, max_rows=MAX_ROWS)
    counts: list[Counted[None]] = []
    run = Lane._run

    async def running(lane: Lane) -> None:
        counts.append(Counted(run(lane), at, lambda: lane._task and lane._task.cancel()))
        await counts[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lane, "_run", running)
        calls = [Ingestion(batcher, Operation.ADD, 3, phones(LEADS, 100 * number)) for number in range(2)]
        ended = await asyncio.gather(*(call._whole() for call in calls), return_exceptions=True)
    if counts[0].points >= at:
        assert all(isinstance(end, ClientClosedError) for end in ended)
    for call in calls:
        assert call.report.balanced
        for outcome in call.report.outcomes:
            check_truth(played, outcome, [post for post in played.history if outcome.phone in post.phones])
    again = await Ingestion(engine(played), Operation.ADD, 3, phones(3, 900))
    check(played, [again])
    assert again.ok
    return counts[0].points


@pytest.mark.row(115, 124)
def test_the_lane_itself_may_be_cancelled_at_every_point() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        points = runner.run(lane_cut(10**9))
        assert points > 10
        for at in range(1, points + 1):
            gate._GATES.clear()
            runner.run(lane_cut(at))


# Reads


GET = Request(method="GET", route="/campaigns", path="/campaigns")
LOST = ConnectionLostError("lost", request="GET /campaigns", proof="in_doubt", reason="connection_lost")


@pytest.mark.row(109, 110, 111)
@every_way
def test_a_read_may_be_cancelled_at_every_point(way: Way) -> None:
    """During the request, during the wait for its repetition, and while the server asked for a pause."""

    async def reading(at: int | None) -> int:
        it = bench(0.5, LOST, status(503, retry_after="3"), status(200), retry=RetryPolicy(deadline=1e6))
        if at is None:
            return await points_of(it.session.send(GET))
        assert await way(it.session.send(GET), at)
        sent = len(it.reads.sent)
        await asyncio.sleep(100)
        assert sent == len(it.reads.sent), "nothing goes on behind the caller's back"
        it.reads.script.clear()
        assert 200 == (await it.session.send(GET)).status
        assert {asyncio.current_task()} == asyncio.all_tasks()
        return 0

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        points = runner.run(reading(None))
        assert points >= 3
        for at in range(1, points + 1):
            runner.run(reading(at))


@pytest.mark.row(109, 110)
@every_way
@pytest.mark.parametrize(
    "name", ["campaigns.get", "campaigns.list, collected", "campaigns.add_users", "leads.add"]
)
async def test_over_real_http_every_point_leaves_the_client_usable(name: str, way: Way) -> None:
    """After each cut the next request gets its own answer, over whatever connection."""
    call: Call = CALLS[name]
    async with Sandbox(rules=Rules(cooldown=0.0), sample=True) as sandbox:
        sandbox.add_campaign(id=2)
        async with client_of(sandbox, retry=ONCE) as voiso:
            await call(voiso)
        async with client_of(sandbox, retry=ONCE) as voiso:
            points = await points_of(_of(call(voiso)))
        assert points >= 1
        for at in range(1, points + 1):
            async with client_of(sandbox, retry=ONCE) as voiso:
                await _harmless(way, call(voiso), at)
                assert 3 == (await voiso.campaigns.get(3)).id
                assert 2 == (await voiso.campaigns.get(2)).id


async def _of(call: Any) -> Any:
    return await call


async def _harmless(way: Way, call: Any, at: int) -> None:
    """There may be fewer points than counted: connections are open already, or an answer came sooner."""
    try:
        await way(_of(call), at)
    except VoisoError as error:
        raise AssertionError("a cancellation is never one of our errors") from error
