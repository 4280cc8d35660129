"""What a caller hands to a lane: rows on the way in, outcomes on the way out."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

import anyio

from voiso_async.errors import VoisoError
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import prepare
from voiso_async.ingest.report import IngestReport, ReportBuilder
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult

SHARDS = 251
"""A prime: a shard of a two-million-row submission has some 8000 phones, so no resize holds the loop for long.

More shards would cost more: with 200 submissions the garbage collector visits each of their tables."""

READ_DELAY = 0.005
"""Seconds that a POST has the event loop to itself: reading would hold it up on its way to the wire."""


class LaneHandle(Protocol):
    """What a submission asks of its lane."""

    @property
    def is_open(self) -> bool:
        """Whether a slot could be had at once."""
        ...

    def notify(self, submission: "QueuedSubmission") -> None:
        """Look at a submission again: it has rows, it has ended, or its outcomes were read."""
        ...


class QueuedSubmission(ABC):
    """One caller as its lane sees it: ``waiting`` rows in order, and ``backlog`` more that a claim may bring.

    ``in_lane`` are the rows that the lane has taken and not resolved, ``cancelled`` means that nobody waits any
    more, ``done`` that every row has its outcome and no more will come. The rows of a ``durable`` submission are
    in an outbox, which learns every outcome first.
    """

    # The garbage collector visits neither the rows nor a ``dict`` of them, but it would visit a ``deque``.

    durable: bool = False
    job_id: str | None = None

    def __init__(self, operation: Operation, report: ReportBuilder) -> None:
        self.operation = operation
        self.waiting: dict[int, Row] = {}
        self.in_lane: dict[int, Row] = {}
        self.backlog: int = 0
        self.enqueued: bool = False
        self.reading: bool = False
        self.cancelled: bool = False
        self.done: bool = False
        self.error: VoisoError | None = None
        self._report = report
        self._lane: LaneHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # What the caller does

    def attach(self, lane: LaneHandle) -> None:
        """Remember the lane that takes the rows."""
        self._lane, self._loop = lane, asyncio.get_running_loop()

    def notify(self) -> None:
        """Tell the lane that something has changed."""
        if self._lane is not None:
            self._lane.notify(self)

    def cancel(self) -> None:
        """Never send what is not in flight; the POST in flight goes on."""
        if not self.done:
            self._mark_cancelled()
            self.notify()

    def cancel_threadsafe(self) -> None:
        """Cancel from a finalizer, which may run in any thread, and after the loop's end."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.cancel)

    # What the lane does

    @property
    @abstractmethod
    def sendable(self) -> bool:
        """Whether the lane may take rows now."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""

    @property
    def needs_slot(self) -> bool:
        """Whether the lane has to wait for a slot because of it: it has rows to send, or some that go again."""
        return not self.cancelled and bool(self.sendable or self.in_lane)

    def on_attempt(self, attempt: Attempt) -> None:
        """Count a POST that had rows of this submission."""
        self._report.add_attempt(attempt)

    def add_claimed(self, rows: Sequence[Row]) -> None:
        """Take the rows that an outbox has claimed for one slot; none means that it has no more for now."""
        self.backlog = max(0, self.backlog - len(rows)) if rows else 0
        claimed = {id(row): row for row in rows}
        self.waiting |= claimed
        self.in_lane |= claimed

    @abstractmethod
    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Note that the lane has taken rows."""

    @abstractmethod
    def resolve(self, results: Sequence[RowResult]) -> None:
        """Take the outcomes of rows."""

    @abstractmethod
    def resolve_idle(self, in_flight: Collection[Row]) -> None:
        """Resolve the rows in the lane that are not in flight: nobody waits for them, so they never go again."""

    @abstractmethod
    def close_input(self, error: VoisoError) -> None:
        """Take no more rows; what waits still goes, then the caller gets ``error``."""

    @abstractmethod
    def fail(self, error: VoisoError) -> None:
        """End with ``error``: the lane gave up."""

    def _mark_cancelled(self) -> None:
        self.cancelled = True

    def _mark_done(self) -> None:
        self.done = True

    def _keep_error(self, error: VoisoError) -> None:
        self.error = self.error or error  # the first one says why


class PhoneIndex:
    """Remember each phone's first row, exactly, in many small tables."""

    def __init__(self) -> None:
        self._shards: defaultdict[int, dict[int, int]] = defaultdict(dict)

    def claim(self, phone: str, index: int) -> int:
        """Claim the phone for ``index`` unless an earlier row has it; give the row that owns it."""
        number = int(phone)
        return self._shards[number % SHARDS].setdefault(number, index)


class LeadSubmission(QueuedSubmission):
    """The leads of one ``add()`` or ``update()``.

    The caller's task reads leads into ``waiting`` and takes outcomes out; the lane takes rows and resolves them.
    ``eof`` means that no more rows come.
    """

    def __init__(
        self,
        operation: Operation,
        policy: LanePolicy,
        clock: Callable[[], float],
        *,
        dedupe: bool,
        streamed: bool,
    ) -> None:
        super().__init__(operation, ReportBuilder())
        self.eof: bool = False
        self._began = clock()
        self._policy = policy
        self._buffer_rows = policy.buffer_rows
        self._clock = clock
        self._phones = PhoneIndex() if dedupe and operation is Operation.ADD else None
        self._unread: deque[LeadOutcome] | None = deque() if streamed else None
        self._consumers_waiting = 0
        self._consumer_is_ready = False
        self._changed = asyncio.Event()
        self._done_at = 0.0
        self._source_scope: anyio.CancelScope | None = None

    # What the caller's task does

    @property
    def capacity(self) -> int:
        """How many more leads may be read for now."""
        return max(0, self._buffer_rows - max(len(self.waiting), self.unread))

    @property
    def unread(self) -> int:
        """Outcomes that the caller has not taken yet."""
        return len(self._unread) if self._unread is not None else 0

    def add(self, leads: Sequence[Any]) -> None:
        """Take leads from the source: each waits, or has its outcome at once."""
        phones, now = self._phones, self._clock()
        for row in prepare(leads, self._report.add_rows(len(leads)), self.operation, self):
            if isinstance(row, LeadOutcome):
                self._record(row)
            elif self.eof:  # the source was one step ahead of the stop
                self._record_results([RowResult(row, Outcome.NOT_SENT)])
            elif phones is not None and (first := phones.claim(row.phone, row.index)) != row.index:
                self._record(row.as_repeated(first))
            else:
                row.entered = now
                self.waiting[row.index] = row

    def close(self) -> None:
        """Note that no more rows come."""
        self.eof = True
        self._check_done()

    def outcomes(self, *, one: bool) -> list[LeadOutcome]:
        """Take the next outcome or the next few, but not so many that the consumer seems to be away."""
        self._changed.set()
        unread = self._unread or deque()
        few = 1 if one else max(1, self._policy.max_rows // 50)
        return [unread.popleft() for _ in range(min(few, len(unread)))]

    def consumer_resumed(self) -> None:
        """Let the next batch go although outcomes are unread: their consumer is back and a slot is free."""
        if self.waiting and not self.sendable and self._lane is not None and self._lane.is_open:
            self._consumer_is_ready = self.unread < self._buffer_rows
            self.notify()

    async def next_outcome(self) -> None:
        """Wait, as the consumer, for a change; meanwhile the rows may go."""
        self._changed.clear()
        self._consumers_waiting += 1
        try:
            self.notify()
            await self._changed.wait()
        finally:
            self._consumers_waiting -= 1

    async def change(self) -> None:
        """Wait until the lane has changed this submission."""
        self._changed.clear()
        await self._changed.wait()

    def set_source_scope(self, scope: anyio.CancelScope | None) -> None:
        """Name the scope in which the source is awaited, so that ``fail`` can end the wait."""
        self._source_scope = scope

    def report(self) -> IngestReport:
        """Build the report as of now; rows in flight of a cancelled submission count as UNKNOWN until answered."""
        # Nobody waits any more, so the report must say something of rows in flight now: it is what a crash would
        # say.
        held = self.in_lane.values() if self.cancelled else ()
        open_rows = [RowResult(row, Outcome.UNKNOWN).as_outcome() for row in held]
        end = self._done_at if self.done else self._clock()
        return self._report.report(
            elapsed=end - self._began,
            policy=self._policy,
            open_rows=open_rows,
            pending=len(self.waiting) + len(self.in_lane) - len(open_rows),
        )

    # What the lane does

    @property
    def sendable(self) -> bool:
        """Whether the lane may take rows: they wait, and so does whoever reads their outcomes.

        A consumer that has left its loop cannot be told from one that is busy in it. So a streamed submission is
        sendable only while its consumer waits, or once it has come back while the gate was open.
        """
        if self._unread is None or self._consumer_is_ready:
            return bool(self.waiting)
        return bool(self.waiting and self._consumers_waiting and not self._unread)

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""
        return self.eof or len(self.waiting) >= self._policy.max_rows

    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Note that the lane has taken rows: there is capacity for others, which are read once these have left."""
        self.in_lane.update((row.index, row) for row in rows)
        # Wake the reader a little later: reading the next leads now would hold up this batch on its way to the
        # wire.
        if not self.eof:
            asyncio.get_running_loop().call_later(READ_DELAY, self._changed.set)

    def on_attempt(self, attempt: Attempt) -> None:
        """Count a POST; for the next one a busy consumer has to come back again."""
        super().on_attempt(attempt)
        self._consumer_is_ready = False

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Record the outcomes of rows; only the first outcome of a row counts."""
        # A row may be resolved twice: by its caller's cancellation, and by the answer that comes later.
        mine = [result for result in results if self.in_lane.pop(result.row.index, None) is not None]
        self._report.doubted += sum([1 for result in mine if result.row.doubts])
        self._record_results(mine)
        if not self.in_lane:
            self._check_done()

    def resolve_idle(self, in_flight: Collection[Row]) -> None:
        """Resolve the rows that are not in flight: nobody waits for them, so they are never sent again."""
        staying = {row.index for row in in_flight if row.submission is self}
        rows = [row for index, row in self.in_lane.items() if index not in staying]
        self.resolve([RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT) for row in rows])

    def close_input(self, error: VoisoError) -> None:
        """Read the source no further; what waits still goes, then the caller gets ``error``."""
        if not self.eof:
            self._keep_error(error)
            self._end_reading()
        self._check_done()

    def fail(self, error: VoisoError) -> None:
        """Resolve every row by what is proved, and end with ``error``."""
        self._keep_error(error)
        self.close_input(error)
        self._mark_cancelled()
        self.resolve_idle(())

    def _mark_cancelled(self) -> None:
        super()._mark_cancelled()
        self._end_reading()
        dropped = [RowResult(row, Outcome.NOT_SENT) for row in self.waiting.values()]
        self.waiting.clear()
        self._record_results(dropped)
        self._check_done()

    def _end_reading(self) -> None:
        self.eof = True
        if self._source_scope is not None:
            self._source_scope.cancel()

    # The report

    def _record_results(self, results: Sequence[RowResult]) -> None:
        self._tell(self._report.add_results(results, every=self._unread is not None))

    def _record(self, outcome: LeadOutcome) -> None:
        self._report.add_outcome(outcome)
        self._tell([outcome])

    def _tell(self, outcomes: Sequence[LeadOutcome]) -> None:
        if self._unread is not None and outcomes:
            self._unread.extend(outcomes)
            self._consumer_is_ready = False
            self._changed.set()

    def _check_done(self) -> None:
        if self.eof and not self.waiting and not self.in_lane and not self.done:
            self._mark_done()
            self._done_at = self._clock()
        self._changed.set()
