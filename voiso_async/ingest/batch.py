"""A batch: rows of one campaign and one operation with distinct phones, and what a reply says of them."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from voiso_async._structs import Struct
from voiso_async.ingest.bisection import BatchBisection
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation, Row, RowResult, Submission
from voiso_async.ingest.verdict import LeadReply


class Batch(Struct, eq=False):
    """1 to 1000 rows that go in one POST; a retry has the same rows or a subset, in the same order.

    ``doubts``, ``busies`` and ``unsents`` count its attempts that ended so; ``waiting_since`` is when the
    present run of busy or unsent attempts began. ``bisection`` is the search that it is a part of.
    """

    operation: Operation
    rows: Sequence[Row]
    bisection: BatchBisection | None = None
    attempts: int = 0
    doubts: int = 0
    busies: int = 0
    unsents: int = 0
    waiting_since: float | None = None

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)  # the garbage collector stops looking at such a tuple, never at a list

    def body(self) -> bytes:
        """The exact JSON array that is sent."""
        return b"[" + b",".join(row.body for row in self.rows) + b"]"

    def doubt(self) -> None:
        """Note that an attempt may have been applied although no usable answer came."""
        self.doubts += 1
        for row in self.rows:
            row.doubts += 1

    def record_wait(self, now: float, *, busy: bool = False, unsent: bool = False) -> float:
        """Count an attempt that ended busy or unsent; give the seconds since the first of an unbroken run."""
        self.busies = self.busies + 1 if busy else 0
        self.unsents = self.unsents + 1 if unsent else 0
        if self.waiting_since is None or self.busies + self.unsents <= 1:
            self.waiting_since = now
        return now - self.waiting_since


_SUBMISSION: Callable[[RowResult], Submission] = attrgetter("row.submission")


def deliver(results: Iterable[RowResult]) -> None:
    """Give each submission the results of its rows."""
    for submission, own in groupby(results, key=_SUBMISSION):
        submission.resolve(list(own))


class Reconciled(Struct, frozen=True, kw_only=True):
    """The results of one reply, the rows that it does not account for, and its numbers that were never sent."""

    results: list[RowResult]
    unaccounted: list[Row]
    anomalies: int = 0


_CREATED = Outcome.CREATED


def reconcile(batch: Batch, reply: LeadReply, doubted: Container[str]) -> Reconciled:
    """Match a reply with a batch by canonical digits.

    ``doubted`` holds phones that our own attempts may have put into the campaign.

    A row in no list or in conflicting ones is unaccounted for.
    """
    # One row of a retried batch that is "created" does not prove that the first attempt did nothing: the vendor
    # does not promise that a request is applied as a whole. So each row is judged by itself.
    results, unaccounted = [], []
    outcome_of = reply.outcomes.get
    for row in batch.rows:
        outcome = outcome_of(row.phone)
        if outcome is _CREATED:
            results.append(RowResult(row, outcome))
        elif outcome is not None:
            results.append(_result(row, outcome, reply, doubted))
        elif row.unaccounted or reply.no_lists:
            reason = "conflicting" if row.phone in reply.conflicting else "unaccounted"
            results.append(RowResult(row, Outcome.UNREPORTED, reason, reply.error_text or None))
        else:
            unaccounted.append(row)
    anomalies = reply.unexpected({row.phone for row in batch.rows})
    return Reconciled(results=results, unaccounted=unaccounted, anomalies=anomalies)


def _result(row: Row, outcome: Outcome, reply: LeadReply, doubted: Container[str]) -> RowResult:
    if outcome is Outcome.DUPLICATE and (row.doubted or row.phone in doubted):
        return RowResult(row, Outcome.CONFIRMED)
    if outcome is Outcome.REJECTED:
        reason = "not_found" if row.phone in reply.not_found else "server_rejected"
        return RowResult(row, outcome, reason, "the server refused this lead and gives no reason")
    return RowResult(row, outcome)


def cut(rows: Iterable[Row], max_bytes: int) -> Iterator[list[Row]]:
    """Cut rows, in order, into parts whose bodies keep to ``max_bytes``; a row that is larger goes alone."""
    part: list[Row] = []
    size = 2  # the brackets of the array; each row brings a comma
    for row in rows:
        if part and size + len(row.body) + 1 > max_bytes:
            yield part
            part, size = [], 2
        part.append(row)
        size += len(row.body) + 1
    if part:
        yield part
