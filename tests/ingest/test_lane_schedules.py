"""Faults, callers and closing in any order, on a virtual clock: reports agree with what the server did."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import Factory, define
from fake_campaign import FakeCampaigns, Post, Told, check, check_proof, check_told, engine
from hypothesis import given, settings
from lane_schedules import FAULTS, MEMBER, POISON, SCHEDULES, UNWANTED, Caller, Schedule, check_truth
from report_in import report_in
from virtual_time import VirtualLoop

from voiso_async.errors import VoisoError
from voiso_async.ingest import gate
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.rows import Operation

EXAMPLES = 200
PATIENCE = 20_000.0


@define
class Played:
    """A call on its way: its ingestion, the outcomes that its reader has seen, and its report at its end."""

    caller: Caller
    number: int
    ingestion: Ingestion | None = None
    seen: list[LeadOutcome] = Factory(list)
    told: Told | None = None

    async def run(self, batcher: LeadBatcher) -> None:
        try:
            await self._run(batcher)
        except VoisoError as error:
            self.told = Told.now(report_in(error))
            raise
        finally:
            if self.ingestion is not None and self.told is None:
                self.told = Told.now(self.ingestion.report)

    async def _run(self, batcher: LeadBatcher) -> None:
        caller = self.caller
        await asyncio.sleep(caller.comes)
        source = caller.leads(self.number)
        slow = source if caller.source_pause is None else slowly(source, caller.source_pause)
        self.ingestion = Ingestion(batcher, caller.operation, 3, slow, timeout=caller.timeout)
        if not caller.streamed:
            await self.ingestion
            return
        async with self.ingestion:
            async for outcome in self.ingestion:
                self.seen.append(outcome)
                if len(self.seen) == caller.reads:
                    return
                await asyncio.sleep(caller.reader_pause)


async def slowly(leads: Iterator[Any], pause: float) -> AsyncIterator[Any]:
    for lead in leads:
        await asyncio.sleep(pause)
        yield lead


async def play(schedule: Schedule, server: FakeCampaigns) -> list[Played]:
    """Run the schedule; nothing hangs, and no task is left."""
    batcher = engine(server, **schedule.policy)
    calls = [Played(caller, number) for number, caller in enumerate(schedule.callers)]
    async with asyncio.timeout(PATIENCE):
        tasks = [asyncio.create_task(call.run(batcher)) for call in calls]
        for task, call in zip(tasks, calls, strict=True):
            if call.caller.leaves is not None:
                asyncio.get_running_loop().call_later(call.caller.leaves, task.cancel)
        if schedule.closes is not None:
            await asyncio.sleep(schedule.closes)
            await batcher.aclose(schedule.grace)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            check_ending(ended)
        await batcher.aclose()
    assert {asyncio.current_task()} == asyncio.all_tasks()
    return calls


def check_ending(ended: BaseException | None) -> None:
    """A call ends by itself, by its caller's leaving, or with one of our errors and a whole report."""
    if isinstance(ended, VoisoError):
        assert report_in(ended).balanced
        check_proof(ended)
    elif not isinstance(ended, asyncio.CancelledError | None):
        raise ended


def check_call(server: FakeCampaigns, call: Played) -> None:
    """Every row that was read has one outcome, the one that its reader saw, and it is the truth."""
    if call.ingestion is None:
        return
    assert call.told is not None
    check_told(server, call.told, lambda post, outcome: f"{call.number}/{outcome.index}" in names_in(post))
    report = call.ingestion.report
    assert report.balanced
    assert list(range(report.rows)) == [outcome.index for outcome in report.outcomes]
    assert call.seen == [report.outcomes[outcome.index] for outcome in call.seen]
    named = [(post, names_in(post)) for post in server.history]
    sent = [[p for p, names in named if f"{call.number}/{i}" in names] for i in range(report.rows)]
    for outcome, posts in zip(report.outcomes, sent, strict=True):
        check_truth(server, outcome, posts)
    if call.caller.operation is Operation.UPDATE:
        check_order(report.outcomes, sent)


def names_in(post: Post) -> set[str]:
    return {lead["name"] for lead in post.leads}


def check_order(outcomes: tuple[LeadOutcome, ...], sent: list[list[Post]]) -> None:
    """No update of a phone is sent before an earlier one of the same call has its outcome."""
    for (one, before), (two, after) in itertools.combinations(zip(outcomes, sent, strict=True), 2):
        if one.phone == two.phone and before and after:
            assert before[-1].ended < after[0].began


def run(schedule: Schedule) -> None:
    gate._GATES.clear()
    server = FakeCampaigns(
        seconds=schedule.server_seconds,
        script=[FAULTS[fault] for fault in schedule.faults],
        members={3: {MEMBER}},
        refuses={UNWANTED},
        poison=lambda lead: "is not allowed" if lead["priority"] == POISON else None,
    )
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        calls = runner.run(play(schedule, server))
    check(server, [])
    for call in calls:
        check_call(server, call)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(schedule=SCHEDULES)
def test_in_any_schedule_every_call_is_told_the_truth(schedule: Schedule) -> None:
    run(schedule)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(schedule=SCHEDULES)
def test_in_ten_times_as_many_schedules(schedule: Schedule) -> None:
    run(schedule)
