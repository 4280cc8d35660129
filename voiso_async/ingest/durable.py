"""The rows of an outbox as one more waiting call of a lane: lent for a turn, written down when it closes."""

from collections.abc import Collection, Iterable, Sequence

from voiso_async.errors import VoisoError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import ReportBuilder
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult

_OPEN = {Outcome.NOT_SENT, Outcome.UNKNOWN}


class OutboxSubmission:
    """One campaign's rows of one operation in an outbox, of one job or of all.

    ``backlog`` is how many wait there, by the last look; ``waiting`` are those that came with the present turn,
    and ``lent`` all that are in the lane. What has become of a row is in the outbox before it is told here, so
    this call only keeps the ``books`` of its drain.
    """

    def __init__(
        self, campaign: int, operation: Operation, books: ReportBuilder, job_id: str | None = None
    ) -> None:
        self.campaign = campaign
        self.operation = operation
        self.job_id = job_id
        self.waiting: dict[int, Row] = {}
        self.backlog: int = 0
        self.enqueued: bool = False
        self.reading: bool = False
        self.cancelled: bool = False
        self.error: VoisoError | None = None
        self.claimed: dict[int, Row] = {}
        self._report = books

    @property
    def sendable(self) -> bool:
        """Whether a turn may bring rows."""
        return self.error is None and not self.cancelled and bool(self.backlog or self.waiting)

    @property
    def needs_slot(self) -> bool:
        """Whether the lane has to wait for a turn because of it."""
        return not self.cancelled and bool(self.sendable or self.claimed)

    @property
    def ready(self) -> bool:
        """What is in an outbox waits for nothing but its turn."""
        return True

    @property
    def done(self) -> bool:
        """Whether the lane has done with it."""
        return self.cancelled or (self.error is not None and not self.claimed)

    def set_backlog(self, rows: int) -> None:
        """Note how many rows wait in the outbox."""
        self.backlog = rows

    def add_claimed(self, rows: list[Row]) -> None:
        """Take the rows of a turn; one that brings none has nothing more to bring for now."""
        self.backlog = max(0, self.backlog - len(rows)) if rows else 0
        lent = {id(row): row for row in rows}
        self.waiting |= lent
        self.claimed |= lent

    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Every row of a turn is known here before it goes."""

    def on_attempt(self, attempt: Attempt) -> None:
        """Note a POST."""
        self._report.add_attempt(attempt)

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Count rows that have been written down; those that went back in line count as nothing.

        What is only left out of a turn because this call has gone is still lent: it has to be given back.
        """
        if self.cancelled:
            results = [result for result in results if result.outcome not in _OPEN]
        for result in results:
            self.claimed.pop(id(result.row), None)
        written = [
            result for result in results if result.outcome is not Outcome.NOT_SENT and not result.row.expired
        ]
        self._report.add_rows(len(written))
        self._report.count(written)
        self._report.doubted += sum(result.row.doubted for result in written)

    def cancel(self) -> None:
        """Take no more rows; those that wait in the lane are left out of later turns."""
        self.cancelled = True

    def resolve_idle(self, flying: Collection[Row]) -> None:
        """Nothing is decided here: rows that the lane holds are given back to the outbox."""

    def close_input(self, error: VoisoError) -> None:
        """Take no more rows; those in the lane still go."""
        self.error = self.error or error

    def fail(self, error: VoisoError) -> None:
        """The lane gave up: its rows are still in the outbox."""
        self.error = self.error or error
        self.cancelled = True
        self.waiting.clear()
