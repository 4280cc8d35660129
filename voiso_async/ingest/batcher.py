"""LeadBatcher: the lanes of one client, by campaign."""

import asyncio
import time
from collections.abc import Callable

import anyio
from anyio.lowlevel import checkpoint

from voiso_async.errors import ClientClosedError, ConfigurationError
from voiso_async.events import EventHook
from voiso_async.ingest.call import Call
from voiso_async.ingest.door import Door
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.lane import Lane, Post, Quiet
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.reckoning import Explain
from voiso_async.ingest.row import Operation
from voiso_async.ingest.source import Leads, Source
from voiso_async.ingest.status import LaneStatus
from voiso_async.wire import positive_id

__all__ = ["LeadBatcher"]


class LeadBatcher:
    """Split lead lists into batches and send them, one POST at a time and paced, for each campaign (contract 6.3).

    ``post`` sends one body and gives any complete answer, or raises with what is proved; ``door`` says when;
    ``explain`` makes an error of an answer that says no; ``guard`` raises if the client cannot be used, and
    ``quiet`` waits while the server wants nothing at all.
    """

    def __init__(
        self,
        post: Post,
        door: Door,
        explain: Explain,
        *,
        policy: LanePolicy | None = None,
        hook: EventHook | None = None,
        guard: Callable[[], None] = lambda: None,
        quiet: Quiet = checkpoint,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._door = door
        self._explain = explain
        self._policy = policy or LanePolicy()
        self._hook = hook or EventHook()
        self._guard = guard
        self._quiet = quiet
        self._clock = clock
        self._lanes: dict[int, Lane] = {}
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
        _check_timeout(timeout)

        def begin(streamed: bool) -> tuple[Call, Lane]:  # noqa: FBT001 - called by Ingestion alone
            self._guard()
            if self._closed:
                raise ClientClosedError("the client is closed; make a new one. Nothing was sent")
            lane = self._lane(campaign)
            call = Call(operation, self._policy, self._clock, dedupe=dedupe, streamed=streamed)
            lane.submit(call)
            return call, lane

        return Ingestion(begin, Source(leads), timeout)

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
            lane.seal(error)
        try:
            with anyio.move_on_after(grace):
                while tasks := [task for lane in self._lanes.values() if (task := lane.task())]:
                    await asyncio.wait(tasks)
        finally:
            ending = [task for lane in self._lanes.values() if (task := lane.end(error))]
            await asyncio.gather(*ending, return_exceptions=True)

    def _lane(self, campaign: int) -> Lane:
        if campaign not in self._lanes:
            self._lanes[campaign] = Lane(
                campaign,
                door=self._door,
                post=self._post,
                explain=self._explain,
                quiet=self._quiet,
                policy=self._policy,
                hook=self._hook,
                clock=self._clock,
            )
        return self._lanes[campaign]


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and not (isinstance(timeout, int | float) and 0 <= timeout < float("inf")):
        raise ConfigurationError("timeout must be a number of seconds from 0, or None for no deadline")
