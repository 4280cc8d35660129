"""Ingestion: what ``add()`` and ``update()`` give; the twin of ``Paginator``."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from voiso_async.errors import DeadlineExceededError, SourceError, UsageError, VoisoError
from voiso_async.ingest.lane import Lane
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.report import IngestReport, reporting
from voiso_async.ingest.source import Source
from voiso_async.ingest.submission import LeadSubmission

T = TypeVar("T")
Begin = Callable[[bool], tuple[LeadSubmission, Lane]]


class Ingestion(AsyncIterator[LeadOutcome]):
    """One ``add()`` or ``update()``: await it for the report, or iterate it for each lead's outcome.

    Nothing happens before one of the two. Cancelling the caller withdraws its unsent leads and leaves other
    callers alone. ``report`` is valid at any time, also after an error or a cancellation. The source is read in
    the caller's task when awaited, and in a task beside it when iterated, so that no outcome waits for the next
    lead. Several tasks may share one iteration; each outcome goes to one of them.

    Iterate inside ``async with``: leaving the block, by whatever way, withdraws what was not sent, and only the
    POST in flight goes on. Without it nobody can tell a loop that was left from one whose body is busy. So the
    next batch leaves only while the loop waits for outcomes, or has come back for more once the gate is open.
    What was not sent then stays ``pending`` in the report until the call is dropped or the client closed.

    Raises only if the lane stopped (the error of the attempt that stopped it), if the source raised
    (``SourceError``), at the deadline (``DeadlineExceededError``) and on close (``ClientClosedError``); each
    carries ``.report``. Else the report says it all: ``report.ok``, ``report.raise_unless_ok()``.

    >>> report = await voiso.leads.add(3, ["441632960123"])        # doctest: +SKIP
    >>> async with voiso.leads.add(3, leads) as outcomes:          # doctest: +SKIP
    ...     async for outcome in outcomes: ...
    """

    def __init__(self, begin: Begin, source: Source, timeout: float | None = None) -> None:
        self._begin = begin
        self._source = source
        self._timeout = timeout
        self._deadline: float | None = None
        self._joined: tuple[LeadSubmission, Lane] | None = None
        self._streamed = False
        self._over = False
        self._reader: asyncio.Task[None] | None = None
        self._outcomes_read: deque[LeadOutcome] = deque()

    def __await__(self) -> Generator[Any, None, IngestReport]:
        return self._whole().__await__()

    async def __anext__(self) -> LeadOutcome:
        if self._outcomes_read:
            return self._outcomes_read.popleft()
        if self._over and self._streamed:
            raise StopAsyncIteration
        call, lane = self._join(streamed=True)
        if call.unread and self._deadline is None:
            self._outcomes_read.extend(self._next_few(call, lane))
        else:
            self._outcomes_read.extend(await self._guarded(self._some(call, lane)))
        if self._outcomes_read:
            return self._outcomes_read.popleft()
        self._finish(call)
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()

    def __del__(self) -> None:
        """An iteration that was left without its context manager withdraws too, in its own loop."""
        if self._joined is not None and not self._joined[0].done:
            call, lane = self._joined
            lane.cancel_threadsafe(call)

    @property
    def report(self) -> IngestReport:
        """What is known by now; rows without an outcome are ``pending``."""
        if self._joined is None:
            return IngestReport(counts=dict.fromkeys(Outcome, 0), reasons={})
        return self._joined[0].report()

    async def _whole(self) -> IngestReport:
        call, lane = self._join(streamed=False)
        await self._guarded(self._feed(call, lane))
        self._finish(call)
        return call.report()

    async def _feed(self, call: LeadSubmission, lane: Lane) -> None:
        await self._source.feed(call, lane.notify)
        while not call.done:
            await call.change()

    async def _some(self, call: LeadSubmission, lane: Lane) -> list[LeadOutcome]:
        """Take the next outcomes, or wait for them; none come once the call is over."""
        if call.unread:
            return self._next_few(call, lane)
        while not (call.unread or call.done):
            if self._reader is None:
                self._reader = asyncio.create_task(self._source.feed(call, lane.notify))
                self._reader.add_done_callback(lambda _: _reading_ended(call, lane))
            await call.more(lane.notify)
        return self._outcomes(call)

    def _next_few(self, call: LeadSubmission, lane: Lane) -> list[LeadOutcome]:
        """Take outcomes that are there: a consumer that comes back for them lets the next batch go."""
        if call.waiting and not call.sendable and lane.is_open:
            call.consumer_resumed()
            lane.notify(call)
        return self._outcomes(call)

    def _outcomes(self, call: LeadSubmission) -> list[LeadOutcome]:
        return call.outcomes(one=self._deadline is not None)  # none after the deadline

    def _join(self, *, streamed: bool) -> tuple[LeadSubmission, Lane]:
        if self._joined is None:
            try:
                self._joined, self._streamed = self._begin(streamed), streamed
            except VoisoError as error:
                raise reporting(error, self.report) from None
            if self._timeout is not None:
                self._deadline = anyio.current_time() + self._timeout
        elif not (streamed and self._streamed):
            raise UsageError("a call is awaited or iterated, and awaited once; call add() or update() again")
        return self._joined

    async def _guarded(self, step: Coroutine[Any, Any, T]) -> T:
        """Run one step of the caller's; whatever ends it early withdraws what was not sent."""
        deadline = self._deadline
        if deadline is None or anyio.current_time() < deadline:
            with nullcontext() if deadline is None else anyio.CancelScope(deadline=deadline):
                try:
                    return await step
                except BaseException:
                    self._cancel()
                    raise
        step.close()
        self._cancel()
        self._over = True
        error = DeadlineExceededError(
            f"the deadline of {self._timeout:g} s passed before every lead was settled; rows on their way are "
            "UNKNOWN in .report until their answer comes, the rest is NOT_SENT"
        )
        raise reporting(error, self.report)

    def _finish(self, call: LeadSubmission) -> None:
        self._over = True
        if call.error is None:
            return
        error = reporting(call.error, call.report())
        error.__cause__ = call.error.__cause__
        raise error

    def _cancel(self) -> None:
        if self._joined is not None:
            call, lane = self._joined
            lane.cancel(call)


def _reading_ended(call: LeadSubmission, lane: Lane) -> None:
    """A reader that was cancelled from outside, as at the end of its loop, leaves a call that nobody feeds."""
    if not call.eof:
        call.error = SourceError("the reading of the source was cancelled; what had been sent is in .report")
        lane.cancel(call)
