"""The rows of one call that adds records, and the final word on each."""

from collections import deque
from collections.abc import Callable, Sequence

from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, ReportBuilder
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult
from voiso_async.talkdesk.models import IdentifierType
from voiso_async.talkdesk.records import RecordRow, prepare_record

__all__ = ["Ledger"]


class Ledger:
    """Owns the rows from their reading to their outcome; ``unread`` keeps outcomes for a caller who iterates."""

    operation: Operation = Operation.ADD
    cancelled: bool = False

    def __init__(
        self,
        kind: IdentifierType | None,
        policy: LanePolicy,
        clock: Callable[[], float],
        *,
        dedupe: bool,
        streamed: bool,
    ) -> None:
        self.unread: deque[LeadOutcome] = deque()
        self._kind = kind
        self._policy = policy
        self._clock = clock
        self._streamed = streamed
        self._first: dict[str, int] | None = {} if dedupe else None
        self._books = ReportBuilder()
        self._held: dict[int, RecordRow] = {}
        self._began = clock()
        self._ended: float | None = None

    def enter(self, record: object) -> RecordRow | None:
        """Take a record from the source: a row to send, or ``None`` if it has its outcome already."""
        index = self._books.add_rows(1)
        row = prepare_record(record, index, self._kind, self)
        if isinstance(row, LeadOutcome):
            self._record(row)
            return None
        first = index if self._first is None else self._first.setdefault(row.identity, index)
        if first != index:
            self._record(row.as_repeated(first))
            return None
        self._held[index] = row
        return row

    def on_attempt(self, attempt: Attempt) -> None:
        """Note a request that carried rows of this call."""
        self._books.add_attempt(attempt)

    def strangers(self, count: int) -> None:
        """Note records of an answer that were never sent."""
        self._books.anomalies += count

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Write rows' final words."""
        for result in results:
            self.conclude(result.row, result.outcome, result.reason, result.detail)

    def conclude(
        self,
        row: Row,
        outcome: Outcome,
        reason: str | None = None,
        detail: str | None = None,
        *,
        field: str | None = None,
    ) -> None:
        """Write a row's final word; only the first counts, and a refusal after a lost answer proves nothing."""
        if self._held.pop(row.index, None) is None:
            return
        self._books.doubted += row.doubted
        if row.doubted and outcome is Outcome.REJECTED:
            outcome = Outcome.UNKNOWN
        self._record(_outcome(row, outcome, reason, detail, field=field))

    def close(self) -> None:
        """Settle what is still open: what an attempt may have carried is UNKNOWN, the rest NOT_SENT."""
        self.resolve(
            [RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT) for row in self._held.values()]
        )
        if self._ended is None:
            self._ended = self._clock()

    def report(self) -> IngestReport:
        """Draw up the report as of now."""
        end = self._clock() if self._ended is None else self._ended
        return self._books.report(elapsed=end - self._began, policy=self._policy, pending=len(self._held))

    def _record(self, outcome: LeadOutcome) -> None:
        self._books.add_outcome(outcome)
        if self._streamed:
            self.unread.append(outcome)


def _outcome(
    row: Row,
    outcome: Outcome,
    reason: str | None = None,
    detail: str | None = None,
    *,
    field: str | None = None,
) -> LeadOutcome:
    return LeadOutcome(
        index=row.index,
        outcome=outcome,
        phone=row.phone,
        key=row.key,
        reason=reason,
        field=field,
        detail=detail,
    )
