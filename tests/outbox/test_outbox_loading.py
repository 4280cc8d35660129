"""Leads on their way into a job, in parts, and taken up again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import outbox_cases
import pytest
from outbox_cases import Make, balanced, leads, phone, words
from report_in import report_in

from voiso_async.errors import OutboxError, SourceError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import FileRow, InvalidLead
from voiso_async.outbox import JobSource, JobState

make = outbox_cases.make
QUICK = LanePolicy(cooldown=0.0, doubt_backoff=0.0)


class BrokenError(Exception):
    """What a source raises."""


def breaking(count: int, start: int = 0) -> Iterator[Any]:
    yield from leads(count, start)
    raise BrokenError


async def test_a_short_put_is_stored_whole_or_not_at_all(make: Make) -> None:
    outbox = make()
    with pytest.raises(SourceError) as caught:
        await outbox.put(3, breaking(5000))
    assert isinstance(caught.value.__cause__, BrokenError)
    assert [] == await outbox.jobs()
    assert 10_000 == (await outbox.put(3, leads(10_000))).report.rows


async def test_a_long_put_goes_on_after_its_source_broke(make: Make) -> None:
    outbox = make()
    with pytest.raises(SourceError) as caught:
        await outbox.put(3, breaking(12_000), name="long")
    [job] = await outbox.jobs(name="long")
    assert JobState.LOADING == job.state
    assert 10_000 < job.report.rows == report_in(caught.value).rows <= 12_000
    assert [job.waiting] == [item.rows for item in await outbox.backlog()], "they may be sent already"
    done = await outbox.load(job.id, 3, leads(13_000) + leads(2))
    assert (JobState.OPEN, 13_002, 13_000) == (done.state, done.report.rows, done.waiting)
    assert [0, 1] == [row.first for row in (await words(outbox, job.id))[13_000:]]
    await balanced(outbox)


async def test_leads_are_loaded_from_any_iterable_in_growing_parts(make: Make) -> None:
    outbox = make()
    job = await outbox.begin(name="file", source=JobSource(path="a.csv", fingerprint="f", header=("a", "b")))
    assert (JobState.LOADING, 0) == (job.state, job.report.rows)
    sizes: list[int] = []

    async def source() -> AsyncIterator[Any]:
        for lead in leads(2500):
            yield lead
            sizes.append((await outbox.job(job.id)).report.rows if len(sizes) in {998, 999, 2499} else 0)

    loaded = await outbox.load(job.id, 3, source())
    assert [0, 1000] == sizes[998:1000], "the first POST need not wait for all"
    assert 1000 <= sizes[2499] < 2500
    assert (JobState.OPEN, 2500) == (loaded.state, loaded.waiting)
    assert JobSource(path="a.csv", fingerprint="f", header=("a", "b")) == loaded.source
    assert [job.id] == [found.id for found in await outbox.jobs(fingerprint="f")]
    assert [] == await outbox.jobs(fingerprint="g")


@pytest.mark.row(138)
async def test_a_job_that_has_all_its_leads_is_given_back(make: Make) -> None:
    """Row 138."""
    outbox = make()
    job = await outbox.put(3, leads(2))
    assert job == await outbox.load(job.id, 3, breaking(0))


@pytest.mark.parametrize(
    "changed",
    [
        leads(999) + leads(1, 5000),
        leads(900),
        [{"phone_number": phone(0), "name": "Other"}, *leads(1100)[1:]],
        [{**lead, "key": "k"} for lead in leads(1100)],
    ],
    ids=["other lead", "fewer leads", "other name", "keys"],
)
@pytest.mark.row(137)
async def test_other_leads_do_not_continue_a_job(make: Make, changed: list[Any]) -> None:
    """Row 137."""
    outbox = make()
    job = await outbox.begin()
    with pytest.raises(SourceError):
        await outbox.load(job.id, 3, breaking(1500))
    for campaign, given in ((3, changed), (4, leads(1100))):
        with pytest.raises(OutboxError) as caught:
            await outbox.load(job.id, campaign, given)
        assert "input_changed" == caught.value.reason
    assert 1000 == (await outbox.job(job.id)).report.rows
    assert 1100 == (await outbox.load(job.id, 3, leads(1100))).report.rows


@pytest.mark.row(136)
async def test_one_loader_at_a_time(make: Make) -> None:
    """Row 136."""
    outbox, other = make(), make()
    job = await outbox.begin()
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[Any]:
        yield phone(1)
        reading.set()
        await go_on.wait()

    loading = asyncio.create_task(outbox.load(job.id, 3, source()))
    await reading.wait()
    for loader in (outbox, other):
        with pytest.raises(OutboxError) as caught:
            await loader.load(job.id, 3, leads(1))
        assert "in_use" == caught.value.reason
        with pytest.raises(OutboxError) as caught:
            await loader.purge(job.id, force=True)
        assert "in_use" == caught.value.reason
    go_on.set()
    assert 1 == (await loading).report.rows


async def test_a_cancelled_load_can_be_taken_up_at_once(make: Make) -> None:
    outbox = make()
    job = await outbox.begin()

    async def source() -> AsyncIterator[Any]:
        for lead in leads(1500):
            yield lead
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.load(job.id, 3, source()), 1.5)
    assert 1600 == (await outbox.load(job.id, 3, leads(1600))).report.rows


async def test_a_withdrawn_job_is_loaded_no_further(make: Make) -> None:
    outbox = make()
    job = await outbox.begin()

    async def source() -> AsyncIterator[Any]:
        for number, lead in enumerate(leads(2500)):
            if number == 1500:
                await outbox.withdraw(job.id)
            yield lead

    with pytest.raises(OutboxError) as caught:
        await outbox.load(job.id, 3, source())
    assert "withdrawn" == caught.value.reason
    assert (JobState.DONE, 1000) == ((await outbox.job(job.id)).state, (await outbox.job(job.id)).report.rows)


async def test_who_must_not_be_called_is_kept_as_such_and_claims_no_number(make: Make) -> None:
    """Also for a job that is loaded on: a row of the same number that may be called is no repeat."""

    async def given(*, fails: bool) -> AsyncIterator[object]:
        held = InvalidLead(
            field="phone_number", reason="suppressed", detail="so", phone=phone(1), outcome=Outcome.SUPPRESSED
        )
        yield FileRow(lead=held, row=2, cells=("a",), campaign="none")
        if fails:
            raise RuntimeError
        yield FileRow(lead=phone(1), row=3, cells=("b",), campaign=3)

    outbox = make()
    job = await outbox.begin()
    with pytest.raises(SourceError):
        await outbox.load(job.id, None, given(fails=True))
    await outbox.aclose()
    outbox = make()
    job = await outbox.load(job.id, None, given(fails=False))
    rows = await words(outbox, job.id)
    assert [Outcome.SUPPRESSED, Outcome.NOT_SENT] == [row.outcome for row in rows]
    assert (phone(1), "suppressed", ("a",)) == (rows[0].phone, rows[0].reason, rows[0].cells)
    assert (1, 1) == (job.report.counts[Outcome.SUPPRESSED], job.waiting)
    with pytest.raises(OutboxError, match="no row"):
        await outbox.retry(job.id, [Outcome.SUPPRESSED])
    await balanced(outbox)
