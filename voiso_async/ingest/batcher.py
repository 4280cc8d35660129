"""LeadBatcher: the lanes of one client, by campaign."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context

import anyio

from voiso_async.errors import ClientClosedError, VoisoError
from voiso_async.events import EventHook
from voiso_async.ingest.drain import Dispatcher
from voiso_async.ingest.gate import Gate
from voiso_async.ingest.handler import CampaignErrorParser
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.lane import Backoff, Lane, Post
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, LaneStatus
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.source import Leads, Source
from voiso_async.ingest.store import Store
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.wire import check_seconds, positive_id


class LeadBatcher:
    """Split lead lists into batches and send them, one POST at a time and paced, for each campaign (contract 6.3).

    ``post`` sends one body and gives any complete answer, or raises with what is proved; ``door`` says when;
    ``explain`` makes an error of an answer that says no; ``guard`` raises if the client cannot be used, and
    ``quiet`` waits while the server wants nothing at all.
    """

    def __init__(
        self,
        post: Post,
        door: Gate,
        explain: CampaignErrorParser,
        *,
        policy: LanePolicy | None = None,
        hook: EventHook | None = None,
        guard: Callable[[], None] = lambda: None,
        quiet: Backoff = lambda: asyncio.sleep(0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._gate = door
        self._explain = explain
        self._policy = policy or LanePolicy()
        self._hook = hook or EventHook()
        self._guard = guard
        self._backoff = quiet
        self._clock = clock
        self._lanes: dict[int, Lane] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._read_lock = asyncio.Lock()
        self._closed = False

    def ingest(
        self,
        operation: Operation,
        campaign_id: int | str,
        leads: Leads,
        *,
        dedupe: bool = True,
        timeout: float | None = None,
    ) -> Ingestion:
        """Prepare a call; it begins when it is awaited or iterated."""
        campaign = positive_id(campaign_id)
        if timeout is not None:
            check_seconds("timeout", timeout)

        def begin(streamed: bool) -> tuple[LeadSubmission, Lane]:  # noqa: FBT001 - called by Ingestion alone
            self._ensure_open()
            lane = self._lane(campaign)
            call = LeadSubmission(operation, self._policy, self._clock, dedupe=dedupe, streamed=streamed)
            lane.add(call)
            return call, lane

        return Ingestion(begin, Source(leads, self._read_lock), timeout)

    async def drain(
        self, store: Store, job_id: str | None = None, *, more: Callable[[], bool] = lambda: False
    ) -> IngestReport:
        """Send what waits in a store, of one job or of all, until nothing does and no ``more`` comes."""
        async with self._draining(store, job_id) as drain:
            return await drain.until_empty(more)

    async def run(self, store: Store) -> None:
        """Send what comes into a store until cancelled."""
        async with self._draining(store, None) as drain:
            await drain.run()

    @asynccontextmanager
    async def _draining(self, store: Store, job_id: str | None) -> AsyncIterator[Dispatcher]:
        """Give back, however a drain ends, what it has not sent; after a cancellation in a task of our own."""
        drain = Dispatcher(
            store,
            self._lane,
            policy=self._policy,
            clock=self._clock,
            guard=self._ensure_open,
            job_id=job_id,
        )
        try:
            yield drain
        except BaseException:
            self._close_soon(drain)
            raise
        await asyncio.shield(self._close_soon(drain))

    def _close_soon(self, drain: Dispatcher) -> asyncio.Task[None]:
        task = asyncio.create_task(_closed(drain), name="voiso drain leaves", context=Context())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    def lanes(self) -> list[LaneStatus]:
        """Every lane that was ever used, by campaign."""
        return [self._lanes[campaign].status() for campaign in sorted(self._lanes)]

    async def aclose(self, grace: float = 30.0) -> None:
        """Let what is buffered go on for ``grace`` seconds, then end what is left.

        A POST in flight at the end is cancelled and its rows are UNKNOWN; the rest is NOT_SENT. Every call that
        still waits raises ``ClientClosedError`` with its report.
        """
        self._closed = True
        error = ClientClosedError("the client was closed before every lead was sent; see .report for each")
        for lane in self._lanes.values():
            lane.close_input(error)
        try:
            with anyio.move_on_after(grace):
                while tasks := [task for lane in self._lanes.values() if (task := lane.task())]:
                    await asyncio.wait(tasks)
        finally:
            ending = [task for lane in self._lanes.values() if (task := lane.abort(error))]
            await asyncio.gather(*ending, *self._closing, return_exceptions=True)

    def _ensure_open(self) -> None:
        self._guard()
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one. Nothing was sent")

    def _lane(self, campaign: int) -> Lane:
        if campaign not in self._lanes:
            self._lanes[campaign] = Lane(
                campaign,
                door=self._gate,
                post=self._post,
                explain=self._explain,
                quiet=self._backoff,
                policy=self._policy,
                hook=self._hook,
                clock=self._clock,
            )
        return self._lanes[campaign]


async def _closed(drain: Dispatcher) -> None:
    """Leave a drain; what an outbox that fails now still holds is taken back when it is opened again."""
    with suppress(VoisoError):
        await drain.close()
