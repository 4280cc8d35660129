"""Ingestion: what ``add()`` and ``update()`` give, awaitable and iterable as ``Paginator`` is."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from voiso_async.errors import DeadlineExceededError, SourceError, UsageError, VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.report import IngestReport, reporting
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.source import AnyLeads, Source
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.wire import check_seconds, positive_id

T = TypeVar("T")


class Ingestion(AsyncIterator[LeadOutcome]):
    """One ``add()`` or ``update()``: await it for the report, or iterate it for each lead's outcome.

    Nothing happens before one of the two. Cancelling the caller cancels its unsent leads and leaves other callers
    alone. ``report`` is valid at any time, also after an error or a cancellation. The source is read in the
    caller's task when awaited, and in a task beside it when iterated, so that no outcome waits for the next lead.
    Several tasks may share one iteration; each outcome goes to one of them.

    Iterate inside ``async with``: leaving the block, however it ends, cancels what was not sent, and only the POST
    in flight goes on. Without the block nobody can tell a loop that was left from one whose body is busy. So the
    next batch leaves only while the loop waits for outcomes, or has come back for more once the gate is open.
    What was not sent then stays ``pending`` in the report until the call is dropped or the client closed.

    Raises:
        SourceError: the source of leads raised.
        DeadlineExceededError: ``timeout`` seconds have passed.
        ClientClosedError: the client was closed.
        VoisoError: the lane stopped, with the error of the attempt that stopped it.

    Each carries ``.report``. Else the report says it all: ``report.ok``, ``report.raise_unless_ok()``.

    >>> report = await voiso.leads.add(3, ["441632960123"])        # doctest: +SKIP
    >>> async with voiso.leads.add(3, leads) as outcomes:          # doctest: +SKIP
    ...     async for outcome in outcomes: ...
    """

    def __init__(
        self,
        batcher: LeadBatcher,
        operation: Operation,
        campaign_id: int | str,
        leads: AnyLeads,
        *,
        dedupe: bool = True,
        timeout: float | None = None,
    ) -> None:
        self._batcher = batcher
        self._operation = operation
        self._campaign = positive_id(campaign_id)
        if timeout is not None:
            check_seconds("timeout", timeout)
        self._source = Source(leads, batcher.read_lock)
        self._dedupe = dedupe
        self._timeout = timeout
        self._deadline: float | None = None
        self._submission: LeadSubmission | None = None
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
        submission = self._begin(streamed=True)
        if submission.unread and self._deadline is None:
            self._outcomes_read.extend(self._unread(submission))
        else:
            self._outcomes_read.extend(await self._guarded(self._next_outcomes(submission)))
        if self._outcomes_read:
            return self._outcomes_read.popleft()
        self._finish(submission)
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()

    def __del__(self) -> None:
        """An iteration that was left without its context manager cancels too, in its own loop."""
        submission = getattr(self, "_submission", None)  # __init__ may have raised
        if submission is not None and not submission.done:
            submission.cancel_threadsafe()

    @property
    def report(self) -> IngestReport:
        """What is known by now; rows without an outcome are ``pending``."""
        if self._submission is None:
            return IngestReport(counts=dict.fromkeys(Outcome, 0), reasons={})
        return self._submission.report()

    async def _whole(self) -> IngestReport:
        submission = self._begin(streamed=False)
        await self._guarded(self._feed(submission))
        self._finish(submission)
        return submission.report()

    async def _feed(self, submission: LeadSubmission) -> None:
        await self._source.feed(submission)
        while not submission.done:
            await submission.change()

    async def _next_outcomes(self, submission: LeadSubmission) -> list[LeadOutcome]:
        """Take the next outcomes, or wait for them; none come once the call is over."""
        if not submission.unread:
            while not (submission.unread or submission.done):
                if self._reader is None:
                    self._reader = asyncio.create_task(self._source.feed(submission))
                    self._reader.add_done_callback(lambda _: _reading_ended(submission))
                await submission.next_outcome()
            return self._take(submission)
        return self._unread(submission)

    def _unread(self, submission: LeadSubmission) -> list[LeadOutcome]:
        submission.consumer_resumed()
        return self._take(submission)

    def _take(self, submission: LeadSubmission) -> list[LeadOutcome]:
        return submission.outcomes(one=self._deadline is not None)  # none after the deadline

    def _begin(self, *, streamed: bool) -> LeadSubmission:
        if self._submission is None:
            batcher = self._batcher
            try:
                batcher.ensure_open()
            except VoisoError as error:
                raise reporting(error, self.report) from None
            self._submission, self._streamed = (
                LeadSubmission(
                    self._operation, batcher.policy, batcher.clock, dedupe=self._dedupe, streamed=streamed
                ),
                streamed,
            )
            batcher.lane(self._campaign).add(self._submission)
            if self._timeout is not None:
                self._deadline = anyio.current_time() + self._timeout
        elif not (streamed and self._streamed):
            raise UsageError("a call is awaited or iterated, and awaited once; call add() or update() again")
        return self._submission

    async def _guarded(self, step: Coroutine[Any, Any, T]) -> T:
        """Run one step of the caller's; whatever ends it early cancels what was not sent."""
        deadline = self._deadline
        if deadline is None or anyio.current_time() < deadline:
            with nullcontext() if deadline is None else anyio.CancelScope(deadline=deadline):
                try:
                    return await step
                except BaseException:
                    self._cancel()
                    raise
        # The deadline has passed before or during the step. The outcomes that are known are in the report.
        step.close()
        self._cancel()
        self._over = True
        error = DeadlineExceededError(
            f"the deadline of {self._timeout:g} s passed before every lead had its outcome; rows in flight are "
            "UNKNOWN in .report until their answer comes, the rest is NOT_SENT"
        )
        raise reporting(error, self.report)

    def _finish(self, submission: LeadSubmission) -> None:
        self._over = True
        if submission.error is None:
            return
        error = reporting(submission.error, submission.report())
        error.__cause__ = submission.error.__cause__
        raise error

    def _cancel(self) -> None:
        if self._submission is not None:
            self._submission.cancel()


def _reading_ended(submission: LeadSubmission) -> None:
    """Cancel a submission that nobody feeds, since its reader was cancelled from outside (at its loop's end)."""
    if not submission.eof:
        submission.error = SourceError("the reading of the source was cancelled; what had been sent is in .report")
        submission.cancel()
