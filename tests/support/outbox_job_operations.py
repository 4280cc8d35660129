"""What may be done to the jobs of an outbox, and be cut short."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from machine_file import look
from outbox_cases import leads, now, said, words
from outbox_operations import PART, ROWS, Operation

from voiso_async.errors import OutboxError, SourceError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Job, JobState

__all__ = ["OF_JOBS", "VeryLongPut"]


class ShortPut(Operation):
    """It is there whole or not at all."""

    async def do(self) -> Job:
        return await self.outbox.put(3, leads(PART))

    async def again(self) -> None:
        before = await self.outbox.jobs()
        assert PART == (await self.do()).report.rows
        assert {PART, ROWS} >= {job.report.rows for job in before}
        self.left = ROWS + PART * len(before)


class LongPut(Operation):
    """It is there as far as it was read, and goes on where it was left."""

    size = 2 * ROWS

    async def do(self) -> Job:
        return await self.outbox.put(3, self.source())

    def source(self) -> Any:
        return leads(self.size)

    async def again(self) -> None:
        begun = [job for job in await self.outbox.jobs() if job.id != self.job_id]
        assert all(PART < job.report.rows <= self.size for job in begun)
        job = await (self.outbox.load(begun[0].id, 3, self.source()) if begun else self.do())
        assert (self.size, JobState.OPEN) == (job.report.rows, job.state)
        self.left = ROWS + self.size


class VeryLongPut(LongPut):
    """One of more rows than go into the first transaction as it is."""

    size = 10_300


class PutFromAfar(LongPut):
    """Its source is read ahead while it is stored."""

    async def source(self) -> AsyncIterator[Any]:
        for lead in leads(self.size):
            await asyncio.sleep(0)
            yield lead


class Load(Operation):
    """The rest of a job whose first rows are there."""

    left = 3 * ROWS

    async def prepare(self) -> None:
        await super().prepare()
        self.begun = await self.outbox.begin()
        with contextlib.suppress(SourceError):
            await self.outbox.load(self.begun.id, 3, _broken())

    async def do(self) -> Job:
        return await self.outbox.load(self.begun.id, 3, leads(2 * ROWS))

    async def again(self) -> None:
        assert 2 * ROWS == (await self.do()).report.rows


def _broken() -> Iterator[Any]:
    yield from leads(2 * PART)
    raise LookupError


class Begin(Operation):
    """A job without rows."""

    async def do(self) -> Job:
        return await self.outbox.begin(name="empty")

    async def again(self) -> None:
        job = await self.do()
        assert ("empty", 0) == (job.name, job.report.rows)


class Outcomes(Operation):
    """The words on each row, window by window."""

    async def do(self) -> int:
        return len(await words(self.outbox, self.job_id))

    async def again(self) -> None:
        assert ROWS == await self.do()


class Looks(Operation):
    """Everything that is only read."""

    async def do(self) -> Any:
        jobs = await self.outbox.jobs()
        job = await self.outbox.job(self.job_id)
        return [job.id for job in jobs], job.waiting, await self.outbox.campaigns(), await self.outbox.backlog()

    async def again(self) -> None:
        jobs, waiting, campaigns, backlog = await self.do()
        assert ([self.job_id], ROWS) == (jobs, waiting)
        assert [ROWS] == [status.waiting for status in campaigns] == [item.rows for item in backlog]


class Change(Operation):
    """A wait for news."""

    waits = True

    async def prepare(self) -> None:
        await super().prepare()
        await self.outbox.changed(0.0)  # hears of the put

    async def do(self) -> float:
        began = now()
        await self.outbox.changed(5.0)
        return now() - began

    async def again(self) -> None:
        assert 5 <= await self.do()


class Suspension(Operation):
    """Why a campaign was given up."""

    async def do(self) -> None:
        await self.outbox.suspend(3, "refused")

    async def again(self) -> None:
        await self.do()
        assert ["refused"] == [status.suspended for status in await self.outbox.campaigns()]


class Settling(Operation):
    """Parked rows go back in line."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.ended(Outcome.UNKNOWN)

    async def do(self) -> int:
        return await self.outbox.requeue(self.job_id)

    async def again(self) -> None:
        before = (await self.outbox.job(self.job_id)).waiting
        assert ROWS - before == await self.do()
        assert before in {0, PART, 2 * PART, 3 * PART, ROWS}


class Withdrawal(Operation):
    """Rows in line are ended."""

    left = 0

    async def do(self) -> int:
        return await self.outbox.withdraw(self.job_id)

    async def again(self) -> None:
        await self.do()
        assert [("not_sent", "withdrawn")] * ROWS == await said(self.outbox, self.job_id)


class Retry(Operation):
    """A new job of rows that were refused; one that was cut short is taken up again."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.ended(Outcome.REJECTED)

    async def do(self) -> Job:
        return await self.outbox.retry(self.job_id, [Outcome.REJECTED])

    async def again(self) -> None:
        whole = [job for job in await self.outbox.jobs() if job.state is JobState.OPEN]
        job = await self.do()
        assert (ROWS, JobState.OPEN) == (job.waiting, job.state)
        assert len(whole) + 2 == len(await self.outbox.jobs())
        self.left = ROWS * (len(whole) + 1)


class Purge(Operation):
    """A job that is begun to be removed goes, at the latest when the file is opened again."""

    left = 0

    async def prepare(self) -> None:
        await super().prepare()
        await self.ended(Outcome.CREATED)

    async def do(self) -> int:
        return await self.outbox.purge(self.job_id)

    async def again(self) -> None:
        with contextlib.suppress(OutboxError):
            assert 1 == await self.do()
        await self.outbox.aclose()
        self.outbox = await self.opened().open()
        await asyncio.sleep(1)
        assert [] == await self.outbox.jobs()
        assert [] == look(self.path)


OF_JOBS: list[type[Operation]] = [
    ShortPut,
    LongPut,
    PutFromAfar,
    Load,
    Begin,
    Outcomes,
    Looks,
    Change,
    Suspension,
    Settling,
    Withdrawal,
    Retry,
    Purge,
]
