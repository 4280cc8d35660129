"""The exact index of the phones of one call: which row claimed a phone first."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import anyio

from voiso_async.errors import VoisoError
from voiso_async.ingest.intake import prepare
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, ReportBuilder
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult

SHARDS = 251
"""A prime: a shard of a two-million-row call has some 8000 phones, so that no resize holds the loop for long.

With more of them two hundred calls would hold it for longer: the garbage collector looks at each."""


class PhoneIndex:
    """Remember each phone's first row, exactly, in many small tables."""

    def __init__(self) -> None:
        self._shards: defaultdict[int, dict[int, int]] = defaultdict(dict)

    def claim(self, phone: str, index: int) -> int:
        """Claim the phone for ``index`` unless an earlier row has it; give the row that owns it."""
        number = int(phone)
        return self._shards[number % SHARDS].setdefault(number, index)


READ_DELAY = 0.005
"""Seconds that a POST has the event loop to itself: reading would hold it up on its way to the wire."""


class LeadSubmission:
    """A source of rows and a place for their outcomes.

    The caller's task reads leads into ``waiting`` and takes outcomes out; the lane takes rows and settles them.
    ``ended`` means that no more rows come, ``departed`` that nobody waits any more.
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
        self.operation = operation
        self.waiting: dict[int, Row] = {}
        self.backlog: int = 0
        self.enqueued: bool = False
        self.reading: bool = False
        self.eof: bool = False
        self.cancelled: bool = False
        self.error: VoisoError | None = None
        self.began: float = clock()
        self._policy = policy
        self._clock = clock
        self._report = ReportBuilder()
        self._seen = PhoneIndex() if dedupe and operation is Operation.ADD else None
        self._in_lane: dict[int, Row] = {}
        self._unread: deque[LeadOutcome] | None = deque() if streamed else None
        self._consumers_waiting = 0
        self._consumer_is_ready = False
        self._changed = asyncio.Event()
        self._done_at: float | None = None
        self._source_scope: anyio.CancelScope | None = None

    # What the caller's task does

    @property
    def capacity(self) -> int:
        """How many more leads may be read for now."""
        return max(0, self._policy.buffer_rows - max(len(self.waiting), self.unread))

    @property
    def unread(self) -> int:
        """Outcomes that the caller has not taken yet."""
        return len(self._unread) if self._unread is not None else 0

    @property
    def done(self) -> bool:
        """Whether every row that came has its outcome and no more will come."""
        return self._done_at is not None

    def add(self, leads: Sequence[Any]) -> None:
        """Take leads from the source: each waits, or has its outcome at once."""
        seen, now = self._seen, self._clock()
        for row in prepare(leads, self._report.add_rows(len(leads)), self.operation, self):
            if isinstance(row, LeadOutcome):
                self._record(row)
            elif self.eof:  # the source was one step ahead of the stop
                self._record_results([RowResult(row, Outcome.NOT_SENT)])
            elif seen is not None and (first := seen.claim(row.phone, row.index)) != row.index:
                self._record(row.as_repeated(first))
            else:
                row.entered = now
                self.waiting[row.index] = row

    def close(self) -> None:
        """No more rows come."""
        self.eof = True
        self._check_done()

    def cancel(self) -> None:
        """Withdraw what waits; what the lane holds it lets go of: see ``ground``."""
        self.cancelled = True
        self._end_reading()
        self._drop_waiting()
        self._check_done()

    def outcomes(self, *, one: bool) -> list[LeadOutcome]:
        """Take the next outcome or the next few, but not so many that the consumer seems to be away."""
        self._changed.set()
        unread = self._unread or deque()
        few = 1 if one else max(1, self._policy.max_rows // 50)
        return [unread.popleft() for _ in range(min(few, len(unread)))]

    def consumer_resumed(self) -> None:
        """The consumer goes on, although there are outcomes that it has not taken: the next batch may go."""
        self._consumer_is_ready = self.unread < self._policy.buffer_rows

    async def more(self, offer: Callable[["LeadSubmission"], None]) -> None:
        """Wait, as the consumer, until the lane has done something to this call; meanwhile its rows may go."""
        self._changed.clear()
        self._consumers_waiting += 1
        try:
            offer(self)
            await self._changed.wait()
        finally:
            self._consumers_waiting -= 1

    async def change(self) -> None:
        """Wait until the lane has done something to this call."""
        self._changed.clear()
        await self._changed.wait()

    def set_source_scope(self, scope: anyio.CancelScope | None) -> None:
        """Name the scope in which the source is being awaited, so that a stop can end the wait."""
        self._source_scope = scope

    def report(self) -> IngestReport:
        """Draw up the report as of now; a departed call's rows in flight count as UNKNOWN until their answer."""
        held = self._in_lane.values() if self.cancelled else ()
        open_rows = [RowResult(row, Outcome.UNKNOWN).as_outcome() for row in held]
        end = self._clock() if self._done_at is None else self._done_at
        return self._report.report(
            elapsed=end - self.began,
            policy=self._policy,
            open_rows=open_rows,
            pending=len(self.waiting) + len(self._in_lane) - len(open_rows),
        )

    # What the lane does

    @property
    def sendable(self) -> bool:
        """Whether the lane may take rows: they wait, and so does whoever is to hear of them.

        A consumer that has left its loop cannot be told from one that is busy in it, so a streamed call offers
        only while its consumer waits, or once it has come back while the gate was open.
        """
        if self._unread is None or self._consumer_is_ready:
            return bool(self.waiting)
        return bool(self.waiting and self._consumers_waiting and not self._unread)

    @property
    def needs_slot(self) -> bool:
        """Whether the lane has to wait for a turn because of it."""
        return not self.cancelled and bool(self.sendable or self._in_lane)

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""
        return self.eof or len(self.waiting) >= self._policy.max_rows

    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Note that the lane has taken rows: there is room for others, which are read once these have left."""
        self._in_lane.update((row.index, row) for row in rows)
        if not self.eof:
            asyncio.get_running_loop().call_later(READ_DELAY, self._changed.set)

    def on_attempt(self, attempt: Attempt) -> None:
        """Note a POST that carried rows of this call; for another one a busy consumer has to come back again."""
        self._report.add_attempt(attempt)
        self._consumer_is_ready = False

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Write rows' final words; only the first word on a row counts."""
        mine = [result for result in results if self._in_lane.pop(result.row.index, None) is not None]
        self._report.doubted += sum([1 for result in mine if result.row.doubts])
        self._record_results(mine)
        if not self._in_lane:
            self._check_done()

    def resolve_idle(self, flying: Collection[Row]) -> None:
        """Settle the rows that are not in a POST now: nobody waits for them, so they are never sent again."""
        staying = {row.index for row in flying if row.submission is self}
        rows = [row for index, row in self._in_lane.items() if index not in staying]
        self.resolve([RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT) for row in rows])

    def close_input(self, error: VoisoError) -> None:
        """Read the source no further; what waits still goes, then the caller gets ``error``."""
        if not self.eof:
            self.error = error
            self._end_reading()
        self._check_done()

    def fail(self, error: VoisoError) -> None:
        """The lane gave up: settle every row by what is proved, and tell the caller why."""
        self.error = self.error or error
        self.close_input(error)
        self.cancel()
        self.resolve_idle(())

    def _end_reading(self) -> None:
        self.eof = True
        if self._source_scope is not None:
            self._source_scope.cancel()

    # The books

    def _drop_waiting(self) -> None:
        dropped = [RowResult(row, Outcome.NOT_SENT) for row in self.waiting.values()]
        self.waiting.clear()
        self._record_results(dropped)

    def _record_results(self, results: Sequence[RowResult]) -> None:
        self._report.count(results)
        told = results if self._unread is not None else self._report.to_keep(results)
        self._keep([result.as_outcome() for result in told])

    def _record(self, outcome: LeadOutcome) -> None:
        self._report.count([outcome])
        self._keep([outcome])

    def _keep(self, outcomes: Sequence[LeadOutcome]) -> None:
        self._report.keep(outcomes)
        if self._unread is not None and outcomes:
            self._unread.extend(outcomes)
            self._consumer_is_ready = False
            self._changed.set()

    def _check_done(self) -> None:
        if self.eof and not self.waiting and not self._in_lane and self._done_at is None:
            self._done_at = self._clock()
        self._changed.set()
