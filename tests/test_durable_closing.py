"""A client that is closed while its outbox is at work: nothing leaves afterwards."""

import asyncio

import pytest
from fake_campaign import FakeCampaigns, phones
from fake_store import MemoryStore, durable_engine

from voiso_async.errors import ClientClosedError

pytestmark = pytest.mark.virtual


@pytest.mark.row(115, 116)
async def test_a_drain_that_looks_while_its_client_is_closed_sends_nothing_any_more() -> None:
    server, store = FakeCampaigns(), MemoryStore()
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(batcher.run(store))
    await asyncio.sleep(0.1)
    store.put(3, phones(5))
    await asyncio.sleep(0.0005)
    await batcher.aclose(0)
    with pytest.raises(ClientClosedError):
        await draining
    await asyncio.sleep(10)
    assert [] == server.history
    assert not any(row.lent for row in store.rows)
