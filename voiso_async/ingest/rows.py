"""A row: one lead inside the engine, and its outcome."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import ClassVar, Protocol

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.ingest.outcome import LeadOutcome, Outcome


class Operation(StrEnum):
    """What is done to the leads of a campaign: ``ADD`` or ``UPDATE``."""

    ADD = "add"
    UPDATE = "update"


class Attempt(Struct, frozen=True, kw_only=True):
    """One POST as the reports count it: ``first`` or a retry of its batch, its seconds, and how it ended.

    ``busy``: not now; ``refused``: the batch as a whole was not accepted; ``anomalies``: numbers in the reply that
    were never sent.
    """

    first: bool
    seconds: float
    busy: bool = False
    refused: bool = False
    anomalies: int = 0


class Submission(Protocol):
    """Who waits for the outcome of a row."""

    operation: Operation

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more; such rows are left out of later attempts."""
        ...

    def on_attempt(self, attempt: Attempt) -> None:
        """Count a POST that had rows of this submission."""
        ...

    def resolve(self, results: "Sequence[RowResult]") -> None:
        """Take the outcomes of rows."""
        ...


class Row(RedactedRepr, Struct, eq=False, gc=False):
    """A lead inside the engine; ``body`` is its exact JSON, ``entered`` when it came, by the lane's clock.

    ``doubts`` counts the attempts that carried it and got no usable answer, ``unaccounted`` says that a reply did
    not mention it, ``expired`` that it may not be sent any more. A ``durable`` row is in an outbox.
    """

    # Untracked: 200 lanes hold 400,000 rows, and the garbage collector would stop the event loop for a quarter of
    # a second to visit each. A row and its submission part when the row is resolved, so no cycle stays.

    index: int
    phone: str
    body: bytes
    key: str | None
    submission: Submission
    entered: float = 0.0
    doubts: int = 0
    unaccounted: bool = False
    expired: bool = False

    durable: ClassVar[bool] = False
    _redacted: ClassVar[AbstractSet[str]] = {"phone", "body", "key", "submission"}

    def as_repeated(self, first: int) -> LeadOutcome:
        """Give the outcome of a row whose phone an earlier row has."""
        repeated = Outcome.REPEATED
        return LeadOutcome(index=self.index, outcome=repeated, phone=self.phone, key=self.key, first=first)

    @property
    def doubted(self) -> bool:
        """Whether an earlier attempt may have put it into the campaign."""
        return self.doubts > 0


class RowResult(RedactedRepr, Struct, eq=False, gc=False):
    """One row's outcome, on its way to whoever waits for it."""

    row: Row
    outcome: Outcome
    reason: str | None = None
    detail: str | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"detail"}

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
