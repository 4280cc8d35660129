"""LeadBatcher: the lanes of one client, one for each campaign."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

import anyio

from voiso_async.errors import ClientClosedError
from voiso_async.events import EventHook
from voiso_async.ingest.gate import Gate
from voiso_async.ingest.handler import CampaignErrorParser
from voiso_async.ingest.lane import Backoff, Lane, LaneParts, Post
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneStatus


class LeadBatcher:
    """Split lead lists into batches of up to 1000 and send them: one POST at a time and paced, for each campaign.

    ``post`` sends one body and gives any complete response, or raises an error that says what is proved; ``gate``
    says when; ``parse_error`` makes an error of a response that says no; ``guard`` raises if the client cannot be
    used, and ``backoff`` waits while the server wants no request at all.
    """

    def __init__(
        self,
        post: Post,
        gate: Gate,
        parse_error: CampaignErrorParser,
        *,
        policy: LanePolicy | None = None,
        hook: EventHook | None = None,
        guard: Callable[[], None] = lambda: None,
        backoff: Backoff = lambda: asyncio.sleep(0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy: LanePolicy = policy or LanePolicy()
        self.clock: Callable[[], float] = clock
        self.read_lock: asyncio.Lock = asyncio.Lock()
        self._parts = LaneParts(
            post=post,
            gate=gate,
            parse_error=parse_error,
            backoff=backoff,
            policy=self.policy,
            hook=hook or EventHook(),
            clock=clock,
        )
        self._guard = guard
        self._lanes: dict[int, Lane] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False

    def lane(self, campaign: int) -> Lane:
        """Give the lane of a campaign; the first use makes it."""
        if campaign not in self._lanes:
            self._lanes[campaign] = Lane(campaign, self._parts)
        return self._lanes[campaign]

    def statuses(self) -> list[LaneStatus]:
        """Every lane that was ever used, by campaign."""
        return [self._lanes[campaign].status() for campaign in sorted(self._lanes)]

    def ensure_open(self) -> None:
        """Raise if the client is closed or cannot be used here."""
        self._guard()
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one. Nothing was sent")

    def in_background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run work in a task that a caller's cancellation does not reach; ``aclose()`` waits for it."""
        task = asyncio.create_task(work, name=name, context=Context())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

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
            # All lanes at once, and waited for: a POST that goes on after aclose() returns would break the pace of
            # whoever opens the next client.
            ending = [task for lane in self._lanes.values() if (task := lane.abort(error))]
            await asyncio.gather(*ending, *self._background, return_exceptions=True)
