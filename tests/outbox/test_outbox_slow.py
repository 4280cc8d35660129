"""Leads that are slow in coming are stored as they come, and those before a fault are stored too."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from report_in import report_in

from voiso_async.errors import SourceError
from voiso_async.outbox import JobState, SqliteOutbox
from voiso_async.outbox.sqlite.load import add_chunk


def phones(count: int) -> list[str]:
    return [str(441632960000 + place) for place in range(count)]


async def test_leads_are_stored_before_the_next_ones_come(tmp_path: Path) -> None:
    stored = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        for phone in phones(3):
            yield phone
        await stored.wait()
        yield phones(4)[3]

    async with SqliteOutbox(tmp_path / "a.db") as outbox:
        job = await outbox.begin()
        loading = asyncio.create_task(outbox.load(job.id, 3, slowly()))
        while (await outbox.job(job.id)).report.rows < 3:
            await outbox.changed(1)
        assert JobState.LOADING is (await outbox.job(job.id)).state
        stored.set()
        assert (4, JobState.OPEN) == ((await loading).report.rows, (await loading).state)


async def test_an_end_that_comes_while_leads_are_stored_is_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, ended = threading.Event(), threading.Event()

    def slow_chunk(*arguments: Any) -> float:
        storing.set()
        assert ended.wait(20)
        return add_chunk(*arguments)

    async def leads() -> AsyncIterator[str]:
        yield phones(1)[0]
        await asyncio.to_thread(storing.wait)
        ended.set()

    monkeypatch.setattr("voiso_async.outbox.sqlite.load.add_chunk", slow_chunk)
    async with SqliteOutbox(tmp_path / "a.db") as outbox:
        job = await outbox.begin()
        loaded = await outbox.load(job.id, 3, leads())
        assert (1, JobState.OPEN) == (loaded.report.rows, loaded.state)


async def test_leads_before_a_fault_are_stored_and_the_job_can_be_continued(tmp_path: Path) -> None:
    async def leads(*, whole: bool) -> AsyncIterator[str]:
        for phone in phones(1500):
            yield phone
        if not whole:
            raise ZeroDivisionError
        yield phones(1501)[1500]

    async with SqliteOutbox(tmp_path / "a.db") as outbox:
        job = await outbox.begin()
        with pytest.raises(SourceError, match="ZeroDivisionError; leads read before: 1500") as caught:
            await outbox.load(job.id, 3, leads(whole=False))
        assert 1500 == report_in(caught.value).rows == (await outbox.job(job.id)).report.rows
        loaded = await outbox.load(job.id, 3, leads(whole=True))
        assert (1501, JobState.OPEN) == (loaded.report.rows, loaded.state)


async def test_a_source_is_read_no_further_once_its_loading_has_failed_or_was_cancelled(tmp_path: Path) -> None:
    reading = asyncio.Event()

    async def leads() -> AsyncIterator[str]:
        yield phones(1)[0]
        try:
            await asyncio.sleep(60)
        finally:
            reading.set()

    async with SqliteOutbox(tmp_path / "a.db") as outbox:
        for stop in ("cancel", "withdraw"):
            reading.clear()
            job = await outbox.begin()
            loading = asyncio.create_task(outbox.load(job.id, 3, leads()))
            while not (await outbox.job(job.id)).report.rows:
                await outbox.changed(1)
            if stop == "cancel":
                loading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await loading
            else:
                await outbox.withdraw(job.id)
                loading.cancel()  # the source is asleep, so nothing but the cancellation ends the loading
                with pytest.raises(asyncio.CancelledError):
                    await loading
            await asyncio.wait_for(reading.wait(), 60)
