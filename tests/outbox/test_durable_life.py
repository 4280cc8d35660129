"""Jobs that cross each other's way, expire in a lane's hands, or may not be sent twice."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from client_calls import LANE
from durable_cases import client, everything, numbers, sandbox_of
from sandbox_caller import eventually

from voiso_async import Outcome
from voiso_async.errors import AuthenticationError, ClientClosedError
from voiso_async.ingest.prepare import FileRow
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import JobState, SqliteOutbox
from voiso_async.outbox.sqlite.lifecycle import begin_purge
from voiso_async.sandbox import Busy, Sandbox, Stall, Status

REPORT = evolve(LANE, on_doubt="report")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_of() as running:
        yield running


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with SqliteOutbox(tmp_path / "leads.db") as opened:
        yield opened


def named(count: int, name: str) -> list[dict[str, Any]]:
    return [{"phone_number": phone, "name": name} for phone in numbers(count)]


async def counts(outbox: SqliteOutbox, job: str) -> dict[Outcome, int]:
    return {outcome: n for outcome, n in (await outbox.job(job)).report.counts.items() if n}


async def cut_short(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    """Close a client while its POST is applied and not answered."""
    sandbox.faults.add(Stall(apply=True), method="POST")
    posts = len(sandbox.history)
    voiso = client(sandbox, outbox, REPORT)
    draining = asyncio.create_task(voiso.leads.drain())
    await eventually(lambda: len(sandbox.history) > posts and bool(sandbox.history[-1].applied or posts))
    await voiso.aclose(0)
    with pytest.raises(ClientClosedError) as caught:
        await draining
    assert "sent" not in str(caught.value), "something was"
    assert caught.value.report is not None


async def test_updates_of_one_job_wait_for_those_of_another(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    """Who sends one job alone sends first what stands ahead of it, instead of waiting for ever."""
    await outbox.put(3, numbers(5))
    first = await outbox.put(3, named(5, "one"), operation=Operation.UPDATE)
    async with client(sandbox, outbox) as voiso:
        (added, *_) = reversed(await outbox.jobs())
        await voiso.leads.drain(added.id)
        assert 5 == (await outbox.job(first.id)).waiting
        second = await asyncio.wait_for(voiso.leads.push(3, named(5, "two"), operation=Operation.UPDATE), 60)
    assert {Outcome.UPDATED: 5} == await counts(outbox, first.id) == await counts(outbox, second.id)
    assert {"two"} == {lead["name"] for lead in sandbox.campaigns[3].leads.values()}


async def test_a_job_alone_takes_nothing_of_another(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    sandbox.campaigns[3].leads.update({phone: {"phone_number": phone} for phone in numbers(5)})
    other = await outbox.put(3, named(2, "one"), operation=Operation.UPDATE)
    async with client(sandbox, outbox) as voiso:
        free = [{"phone_number": phone, "name": "two"} for phone in numbers(3, start=2)]
        await voiso.leads.push(3, free, operation=Operation.UPDATE)
    assert 2 == (await outbox.job(other.id)).waiting


@pytest.mark.unwatched
async def test_what_may_not_be_sent_twice_is_parked_after_a_crash_too(
    sandbox: Sandbox, outbox: SqliteOutbox
) -> None:
    """Only who asks for it has it sent again: once."""
    job = await outbox.put(3, numbers(5))
    await cut_short(sandbox, outbox)
    async with client(sandbox, outbox, REPORT) as voiso:
        await asyncio.wait_for(voiso.leads.drain(), 60)
    assert {Outcome.UNKNOWN: 5} == await counts(outbox, job.id)
    assert 1 == len(sandbox.history)
    assert 5 == await outbox.requeue(job.id)
    await cut_short(sandbox, outbox)
    async with client(sandbox, outbox, REPORT) as voiso:
        await asyncio.wait_for(voiso.leads.drain(), 60)
        assert {Outcome.UNKNOWN: 5} == await counts(outbox, job.id)
        assert 5 == await outbox.requeue(job.id)
        await asyncio.wait_for(voiso.leads.drain(), 60)
    assert {Outcome.CONFIRMED: 5} == await counts(outbox, job.id)
    assert {exchange.body for exchange in sandbox.history} == {sandbox.history[0].body}
    assert 3 == len(sandbox.history)


@pytest.mark.unwatched
async def test_a_batch_that_was_asked_for_keeps_its_place_while_the_server_is_busy(
    sandbox: Sandbox, outbox: SqliteOutbox
) -> None:
    job = await outbox.put(3, numbers(5))
    await cut_short(sandbox, outbox)
    async with client(sandbox, outbox, REPORT) as voiso:
        await asyncio.wait_for(voiso.leads.drain(), 60)
        await outbox.requeue(job.id)
        sandbox.faults.add(Busy(), method="POST")
        sandbox.faults.add(Status(401), method="POST")
        with pytest.raises(AuthenticationError):
            await voiso.leads.drain()
        await asyncio.wait_for(voiso.leads.drain(), 60)
    assert {Outcome.CONFIRMED: 5} == await counts(outbox, job.id)


@pytest.mark.parametrize("early", ["expired", "withdrawn"])
async def test_rows_in_a_lanes_hands_are_not_sent_once_their_time_is_over(
    sandbox: Sandbox, outbox: SqliteOutbox, early: str
) -> None:
    """A batch that was refused as busy holds nothing that may have been applied; others of it still go."""
    sandbox.faults.add(Busy(retry_after=1), method="POST")
    job = await outbox.put(3, numbers(3), expires_in=0.5 if early == "expired" else None)
    other = await outbox.put(3, numbers(3, start=10))
    async with client(sandbox, outbox) as voiso:
        draining = asyncio.create_task(voiso.leads.drain())
        await eventually(lambda: bool(sandbox.history))
        if early == "withdrawn":
            await outbox.withdraw(job.id)
        await asyncio.wait_for(draining, 60)
    assert {Outcome.NOT_SENT: 3} == await counts(outbox, job.id)
    assert {early: 3} == dict((await outbox.job(job.id)).report.reasons)
    assert {Outcome.CREATED: 3} == await counts(outbox, other.id)
    assert set(numbers(3, start=10)) == set(sandbox.campaigns[3].leads)
    await everything(outbox)


async def test_a_key_of_a_job_that_is_being_removed_is_free(sandbox: Sandbox, outbox: SqliteOutbox) -> None:
    """Else the lead would be called known, and never be sent."""
    leads = [{"phone_number": numbers(1)[0], "key": "order-1"}]
    job = await outbox.put(3, leads)
    await outbox._thread.do(lambda db: begin_purge(db, 1, force=True))
    again = await outbox.put(3, leads)
    assert 1 == again.waiting
    async with client(sandbox, outbox) as voiso:
        await voiso.leads.drain()
    assert {Outcome.CREATED: 1} == await counts(outbox, again.id)
    assert job.id not in {other.id for other in await outbox.jobs()}


async def test_campaigns_are_the_same_whichever_way_they_are_written(
    sandbox: Sandbox, outbox: SqliteOutbox
) -> None:
    one, two = numbers(2)
    keyed = {"phone_number": one, "key": "order-1"}
    await outbox.put("3", [keyed])
    known = await outbox.put(
        None, [FileRow(lead=keyed, row=1, campaign="3"), FileRow(lead=two, row=2, campaign=3)]
    )
    elsewhere = await outbox.put(4, [keyed])
    async with client(sandbox, outbox) as voiso:
        await voiso.leads.drain()
    assert {Outcome.REPEATED: 1, Outcome.CREATED: 1} == await counts(outbox, known.id)
    assert {Outcome.CREATED: 1} == await counts(outbox, elsewhere.id)
    assert [{one, two}, {one}] == [set(sandbox.campaigns[number].leads) for number in (3, 4)]
    assert all(job.state is JobState.DONE for job in await outbox.jobs())


async def test_an_outbox_that_could_not_be_entered_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr("voiso_async.outbox.sqlite.outbox.maintain", fail)
    outbox = SqliteOutbox(tmp_path / "leads.db")
    with pytest.raises(Exception, match="disk"):
        async with outbox:
            raise AssertionError
    assert not outbox._thread.opened
    assert {"leads.db"} == {name for name in os.listdir(tmp_path) if "journal" not in name}  # noqa: PTH208
