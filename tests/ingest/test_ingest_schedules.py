"""Whatever the server does, in whatever order, while callers come and go: the three histories agree."""

import asyncio
from typing import Any

import pytest
from attrs import Factory, frozen
from fake_campaign import check_proof
from http_stage import Stage, phones, staged
from hypothesis import given, settings
from hypothesis import strategies as st
from report_in import report_in

from voiso_async.errors import VoisoError
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.models.leads import LeadUpdate
from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    Busy,
    CloseAfterHeaders,
    Drip,
    Garbage,
    Html,
    Huge,
    Json,
    RawBytes,
    Redirect,
    Refuse,
    Stall,
    Status,
    Truncate,
)

COOLDOWN = 0.01
SETTLE = 0.04
"""Longer than the sandbox takes to notice that its client has gone."""
PATIENCE = 0.08
MAX_ROWS = 5
LIMIT_SECONDS = 20
EXAMPLES = 40

applied = st.one_of(st.booleans(), st.integers(1, MAX_ROWS))
ENVELOPE = {"errors": {"base": ["no"]}}

FAULTS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.sampled_from([Refuse(), CloseAfterHeaders(), RawBytes(b""), Redirect(307), Stall()]),
    st.builds(ApplyThenClose, st.none() | st.integers(0, MAX_ROWS)),
    st.builds(ApplyThenReset, st.none() | st.integers(0, MAX_ROWS)),
    st.builds(Stall, st.just(0.02), apply=applied),
    st.builds(Truncate, st.integers(0, 60), st.sampled_from(["length", "chunked", "none"]), applied),
    st.builds(Drip, st.just(0.02), st.booleans(), applied),
    st.builds(Garbage, applied),
    st.builds(Html, st.sampled_from([200, 400, 502]), applied),
    st.builds(Huge, st.just(9 * 1024 * 1024), apply=applied),
    st.builds(Json, st.sampled_from([{}, [], {"leads_import": {"created": []}}]), apply=applied),
    st.builds(Busy, st.integers(1, 3), st.sampled_from([None, 409, 423, 429])),
    st.builds(Status, st.sampled_from([200, 204, 408, 500, 503]), apply=applied),
    st.builds(Status, st.sampled_from([400, 401, 403, 404, 413, 418])),
    st.builds(Status, st.sampled_from([400, 422]), st.just(ENVELOPE)),
)


@frozen(kw_only=True)
class Caller:
    """Hands over a number of leads or updates after a while, and may leave before they are done."""

    update: bool
    leads: int
    comes: float
    leaves: float | None
    errors: list[VoisoError] = Factory(list)

    def call(self, stage_client: Any, start: int) -> Ingestion:
        numbers = phones(self.leads, start)
        if self.update:
            ingestion: Ingestion = stage_client.leads.update(3, [LeadUpdate(n, active=False) for n in numbers])
            return ingestion
        return stage_client.leads.add(3, numbers)  # type: ignore[no-any-return]

    async def run(self, call: Ingestion) -> None:
        """Whatever ends the call, it is one of our errors or the caller's own leaving."""
        await asyncio.sleep(self.comes)
        try:
            async with asyncio.timeout(self.leaves):
                await call
        except TimeoutError:
            assert self.leaves is not None
        except VoisoError as error:
            self.errors.append(error)


CALLERS = st.builds(
    Caller,
    update=st.booleans(),
    leads=st.integers(1, 4 * MAX_ROWS),
    comes=st.floats(0, 0.1),
    leaves=st.none() | st.floats(0, 0.2),
    errors=st.builds(list),
)


async def play(stage: Stage, faults: list[Any], callers: list[Caller], closes: float | None) -> None:
    everyone = [phone for i, caller in enumerate(callers) for phone in phones(caller.leads, 1000 * i)]
    updated = [phone for i, c in enumerate(callers) if c.update for phone in phones(c.leads, 1000 * i)]
    stage.sandbox.campaigns[3].leads.update({phone: {"active": True} for phone in updated})
    for fault in faults:
        if fault is not None:
            stage.fail(fault)
    pace = {"max_rows": MAX_ROWS, "doubt_attempts": 2, "doubt_backoff_longest": SETTLE, "busy_for": 0.2}
    voiso = await stage.client(doubt_backoff=SETTLE, **pace)
    calls = [caller.call(voiso, 1000 * i) for i, caller in enumerate(callers)]
    tasks = [asyncio.create_task(caller.run(call)) for caller, call in zip(callers, calls, strict=True)]
    if closes is not None:
        await asyncio.sleep(closes)
        await voiso.aclose(grace=0.05)
    await asyncio.gather(*tasks)
    for error in (error for caller in callers for error in caller.errors):
        assert report_in(error).balanced
        check_proof(error)
    await voiso.aclose(grace=10)
    stage.sandbox.faults.clear()
    stage.patience = LIMIT_SECONDS
    again = await (await stage.client(doubt_backoff=SETTLE)).leads.add(3, everyone)
    assert again.ok
    assert set(everyone) == set(stage.sandbox.campaigns[3].leads), "handed over again, none is missing"
    assert 0 == again.counts[Outcome.CONFIRMED], "doubt belongs to the client that had it"


async def run(faults: list[Any], callers: list[Caller], closes: float | None) -> None:
    async with asyncio.timeout(LIMIT_SECONDS), staged(cooldown=COOLDOWN) as stage:
        stage.patience = PATIENCE
        await play(stage, faults, callers, closes)


SCHEDULE = {
    "faults": st.lists(FAULTS, max_size=10),
    "callers": st.lists(CALLERS, min_size=1, max_size=3),
    "closes": st.none() | st.floats(0, 0.3),
}


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(**SCHEDULE)
async def test_any_schedule_of_faults_callers_and_closing(
    faults: list[Any], callers: list[Caller], closes: float | None
) -> None:
    await run(faults, callers, closes)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(**SCHEDULE)
async def test_ten_times_as_many_schedules(faults: list[Any], callers: list[Caller], closes: float | None) -> None:
    await run(faults, callers, closes)
