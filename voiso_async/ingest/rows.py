"""A row: a lead inside the engine, and the final word on it."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import ClassVar, Protocol

from voiso_async.errors import VoisoError
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.values import Discreet, Struct


class Operation(StrEnum):
    """What a call does to the leads of a campaign."""

    ADD = "add"
    UPDATE = "update"


class Attempt(Struct, frozen=True, kw_only=True):
    """One POST in an owner's books: the first of its batch or a repeat, how long it took, what it said.

    ``busy``: not now; ``refused``: no, to the batch as a whole.
    """

    first: bool
    seconds: float
    busy: bool = False
    refused: bool = False
    anomalies: int = 0


class Submission(Protocol):
    """Who waits for a row's outcome."""

    operation: Operation

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more; such rows are left out of later attempts."""
        ...

    def on_attempt(self, attempt: "Attempt") -> None:
        """Take note of a POST that carried rows of this owner."""
        ...

    def resolve(self, results: "Sequence[RowResult]") -> None:
        """Take the final words on rows."""
        ...


class Row(Discreet, Struct, eq=False, gc=False):
    """A lead inside the engine; ``body`` is its exact JSON, ``entered`` when it came, by the lane's clock.

    ``doubts`` counts the lost answers that carried it, ``left_out`` says that an answer did not mention it, and
    ``over`` that it may not be sent any more.
    """

    # Untracked: two hundred lanes hold four hundred thousand rows, and the garbage collector would hold the loop
    # for a quarter of a second to look at each. A row and its owner part when the row is settled.

    index: int
    phone: str
    body: bytes
    key: str | None
    submission: Submission
    entered: float = 0.0
    doubts: int = 0
    unaccounted: bool = False
    expired: bool = False

    _hidden: ClassVar[AbstractSet[str]] = {"phone", "body", "key", "submission"}

    def as_repeated(self, first: int) -> LeadOutcome:
        """Give the outcome of a row whose phone an earlier one has."""
        repeated = Outcome.REPEATED
        return LeadOutcome(index=self.index, outcome=repeated, phone=self.phone, key=self.key, first=first)

    @property
    def doubted(self) -> bool:
        """Whether it may be in the campaign because of us although no answer said so."""
        return self.doubts > 0


class RowResult(Discreet, Struct, eq=False, gc=False):
    """One row's final word, on its way to whoever waits for it."""

    row: Row
    outcome: Outcome
    reason: str | None = None
    detail: str | None = None

    _hidden: ClassVar[AbstractSet[str]] = {"detail"}

    def as_outcome(self) -> LeadOutcome:
        """Give it as the value that a caller gets."""
        row = self.row
        return LeadOutcome(
            index=row.index,
            outcome=self.outcome,
            phone=row.phone,
            key=row.key,
            reason=self.reason,
            detail=self.detail,
        )


class QueuedSubmission(Submission, Protocol):
    """A call as its lane sees it: ``waiting`` rows to send, in order, ``backlog`` more that a turn may bring.

    The garbage collector looks at neither the rows nor a ``dict`` of them, but it would look at a ``deque``.
    """

    waiting: dict[int, Row]
    backlog: int
    enqueued: bool
    reading: bool

    @property
    def sendable(self) -> bool:
        """Whether the lane may take rows now."""
        ...

    @property
    def needs_slot(self) -> bool:
        """Whether the lane has to wait for a turn because of it: it offers rows, or some that left go again."""
        ...

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""
        ...

    @property
    def done(self) -> bool:
        """Whether every row that came has its outcome and no more will come."""
        ...

    def mark_taken(self, rows: Iterable[Row]) -> None:
        """Note that the lane has taken rows."""
        ...

    def cancel(self) -> None:
        """Withdraw what waits."""
        ...

    def resolve_idle(self, flying: Collection[Row]) -> None:
        """Take the word on the rows that the lane holds and that are not in the POST in flight: they stay here."""
        ...

    def close_input(self, error: VoisoError) -> None:
        """Take no more rows; what waits still goes, then the caller gets ``error``."""
        ...

    def fail(self, error: VoisoError) -> None:
        """The lane gave up on it."""
        ...
