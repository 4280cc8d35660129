"""RecordAddition: what ``record_lists.add`` gives; the twin of ``Ingestion``."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from voiso_async.errors import DeadlineExceededError, UsageError, VoisoError
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.report import IngestReport, reporting
from voiso_async.talkdesk.submission import RecordSubmission

T = TypeVar("T")
ONCE = "a call is awaited or iterated, and awaited once; call add() again"
Begin = Callable[[bool], Coroutine[Any, Any, RecordSubmission]]


class RecordAddition(AsyncIterator[LeadOutcome]):
    """One ``add()``: await it for the report, or iterate it for each record's outcome.

    Nothing happens before one of the two. Several tasks may share one iteration; each outcome goes to one of them.
    ``report`` is valid at any time, also after an error or a cancellation: a request that is cancelled in flight
    leaves its records UNKNOWN, the rest is NOT_SENT. As an async context manager it reads and sends nothing more
    on leaving; without it the next request leaves only when the loop comes back for more.

    Raises only if the call had to stop, if the source raised (``SourceError``) and at the deadline
    (``DeadlineExceededError``); each error carries ``.report``.
    """

    def __init__(self, begin: Begin, timeout: float | None = None) -> None:
        self._begin = begin
        self._timeout = timeout
        self._deadline = math.inf
        self._call: RecordSubmission | None = None
        self._started = self._streamed = self._over = False
        self._turn = asyncio.Lock()

    def __await__(self) -> Generator[Any, None, IngestReport]:
        return self._whole().__await__()

    async def __anext__(self) -> LeadOutcome:
        if self._started and not self._streamed:
            raise UsageError(ONCE)
        async with self._turn:  # tasks that share an iteration take each step together
            if self._over:
                raise StopAsyncIteration
            call = self._call or await self._start(streamed=True)
            while not call.rows.unread and not call.over:
                await self._timely(call.step())
        if call.rows.unread:
            return call.rows.unread.popleft()
        self._finish(call)
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._call is not None and not self._call.over:
            await self._call.close()

    @property
    def report(self) -> IngestReport:
        """What is known by now; records without an outcome are ``pending``."""
        if self._call is None:
            return IngestReport(counts=dict.fromkeys(Outcome, 0), reasons={})
        return self._call.rows.report()

    async def _whole(self) -> IngestReport:
        call = await self._start(streamed=False)
        while not call.over:
            await self._timely(call.step())
        self._finish(call)
        return call.rows.report()

    async def _start(self, *, streamed: bool) -> RecordSubmission:
        if self._started:
            raise UsageError(ONCE)
        self._started, self._streamed = True, streamed
        self._deadline = math.inf if self._timeout is None else anyio.current_time() + self._timeout
        try:
            self._call = await self._timely(self._begin(streamed))
        except VoisoError as error:
            self._over = True
            raise reporting(error, self.report) from None
        return self._call

    async def _timely(self, step: Coroutine[Any, Any, T]) -> T:
        """Run one step of the caller's; at the deadline the rest is settled by what is proved."""
        with anyio.CancelScope(deadline=self._deadline):
            return await step
        if self._call is not None:
            await self._call.close()
        self._over = True
        error = DeadlineExceededError(
            f"the deadline of {self._timeout:g} s passed before every record was settled; a request under way "
            "leaves its records UNKNOWN in .report, the rest is NOT_SENT"
        )
        raise reporting(error, self.report)

    def _finish(self, call: RecordSubmission) -> None:
        self._over = True
        if call.error is not None:
            error = reporting(call.error, call.rows.report())
            error.__cause__ = call.error.__cause__
            raise error
