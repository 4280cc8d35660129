"""The report on one call or job: the outcome of every row, and whether all rows are accounted for."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Literal, TypeVar

from voiso_async._structs import Struct, Value
from voiso_async.errors import IngestError, VoisoError
from voiso_async.ingest.outcome import ANSWERED, OK, LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt, RowResult

E = TypeVar("E", bound=VoisoError)


class IngestReport(Value, Struct, frozen=True, kw_only=True):
    """What became of every row of one call; valid at any time, also after an error or a cancellation.

    ``rows`` were read from the source, ``counts`` says how they ended and ``pending`` how many are still open;
    leads that were never read, because the call ended before, are no rows. ``outcomes`` has every row for calls of
    up to 1000 rows; ``problems`` has the rows whose outcome is not ``ok``, at most 10 000 of them
    (``problems_left_out`` counts the rest). ``batches`` and ``attempts`` count the POSTs that carried rows of this
    call, without and with retries; ``busy`` the answers "still processing"; ``doubted`` the rows that an attempt
    without a usable answer carried; ``anomalies`` numbers in answers that were never sent. ``elapsed`` is in
    seconds; ``ceiling_share`` is the part of it that these rows alone would have taken at the physical limit: full
    batches, the server's own time and the cooldown between them. Calls and jobs that share a campaign each have
    less; with fewer than three full batches it is ``None``.
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

    _redacted: ClassVar[AbstractSet[str]] = {"outcomes", "problems"}

    @property
    def balanced(self) -> bool:
        """Whether every row that was read has exactly one outcome or is pending."""
        return not self.unaccounted

    @property
    def unaccounted(self) -> int:
        """Rows that have no outcome, or two: none, unless this library has a defect."""
        return abs(self.rows - self.pending - sum(self.counts.values()))

    @property
    def ok(self) -> bool:
        """Whether every row is in the campaign, repeats one of this call, or is SUPPRESSED: kept out as asked."""
        return self.balanced and not self.pending and all(o in OK for o, count in self.counts.items() if count)

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
    """Copy an error, add a report, and let its ``proof`` agree with the report.

    Each call gets its own copy: one failure leaves rows of some in doubt, and none of others. ``in_doubt`` says
    that rows outside of the report are in doubt, since they wait in an outbox.
    """
    counts, twin = report.counts, error.with_report(report)
    if in_doubt or counts[Outcome.UNKNOWN] or counts[Outcome.UNREPORTED]:
        twin.proof = "in_doubt"
    elif error.proof is None or error.proof == "in_doubt":
        refused = counts[Outcome.REJECTED] and not counts[Outcome.NOT_SENT]
        twin.proof = "refused" if refused else "not_sent"
    return twin


MAX_OUTCOMES = 1000
MAX_PROBLEMS = 10_000


class ReportBuilder:
    """Count rows and outcomes; keep each outcome of a small call, and the problems of any."""

    def __init__(self) -> None:
        self.rows: int = 0
        self.batches: int = 0
        self.attempts: int = 0
        self.busy: int = 0
        self.doubted: int = 0
        self.anomalies: int = 0
        self.server_seconds: float = 0.0
        self._counts: Counter[Outcome] = Counter()
        self._reasons: Counter[str] = Counter()
        self._kept: list[LeadOutcome] | None = []
        self._problems: list[LeadOutcome] = []

    @property
    def resolved(self) -> int:
        """Rows that have an outcome."""
        return self._counts.total()

    def add_rows(self, count: int) -> int:
        """Count rows that were read; give the index of the first."""
        self.rows += count
        # A report is a value that callers keep: two million outcomes in it would be a gigabyte.
        if self.rows > MAX_OUTCOMES:
            self._kept = None
        return self.rows - count

    def add_results(self, results: Sequence[RowResult], *, every: bool = False) -> list[LeadOutcome]:
        """Count results, and keep those that the report shows; give them, or ``every`` one, as outcomes."""
        self.count(results)
        told = results if every or self._kept is not None else [one for one in results if one.outcome not in OK]
        outcomes = [result.as_outcome() for result in told]
        self._keep(outcomes)
        return outcomes

    def add_outcome(self, outcome: LeadOutcome) -> None:
        """Count and keep the outcome of a row that never became one of the lane's."""
        self.count([outcome])
        self._keep([outcome])

    def count(self, results: Sequence[RowResult | LeadOutcome]) -> None:
        """Count results without keeping them."""
        self._counts.update([result.outcome for result in results])
        self._reasons.update([result.reason for result in results if result.reason is not None])

    def _keep(self, outcomes: Sequence[LeadOutcome]) -> None:
        if self._kept is not None:
            self._kept.extend(outcomes)
        room = MAX_PROBLEMS - len(self._problems)
        if room > 0:
            self._problems.extend([outcome for outcome in outcomes if outcome.outcome not in OK][:room])

    def add_attempt(self, attempt: Attempt) -> None:
        """Count a POST that had rows of this call."""
        self.batches += attempt.first
        self.attempts += 1
        self.busy += attempt.busy
        self.anomalies += attempt.anomalies
        self.server_seconds += attempt.seconds

    def report(
        self, *, elapsed: float, policy: LanePolicy, open_rows: Iterable[LeadOutcome] = (), pending: int = 0
    ) -> IngestReport:
        """Build the report: ``pending`` rows have no outcome yet, ``open_rows`` a provisional one."""
        provisional = list(open_rows)
        counts = self._counts + Counter(row.outcome for row in provisional)
        problems = [*self._problems, *provisional]
        not_ok = sum(count for outcome, count in counts.items() if outcome not in OK)
        kept = [] if self._kept is None else [*self._kept, *provisional]
        return IngestReport(
            rows=self.rows,
            counts={outcome: counts[outcome] for outcome in Outcome},
            pending=pending,
            batches=self.batches,
            attempts=self.attempts,
            busy=self.busy,
            doubted=self.doubted,
            anomalies=self.anomalies,
            elapsed=elapsed,
            ceiling_share=policy.ceiling_share(
                answered=sum(self._counts[outcome] for outcome in ANSWERED),
                attempts=self.attempts,
                server_seconds=self.server_seconds,
                elapsed=elapsed,
            ),
            reasons=dict(self._reasons),
            outcomes=tuple(sorted(kept, key=_by_index)),
            problems=tuple(sorted(problems[:MAX_PROBLEMS], key=_by_index)),
            problems_left_out=not_ok - min(len(problems), MAX_PROBLEMS),
        )


def _by_index(outcome: LeadOutcome) -> int:
    return outcome.index


LaneState = Literal["idle", "waiting", "sending", "busy", "doubt", "unsent", "stopped"]


class LaneStatus(Value, Struct, frozen=True, kw_only=True):
    """The state of one lane; times are seconds.

    ``state`` is idle, waiting (for the gate or for rows), sending, busy (the server is still at work), doubt (an
    answer was lost), unsent (nothing can leave this machine) or stopped; ``reason`` says why. ``oldest_age`` is
    that of the oldest row that waits; ``ceiling_share`` compares the lane's last run with what is possible, from
    three full batches on.
    """

    campaign: int
    state: LaneState
    reason: str | None
    rows_waiting: int
    oldest_age: float
    opens_in: float
    rows_in_doubt: int
    ceiling_share: float | None


class LaneMeter:
    """The figures of one run of a lane, from its first turn to its last answer."""

    def __init__(self, policy: LanePolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._answered = self._attempts = 0
        self._server_seconds = 0.0
        self._began = self._last_answer = clock()

    def add_attempt(self, answered: int, seconds: float) -> None:
        """Count an attempt that has just ended."""
        self._last_answer = self._clock()
        self._attempts += 1
        self._answered += answered
        self._server_seconds += seconds

    @property
    def ceiling_share(self) -> float | None:
        """The share of the physical limit that was reached; ``None`` while too little was sent to tell."""
        return self._policy.ceiling_share(
            answered=self._answered,
            attempts=self._attempts,
            server_seconds=self._server_seconds,
            elapsed=self._last_answer - self._began,
        )
