"""One ``add()`` or ``update()`` inside the engine: its rows on the way in, its outcomes on the way out."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio

from voiso_async.errors import VoisoError
from voiso_async.ingest.books import Books
from voiso_async.ingest.outcome import IngestReport, LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.row import Carried, Operation, Row, prepare
from voiso_async.ingest.seen import SeenPhones

__all__ = ["Call"]


class Call:
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
        self.waiting: deque[Row] = deque()
        self.backlog: int = 0
        self.queued: bool = False
        self.reading: bool = False
        self.ended: bool = False
        self.departed: bool = False
        self.error: VoisoError | None = None
        self.began: float = clock()
        self._policy = policy
        self._clock = clock
        self._books = Books()
        self._seen = SeenPhones() if dedupe and operation is Operation.ADD else None
        self._held: dict[int, Row] = {}
        self._unread: deque[LeadOutcome] | None = deque() if streamed else None
        self._changed = asyncio.Event()
        self._finished_at: float | None = None
        self._source_scope: anyio.CancelScope | None = None

    # What the caller's task does

    @property
    def full(self) -> bool:
        """Whether no more may be read for now."""
        return max(len(self.waiting), self.unread) >= self._policy.buffer_rows

    @property
    def unread(self) -> int:
        """Outcomes that the caller has not taken yet."""
        return len(self._unread) if self._unread is not None else 0

    @property
    def finished(self) -> bool:
        """Whether every row that came has its outcome and no more will come."""
        return self._finished_at is not None

    def read(self, lead: Any) -> None:
        """Take one lead from the source: it waits, or has its outcome at once."""
        index = self._books.enter()
        row = prepare(lead, index, self.operation, self)
        if isinstance(row, LeadOutcome):
            self._record(row)
            return
        if self.ended:  # the source was one step ahead of the stop
            self._conclude(row, Outcome.NOT_SENT)
            return
        first = index if self._seen is None else self._seen.first(row.phone, index)
        if first != index:
            self._record(_outcome(row, Outcome.REPEATED, first=first))
            return
        row.entered = self._clock()
        self.waiting.append(row)

    def end(self) -> None:
        """No more rows come."""
        self.ended = True
        self._look_finished()

    def leave(self) -> None:
        """Withdraw what was not sent; a POST in flight goes on, and its answer still enters the books."""
        self.departed = True
        self._end_reading()
        self._drop_waiting()
        self._look_finished()

    def next_outcome(self) -> LeadOutcome | None:
        """Take the next outcome, if there is one."""
        self._changed.set()
        return self._unread.popleft() if self._unread else None

    async def change(self) -> None:
        """Wait until the lane has done something to this call."""
        self._changed.clear()
        await self._changed.wait()

    def reading_in(self, scope: anyio.CancelScope | None) -> None:
        """Name the scope in which the source is being awaited, so that a stop can end the wait."""
        self._source_scope = scope

    def report(self) -> IngestReport:
        """Draw up the report as of now; an open row of a departed call counts as UNKNOWN until its answer."""
        open_rows = [_outcome(row, Outcome.UNKNOWN) for row in self._held.values()] if self.departed else []
        end = self._clock() if self._finished_at is None else self._finished_at
        return self._books.report(elapsed=end - self.began, policy=self._policy, open_rows=open_rows)

    # What the lane does

    @property
    def offers(self) -> bool:
        """Whether the lane may take rows: they wait, and the consumer keeps up."""
        return bool(self.waiting) and self.unread < self._policy.buffer_rows

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""
        return self.ended or len(self.waiting) >= self._policy.max_rows

    def hold(self, row: Row) -> None:
        """Note that the lane has taken a row: there is room for another."""
        self._held[row.index] = row
        self._changed.set()

    def carried(self, attempt: Carried) -> None:
        """Note a POST that carried rows of this call."""
        self._books.note(attempt)

    def settle(self, row: Row, outcome: Outcome, reason: str | None = None, detail: str | None = None) -> None:
        """Write a row's final word; only the first word counts."""
        if self._held.pop(row.index, None) is None:
            return
        self._books.doubted += row.doubted
        self._conclude(row, outcome, reason, detail)
        if not self._held:
            self._look_finished()

    def seal(self, error: VoisoError) -> None:
        """Read the source no further; what waits still goes, then the caller gets ``error``."""
        if not self.ended:
            self.error = error
            self._end_reading()
        self._look_finished()

    def stop(self, error: VoisoError) -> None:
        """The lane gave up: settle every row by what is proved, and tell the caller why."""
        self.error = self.error or error
        self.seal(error)
        self.leave()
        for row in list(self._held.values()):
            self.settle(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT)

    def _end_reading(self) -> None:
        self.ended = True
        if self._source_scope is not None:
            self._source_scope.cancel()

    # The books

    def _drop_waiting(self) -> None:
        while self.waiting:
            self._conclude(self.waiting.popleft(), Outcome.NOT_SENT)

    def _conclude(self, row: Row, outcome: Outcome, reason: str | None = None, detail: str | None = None) -> None:
        if self._unread is not None or self._books.needs(outcome):
            self._record(_outcome(row, outcome, reason, detail))
        else:
            self._books.count(outcome, reason)

    def _record(self, outcome: LeadOutcome) -> None:
        self._books.count(outcome.outcome, outcome.reason)
        self._books.keep(outcome)
        if self._unread is not None:
            self._unread.append(outcome)
            self._changed.set()

    def _look_finished(self) -> None:
        if self.ended and not self.waiting and not self._held and self._finished_at is None:
            self._finished_at = self._clock()
        self._changed.set()


def _outcome(
    row: Row,
    outcome: Outcome,
    reason: str | None = None,
    detail: str | None = None,
    *,
    first: int | None = None,
) -> LeadOutcome:
    return LeadOutcome(
        index=row.index,
        outcome=outcome,
        phone=row.phone,
        key=row.key,
        reason=reason,
        detail=detail,
        first=first,
    )
