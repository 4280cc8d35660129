"""The dispatcher: tells the lanes what waits in an outbox, until nothing does or somebody stops it."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from voiso_async.errors import ClientClosedError, OutboxError, VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport, ReportBuilder, reporting
from voiso_async.ingest.rows import Operation, Row, RowResult
from voiso_async.ingest.submission import QueuedSubmission
from voiso_async.outbox.jobs import Backlog
from voiso_async.outbox.protocol import Store

POLL = 0.5
"""Seconds between two polls of the outbox, for rows that another process has put there."""
SUSPEND_SECONDS = 300.0
"""Seconds after which a suspended campaign is tried again, while the dispatcher runs on."""

_OPEN = {Outcome.NOT_SENT, Outcome.UNKNOWN}


class OutboxSubmission(QueuedSubmission):
    """One campaign's rows of one operation in an outbox, of one job or of all.

    ``backlog`` is how many wait there, by the last poll; ``waiting`` are those of the present slot, ``in_lane``
    all that the lane holds. The outbox commits every outcome before it comes here, so this submission
    only counts for the report of its dispatcher.
    """

    durable = True

    def __init__(self, campaign: int, operation: Operation, report: ReportBuilder, job_id: str | None) -> None:
        super().__init__(operation, report)
        self.campaign = campaign
        self.job_id = job_id

    @property
    def sendable(self) -> bool:
        """Whether a slot may bring rows."""
        return self.error is None and not self.cancelled and bool(self.backlog or self.waiting)

    @property
    def ready(self) -> bool:
        """Always: what is in an outbox waits for nothing but its slot."""
        return True

    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Do nothing: every row of a slot is in ``in_lane`` before it goes."""

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Count rows whose outcome is committed; those that wait again count as nothing.

        A row that is only left out of a slot because this submission was cancelled is still claimed: it has to be
        released.
        """
        if self.cancelled:
            results = [result for result in results if result.outcome not in _OPEN]
        for result in results:
            self.in_lane.pop(id(result.row), None)
        committed = [one for one in results if one.outcome is not Outcome.NOT_SENT and not one.row.expired]
        self._report.add_rows(len(committed))
        self._report.count(committed)
        self._report.doubted += sum(result.row.doubted for result in committed)
        self._check_done()

    def resolve_idle(self, in_flight: Collection[Row]) -> None:
        """Decide nothing: rows that the lane holds are released to the outbox."""

    def close_input(self, error: VoisoError) -> None:
        """Take no more rows; those in the lane still go."""
        self._keep_error(error)
        self._check_done()

    def fail(self, error: VoisoError) -> None:
        """End with ``error``; the rows are still in the outbox."""
        self._keep_error(error)
        self.waiting.clear()
        self._mark_cancelled()

    def _mark_cancelled(self) -> None:
        super()._mark_cancelled()
        self._check_done()

    def _check_done(self) -> None:
        if self.cancelled or (self.error is not None and not self.in_lane):
            self._mark_done()


class Dispatcher:
    """Send what waits in a store, of one job or of all; each campaign goes at its own pace.

    A campaign whose lane stops is suspended with its reason, and others go on. The ``report`` counts what this
    dispatcher has sent; the outcome of each row is in the outbox. Use it in ``async with``: however the block
    ends, rows that were claimed and not sent are released, after a cancellation in a task of their own.
    """

    def __init__(self, batcher: LeadBatcher, store: Store, job_id: str | None = None) -> None:
        self._batcher = batcher
        self._store = store
        self._job_id = job_id
        self._builder = ReportBuilder()
        self._submissions: dict[tuple[int, Operation], OutboxSubmission] = {}
        self._suspended: dict[tuple[int, Operation], tuple[float, VoisoError]] = {}
        self._in_doubt = False
        self._began = batcher.clock()
        self._registered = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        closing = self._batcher.in_background(self._closed(), "voiso dispatcher closes")
        if error is None:
            await asyncio.shield(closing)

    @property
    def report(self) -> IngestReport:
        """What was sent so far."""
        elapsed = self._batcher.clock() - self._began
        return self._builder.report(elapsed=elapsed, policy=self._batcher.policy)

    async def until_empty(self, feeding: asyncio.Task[Any] | None = None) -> IngestReport:
        """Send until nothing waits and ``feeding``, which puts rows there, is done.

        Then raise what the first campaign was suspended for.
        """
        await self._begin()
        while True:
            more = (
                feeding is not None and not feeding.done()
            )  # first: what comes during the poll is seen by the next
            if not (await self._poll() or more):
                break
            await self._store.changed(POLL)
        for _, error in self._suspended.values():
            raise self._reported(error)
        return self.report

    async def run(self) -> None:
        """Send until cancelled or closed; a suspended campaign is tried again every five minutes."""
        await self._begin()
        while True:
            await self._poll()
            await self._store.changed(POLL)

    async def close(self) -> None:
        """Take no more rows, wait for the POSTs in flight, and release what was not sent."""
        submissions = list(self._submissions.values())
        self._submissions.clear()
        for submission in submissions:
            submission.cancel()
        try:
            await asyncio.gather(*map(self._close_one, submissions))
        finally:
            if self._registered:
                self._registered = False
                await self._store.end_work(self._job_id)

    async def _closed(self) -> None:
        """Close; what an outbox that fails now still holds is released when it is opened again."""
        with suppress(VoisoError):
            await self.close()

    async def _begin(self) -> None:
        self._ensure_open()
        self._registered = True  # whatever becomes of the call, it is matched by end_work()
        await self._store.begin_work(self._job_id)

    async def _close_one(self, submission: OutboxSubmission) -> None:
        lane = self._batcher.lane(submission.campaign)
        while lane.has_in_flight(submission):
            await lane.wait_idle()
        await self._store.release(list(submission.in_lane.values()))

    async def _poll(self) -> bool:
        """Tell the lanes what waits; say whether there is anything to wait for."""
        self._ensure_open()
        for submission in [one for one in self._submissions.values() if one.error is not None]:
            await self._suspend(submission)
        backlog = await self._store.backlog(self._job_id)
        self._ensure_open()  # a lane that is told now would send after the client's end
        active = [item for item in backlog if not self._is_suspended((item.campaign, item.operation))]
        for item in active:
            self._notify(item)
        return any(item.rows or item.claimed for item in active)

    def _ensure_open(self) -> None:
        try:
            self._batcher.ensure_open()
        except ClientClosedError:
            closed = ClientClosedError("the client is closed; what waits is still in the outbox")
        else:
            return
        raise self._reported(closed)

    def _notify(self, item: Backlog) -> None:
        key = (item.campaign, item.operation)
        if key not in self._submissions:
            self._submissions[key] = OutboxSubmission(*key, self._builder, self._job_id)
            self._batcher.lane(item.campaign).add(self._submissions[key])
        self._submissions[key].backlog = item.rows
        self._submissions[key].notify()

    def _is_suspended(self, key: tuple[int, Operation]) -> bool:
        """Whether a campaign is left alone for now; when its time is over it is tried again."""
        if key not in self._suspended:
            return False
        if self._batcher.clock() < self._suspended[key][0]:
            return True
        del self._suspended[key]
        return False

    async def _suspend(self, submission: OutboxSubmission) -> None:
        """Release the rows of a stopped lane; an outbox or a client that cannot go on ends the dispatcher."""
        key, error = (submission.campaign, submission.operation), submission.error
        if isinstance(error, OutboxError | ClientClosedError):
            raise self._reported(error)
        self._in_doubt = self._in_doubt or self._leaves_doubt(submission)
        await self._store.release(list(submission.in_lane.values()))
        submission.in_lane.clear()
        if error is not None:
            await self._store.suspend(submission.campaign, str(error), getattr(error, "status", None))
            self._suspended[key] = (self._batcher.clock() + SUSPEND_SECONDS, error)
        del self._submissions[key]  # last: cancelled before that, close() releases the rows

    def _reported(self, error: VoisoError) -> VoisoError:
        """Add the report; rows that wait in the outbox are not in it, and may be in doubt all the same."""
        in_doubt = self._in_doubt or any(map(self._leaves_doubt, self._submissions.values()))
        return reporting(error, self.report, in_doubt=in_doubt)

    def _leaves_doubt(self, submission: OutboxSubmission) -> bool:
        in_flight = self._batcher.lane(submission.campaign).has_in_flight(submission)
        return in_flight or any(row.doubted for row in submission.in_lane.values())


async def drain(batcher: LeadBatcher, store: Store, job_id: str | None = None) -> IngestReport:
    """Send what waits in a store, of one job or of all, until nothing does."""
    async with Dispatcher(batcher, store, job_id) as dispatcher:
        return await dispatcher.until_empty()


async def run(batcher: LeadBatcher, store: Store) -> None:
    """Send what comes into a store until cancelled."""
    async with Dispatcher(batcher, store) as dispatcher:
        await dispatcher.run()
