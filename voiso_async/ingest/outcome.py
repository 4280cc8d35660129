"""The final word on each row, and the report whose books balance."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from voiso_async.errors import IngestError, VoisoError
from voiso_async.values import Discreet, Struct

__all__ = ["ANSWERED", "OK", "IngestReport", "LeadOutcome", "Outcome", "reporting"]

E = TypeVar("E", bound=VoisoError)


class Outcome(StrEnum):
    """How one row ended; each row ends in exactly one."""

    CREATED = "created"
    """An answer to a POST that carried it lists it as created."""
    DUPLICATE = "duplicate"
    """It was in the campaign before: no attempt of this client whose answer was lost carried this phone, nor one
    that was refused as a whole, nor any such that an outbox knows of, for a row of that outbox."""
    CONFIRMED = "confirmed"
    """It is in the campaign: listed as duplicate after an attempt whose answer was lost, or that was refused as a
    whole. By whom it came nobody can tell."""
    UPDATED = "updated"
    """An update was accepted for it."""
    REPEATED = "repeated"
    """A valid row with the same phone came earlier in the same call; shares that row's fate (``first``)."""
    REJECTED = "rejected"
    """The server refused it."""
    INVALID = "invalid"
    """Refused here and never sent; see ``field``, ``reason`` and ``detail``."""
    SUPPRESSED = "suppressed"
    """On a list of numbers that must not be called, or marked so in its file; never sent, nothing to correct."""
    UNREPORTED = "unreported"
    """Sent and answered, but in none of the answer's lists, or in contradicting ones."""
    UNKNOWN = "unknown"
    """Sent, and no usable answer came."""
    NOT_SENT = "not_sent"
    """Provably not applied: still waiting when the run ended."""

    __hash__ = str.__hash__
    """That of its text, which it is equal to."""

    @property
    def ok(self) -> bool:
        """Whether such a row needs no further thought."""
        return self in OK


OK = frozenset(
    {
        Outcome.CREATED,
        Outcome.DUPLICATE,
        Outcome.CONFIRMED,
        Outcome.UPDATED,
        Outcome.REPEATED,
        Outcome.SUPPRESSED,
    }
)
"""Outcomes of rows that need no further thought: they are in the campaign, or are kept out of it as was asked."""


class LeadOutcome(Discreet, Struct, frozen=True, kw_only=True, gc=False):
    """The final word on one row.

    ``index`` counts the rows of the call from 0; ``phone`` is canonical (or ``None`` if the row had none) and
    ``key`` is the caller's own; both stay out of the repr. ``reason`` is a code, ``detail`` a sentence or the
    server's text, ``field`` the input field at fault, ``first`` the index that a REPEATED row points at.
    """

    # A Struct, since each lead of millions gets one: a frozen attrs class takes five times as long to make.

    index: int
    outcome: Outcome
    phone: str | None = None
    key: str | None = None
    reason: str | None = None
    field: str | None = None
    detail: str | None = None
    first: int | None = None

    _hidden: ClassVar[AbstractSet[str]] = {"phone", "key", "detail", "cells"}


class IngestReport(Discreet, Struct, frozen=True, kw_only=True):
    """What became of every row of one call; valid at any time, also after an error or a cancellation.

    ``rows`` were read from the source, ``counts`` says how they ended and ``pending`` how many are still open;
    leads that were never read, because the call ended before, are no rows. ``outcomes`` has every row for calls of
    up to 1000 rows; ``problems`` has the rows whose outcome is not ``ok``, at most 10 000 of
    them (``problems_left_out`` counts the rest). ``batches`` and ``attempts`` count the POSTs that carried rows
    of this call, without and with repeats; ``busy`` the answers "still processing"; ``doubted`` the rows that
    an attempt with a lost answer carried; ``anomalies`` numbers in answers that were never sent. ``elapsed`` is
    in seconds; ``ceiling_share`` is the part of it that these rows alone would have taken at the physical limit:
    full batches, the server's own time and the cooldown between them. Calls and jobs that share a campaign each
    have less; with fewer than three full batches it is ``None``.
    """

    rows: int = 0
    counts: Mapping[Outcome, int]
    pending: int = 0
    batches: int = 0
    attempts: int = 0
    busy: int = 0
    doubted: int = 0
    anomalies: int = 0
    elapsed: float = 0.0
    ceiling_share: float | None = None
    reasons: Mapping[str, int]
    outcomes: tuple[LeadOutcome, ...] = ()
    problems: tuple[LeadOutcome, ...] = ()
    problems_left_out: int = 0

    _hidden: ClassVar[AbstractSet[str]] = {"outcomes", "problems"}

    @property
    def balanced(self) -> bool:
        """Whether every row that was read has exactly one outcome or is pending."""
        return not self.unaccounted

    @property
    def unaccounted(self) -> int:
        """Rows that are missing in the books, or that stand there twice: never any, unless we have a defect."""
        return abs(self.rows - self.pending - sum(self.counts.values()))

    @property
    def ok(self) -> bool:
        """Whether every row is in the campaign, repeats one of this call, or is SUPPRESSED: kept out as asked."""
        settled_well = all(outcome.ok for outcome, count in self.counts.items() if count)
        return self.balanced and not self.pending and settled_well

    @property
    def leads_per_second(self) -> float:
        """Rows with an answer of the server, per second of the whole call."""
        answered = sum(self.counts[outcome] for outcome in ANSWERED)
        return answered / self.elapsed if self.elapsed > 0 else 0.0

    def raise_unless_ok(self) -> None:
        """Raise ``IngestError`` with this report unless ``ok``."""
        if not self.ok:
            error = IngestError(f"not every lead is in the campaign: {self}; see .report.problems for each")
            raise reporting(error, self)

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain JSON values; no row, no phone number."""
        return {
            "rows": self.rows,
            "counts": {outcome.value: count for outcome, count in self.counts.items()},
            "pending": self.pending,
            "reasons": dict(self.reasons),
            "batches": self.batches,
            "attempts": self.attempts,
            "busy": self.busy,
            "doubted": self.doubted,
            "anomalies": self.anomalies,
            "elapsed": round(self.elapsed, 3),
            "leads_per_second": round(self.leads_per_second, 1),
            "ceiling_share": None if self.ceiling_share is None else round(self.ceiling_share, 4),
            "balanced": self.balanced,
            "ok": self.ok,
        }

    def __str__(self) -> str:
        parts = [f"{o.value.replace('_', ' ')} {n:,}" for o, n in self.counts.items() if n]
        if self.pending:
            parts.append(f"pending {self.pending:,}")
        return " · ".join(parts).replace(",", " ") or "no rows"


def reporting(error: E, report: IngestReport, *, in_doubt: bool = False) -> E:
    """Give a copy of an error that carries a report, and whose proof agrees with it.

    Each call gets its own: one failure leaves some in doubt, and not others. ``in_doubt``: so are rows that are
    not in the report, since they wait in an outbox.
    """
    counts, twin = report.counts, error.with_report(report)
    if in_doubt or counts[Outcome.UNKNOWN] or counts[Outcome.UNREPORTED]:
        twin.proof = "in_doubt"
    elif error.proof is None or error.proof == "in_doubt":
        refused = counts[Outcome.REJECTED] and not counts[Outcome.NOT_SENT]
        twin.proof = "refused" if refused else "not_sent"
    return twin


ANSWERED = frozenset(
    {
        Outcome.CREATED,
        Outcome.DUPLICATE,
        Outcome.CONFIRMED,
        Outcome.UPDATED,
        Outcome.REJECTED,
        Outcome.UNREPORTED,
    }
)
"""Outcomes of rows that the server has answered."""
