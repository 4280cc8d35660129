"""The rows of an outbox as one more waiting call of a lane: lent for a turn, written down when it closes."""

from collections.abc import Collection, Iterable, Sequence

from voiso_async.errors import VoisoError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import Books
from voiso_async.ingest.rows import Carried, Operation, Row, RowResult

_OPEN = {Outcome.NOT_SENT, Outcome.UNKNOWN}


class DurableCall:
    """One campaign's rows of one operation in an outbox, of one job or of all.

    ``backlog`` is how many wait there, by the last look; ``waiting`` are those that came with the present turn,
    and ``lent`` all that are in the lane. What has become of a row is in the outbox before it is told here, so
    this call only keeps the ``books`` of its drain.
    """

    def __init__(self, campaign: int, operation: Operation, books: Books, job_id: str | None = None) -> None:
        self.campaign = campaign
        self.operation = operation
        self.job_id = job_id
        self.waiting: dict[int, Row] = {}
        self.backlog: int = 0
        self.queued: bool = False
        self.reading: bool = False
        self.departed: bool = False
        self.error: VoisoError | None = None
        self.lent: dict[int, Row] = {}
        self._books = books

    @property
    def offers(self) -> bool:
        """Whether a turn may bring rows."""
        return self.error is None and not self.departed and bool(self.backlog or self.waiting)

    @property
    def wants_turn(self) -> bool:
        """Whether the lane has to wait for a turn because of it."""
        return not self.departed and bool(self.offers or self.lent)

    @property
    def ready(self) -> bool:
        """What is in an outbox waits for nothing but its turn."""
        return True

    @property
    def finished(self) -> bool:
        """Whether the lane has done with it."""
        return self.departed or (self.error is not None and not self.lent)

    def stock(self, rows: int) -> None:
        """Note how many rows wait in the outbox."""
        self.backlog = rows

    def lend(self, rows: list[Row]) -> None:
        """Take the rows of a turn; one that brings none has nothing more to bring for now."""
        self.backlog = max(0, self.backlog - len(rows)) if rows else 0
        lent = {id(row): row for row in rows}
        self.waiting |= lent
        self.lent |= lent

    def hold(self, rows: Iterable[Row]) -> None:
        """Every row of a turn is known here before it goes."""

    def carried(self, attempt: Carried) -> None:
        """Note a POST."""
        self._books.note(attempt)

    def settle(self, results: Sequence[RowResult]) -> None:
        """Count rows that have been written down; those that went back in line count as nothing.

        What is only left out of a turn because this call has gone is still lent: it has to be given back.
        """
        if self.departed:
            results = [result for result in results if result.outcome not in _OPEN]
        for result in results:
            self.lent.pop(id(result.row), None)
        written = [result for result in results if result.outcome is not Outcome.NOT_SENT and not result.row.over]
        self._books.enter(len(written))
        self._books.count(written)
        self._books.doubted += sum(result.row.doubted for result in written)

    def leave(self) -> None:
        """Take no more rows; those that wait in the lane are left out of later turns."""
        self.departed = True

    def ground(self, flying: Collection[Row]) -> None:
        """Nothing is decided here: rows that the lane holds are given back to the outbox."""

    def seal(self, error: VoisoError) -> None:
        """Take no more rows; those in the lane still go."""
        self.error = self.error or error

    def stop(self, error: VoisoError) -> None:
        """The lane gave up: its rows are still in the outbox."""
        self.error = self.error or error
        self.departed = True
        self.waiting.clear()
