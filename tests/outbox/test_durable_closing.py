"""A client that is closed while its outbox is at work: nothing leaves afterwards, what was answered is told."""

import asyncio

import pytest
from fake_campaign import FakeCampaigns, Fault, Post, busy, lost, phones, unsent
from fake_store import MemoryStore, durable_engine

from voiso_async.errors import ClientClosedError
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.dispatcher import POLL, drain, run
from voiso_async.wire import Response

pytestmark = pytest.mark.virtual


@pytest.mark.row(115, 116)
async def test_a_drain_that_looks_while_its_client_is_closed_sends_nothing_any_more() -> None:
    server, store = FakeCampaigns(), MemoryStore()
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(run(batcher, store))
    await asyncio.sleep(0.1)
    store.put(3, phones(5))
    await asyncio.sleep(0.0005)
    await batcher.aclose(0)
    with pytest.raises(ClientClosedError):
        await draining
    await asyncio.sleep(10)
    assert [] == server.history
    assert not any(row.claimed for row in store.rows)


@pytest.mark.row(115)
@pytest.mark.parametrize(
    ("fault", "told"), [(None, Outcome.CREATED), (busy(), Outcome.NOT_SENT), (unsent, Outcome.NOT_SENT)]
)
async def test_what_is_being_written_down_is_told_although_the_client_is_closed(
    fault: Fault | None, told: Outcome
) -> None:
    answered = asyncio.Event()

    def answer(server: FakeCampaigns, post: Post) -> Response | Exception:
        answered.set()
        return fault(server, post) if fault else server.answer(post)

    server, store = FakeCampaigns(script=[answer]), MemoryStore()
    store.put(3, phones(5))
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    call = Ingestion(batcher, Operation.ADD, 3, phones(2, start=100))
    calling = asyncio.ensure_future(call._whole())
    await answered.wait()
    await batcher.aclose(0)
    await asyncio.gather(draining, calling, return_exceptions=True)
    assert 2 == call.report.counts[told]


@pytest.mark.row(115)
@pytest.mark.parametrize("fault", [None, busy(429, {"retry-after": "59"}), unsent, lost()])
async def test_close_waits_for_no_turn_of_rows_that_stay_in_the_outbox(fault: Fault | None) -> None:
    """They lose nothing by it; a POST that has been answered is written down."""
    server, store = FakeCampaigns(seconds=0, script=[fault] * 20), MemoryStore()
    store.put(3, phones(1500))
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(run(batcher, store))
    await asyncio.sleep(1)
    began, posts = asyncio.get_running_loop().time(), len(server.history)
    await batcher.aclose(grace=30)
    assert began + POLL >= asyncio.get_running_loop().time()
    with pytest.raises(ClientClosedError):
        await draining
    await asyncio.sleep(0.1)
    assert not any(row.claimed for row in store.rows if row.outcome is None)
    assert posts + 1 >= len(server.history), "what was on its way back may be tried until the drain ends"


@pytest.mark.row(115)
async def test_close_waits_until_the_post_in_flight_is_written_down() -> None:
    server, store = FakeCampaigns(seconds=5), MemoryStore()
    store.put(3, phones(1500))
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await asyncio.sleep(1)
    await batcher.aclose(grace=30)
    assert [Outcome.CREATED] * 1000 == store.outcomes()[:1000]
    with pytest.raises(ClientClosedError):
        await draining
    await asyncio.sleep(0.1)
    assert not any(row.claimed for row in store.rows if row.outcome is None)
