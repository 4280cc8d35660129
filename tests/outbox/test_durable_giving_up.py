"""A drain that is cancelled while it gives a campaign up leaves no row in its hands."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from attrs import define, field
from fake_campaign import FakeCampaigns, lost, phones, status
from fake_store import MemoryStore, durable_engine
from report_in import report_in

from voiso_async.errors import AuthenticationError
from voiso_async.ingest.rows import Row
from voiso_async.outbox.dispatcher import drain

pytestmark = pytest.mark.virtual

REVOKED = status(401, {"error": "Unauthorized"})


@define
class Slow(MemoryStore):
    """Does one step too slowly once: it is cancelled before it has begun."""

    slow: str = ""
    reached: asyncio.Event = field(factory=asyncio.Event)

    async def release(self, rows: Collection[Row]) -> None:
        await self._wait("release")
        await super().release(rows)

    async def suspend(self, campaign: int, reason: str | None, status: int | None = None) -> None:
        await self._wait("suspend")
        await super().suspend(campaign, reason, status)

    async def _wait(self, step: str) -> None:
        if step == self.slow and not self.reached.is_set():
            self.reached.set()
            await asyncio.sleep(3600)


@pytest.mark.parametrize(("script", "proof"), [([REVOKED], "refused"), ([lost(0), REVOKED], "in_doubt")])
async def test_a_drain_that_gives_up_says_whether_rows_in_line_are_in_doubt(script: list[Any], proof: str) -> None:
    """Its report counts what was written down: these rows are not in it."""
    server, store = FakeCampaigns(script=script), MemoryStore()
    store.put(3, phones(5))
    with pytest.raises(AuthenticationError) as caught:
        await drain(durable_engine(server, store), store)
    assert (0, proof) == (report_in(caught.value).rows, caught.value.proof)


@pytest.mark.parametrize("slow", ["release", "suspend"])
async def test_rows_of_a_campaign_that_is_being_given_up_go_back_in_line(slow: str) -> None:
    server, store = FakeCampaigns(), Slow(slow=slow)
    store.put(3, phones(5))
    server.script = [lost(0), REVOKED]
    batcher = durable_engine(server, store)
    draining = asyncio.create_task(drain(batcher, store))
    await store.reached.wait()
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    await batcher.aclose(0)
    assert [(False, None)] * 5 == [(row.claimed, row.flying) for row in store.rows]
    report = await drain(durable_engine(server, store), store)
    assert 5 == report.rows
