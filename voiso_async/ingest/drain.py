"""Draining an outbox: its campaigns' lanes are told what waits, until nothing does or somebody stops it."""

import asyncio
from collections.abc import Callable

from voiso_async.errors import ClientClosedError, OutboxError, VoisoError
from voiso_async.ingest.durable import OutboxSubmission
from voiso_async.ingest.jobs import Backlog
from voiso_async.ingest.lane import Lane
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, ReportBuilder, reporting
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.store import Store

POLL = 0.5
"""Seconds between two looks at the outbox, for rows that another process has put there."""
SUSPEND_SECONDS = 300.0
"""Seconds after which a campaign that was given up is tried again, while the drain runs on."""


class Dispatcher:
    """One drain of a store, of one job or of all; each campaign goes at its own pace.

    A campaign whose lane stops is given up with its reason, and others go on. The ``report`` counts what this
    drain has written down; what becomes of each row is in the outbox.
    """

    def __init__(
        self,
        store: Store,
        lane: Callable[[int], Lane],
        *,
        policy: LanePolicy,
        clock: Callable[[], float],
        guard: Callable[[], None],
        job_id: str | None = None,
    ) -> None:
        self._store = store
        self._lane = lane
        self._policy = policy
        self._clock = clock
        self._guard = guard
        self._job_id = job_id
        self._builder = ReportBuilder()
        self._submissions: dict[tuple[int, Operation], OutboxSubmission] = {}
        self._suspended: dict[tuple[int, Operation], tuple[float, VoisoError]] = {}
        self._in_doubt = False
        self._began = clock()
        self._registered = False

    @property
    def report(self) -> IngestReport:
        """What was written down so far."""
        elapsed = self._clock() - self._began
        return self._builder.report(elapsed=elapsed, policy=self._policy)

    async def until_empty(self, more: Callable[[], bool] = lambda: False) -> IngestReport:
        """Go on until nothing waits and no ``more`` comes; then raise what the first campaign was given up for."""
        await self._begin()
        while True:
            coming = more()  # asked first: what comes while we look is seen by the next look
            if not (await self._poll() or coming):
                break
            await self._store.changed(POLL)
        for _, error in self._suspended.values():
            raise self._reported(error)
        return self.report

    def _reported(self, error: VoisoError) -> VoisoError:
        """Add the report; rows that wait in the outbox are not in it, and may be in doubt all the same."""
        in_doubt = self._in_doubt or any(map(self._leaves_doubt, self._submissions.values()))
        return reporting(error, self.report, in_doubt=in_doubt)

    def _leaves_doubt(self, call: OutboxSubmission) -> bool:
        return self._lane(call.campaign).has_in_flight(call) or any(row.doubted for row in call.claimed.values())

    async def run(self) -> None:
        """Go on until cancelled or closed; a campaign that was given up is tried again every five minutes."""
        await self._begin()
        while True:
            await self._poll()
            await self._store.changed(POLL)

    async def close(self) -> None:
        """Take no more rows, wait for the POSTs in flight, and give back what was not sent."""
        calls = list(self._submissions.values())
        self._submissions.clear()
        for call in calls:
            self._lane(call.campaign).cancel(call)
        try:
            await asyncio.gather(*map(self._close_one, calls))
        finally:
            if self._registered:
                self._registered = False
                await self._store.end_work(self._job_id)

    async def _begin(self) -> None:
        self._ensure_open()
        self._registered = True  # whatever becomes of the call, it is matched when leaving
        await self._store.begin_work(self._job_id)

    async def _close_one(self, call: OutboxSubmission) -> None:
        while self._lane(call.campaign).has_in_flight(call):
            await self._lane(call.campaign).wait_idle()
        await self._store.release(list(call.claimed.values()))

    async def _poll(self) -> bool:
        """Tell the lanes what waits; say whether there is anything to wait for."""
        self._ensure_open()
        for call in [call for call in self._submissions.values() if call.error is not None]:
            await self._suspend(call)
        backlog = await self._store.backlog(self._job_id)
        self._ensure_open()  # a lane that was told now would send after the client's end
        awaited = [item for item in backlog if not self._is_suspended((item.campaign, item.operation))]
        for item in awaited:
            self._notify(item)
        return any(item.rows or item.claimed for item in awaited)

    def _ensure_open(self) -> None:
        try:
            self._guard()
        except ClientClosedError:
            closed = ClientClosedError("the client is closed; what waits is still in the outbox")
        else:
            return
        raise self._reported(closed)

    def _notify(self, item: Backlog) -> None:
        key, lane = (item.campaign, item.operation), self._lane(item.campaign)
        if key not in self._submissions:
            self._submissions[key] = OutboxSubmission(item.campaign, item.operation, self._builder, self._job_id)
            lane.add(self._submissions[key])
        self._submissions[key].set_backlog(item.rows)
        lane.notify(self._submissions[key])

    def _is_suspended(self, key: tuple[int, Operation]) -> bool:
        """Whether a campaign that was given up is left alone for now; when its time has come it is forgiven."""
        if key not in self._suspended:
            return False
        if self._clock() < self._suspended[key][0]:
            return True
        del self._suspended[key]
        return False

    async def _suspend(self, call: OutboxSubmission) -> None:
        """Take the rows of a stopped lane back; an outbox or a client that cannot go on ends the drain."""
        key, error = (call.campaign, call.operation), call.error
        if isinstance(error, OutboxError | ClientClosedError):
            raise self._reported(error)
        self._in_doubt = self._in_doubt or self._leaves_doubt(call)
        await self._store.release(list(call.claimed.values()))
        call.claimed.clear()
        if error is not None:
            await self._store.suspend(call.campaign, str(error), getattr(error, "status", None))
            self._suspended[key] = (self._clock() + SUSPEND_SECONDS, error)
        del self._submissions[key]  # last: who is cancelled before releases it when leaving
