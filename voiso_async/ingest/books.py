"""The books of one call: every row that came in, and how it ended."""

from collections import Counter
from collections.abc import Iterable, Sequence

from voiso_async.ingest.outcome import ANSWERED, OK, IngestReport, LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.row import Carried, RowResult

__all__ = ["Books"]

MOST_KEPT = 1000
MOST_PROBLEMS = 10_000


class Books:
    """Count rows and outcomes, keep the outcomes of small calls and the problems of all."""

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
    def settled(self) -> int:
        """Rows that have their outcome."""
        return self._counts.total()

    def enter(self, count: int) -> int:
        """Note rows that were read; give the index of the first."""
        self.rows += count
        if self.rows > MOST_KEPT:
            self._kept = None
        return self.rows - count

    def count(self, results: Iterable[RowResult | LeadOutcome]) -> None:
        """Count how rows ended."""
        self._counts.update([result.outcome for result in results])
        self._reasons.update([result.reason for result in results if result.reason is not None])

    def notable(self, results: Sequence[RowResult]) -> Sequence[RowResult]:
        """Give those that are kept as values; the others are only counted."""
        return results if self._kept is not None else [result for result in results if result.outcome not in OK]

    def keep(self, outcomes: Sequence[LeadOutcome]) -> None:
        """Keep outcomes that have been counted, as far as there is room."""
        if self._kept is not None:
            self._kept.extend(outcomes)
        room = MOST_PROBLEMS - len(self._problems)
        if room > 0:
            self._problems.extend([outcome for outcome in outcomes if outcome.outcome not in OK][:room])

    def note(self, attempt: Carried) -> None:
        """Note a POST that carried rows of this call."""
        self.batches += attempt.fresh
        self.attempts += 1
        self.busy += attempt.busy
        self.anomalies += attempt.anomalies
        self.server_seconds += attempt.seconds

    def report(
        self, *, elapsed: float, policy: LanePolicy, open_rows: Iterable[LeadOutcome] = (), pending: int = 0
    ) -> IngestReport:
        """Draw up the report: ``pending`` rows are open, ``open_rows`` have a provisional outcome meanwhile."""
        provisional = list(open_rows)
        counts = self._counts + Counter(row.outcome for row in provisional)
        problems = [*self._problems, *provisional]
        troubled = sum(count for outcome, count in counts.items() if not outcome.ok)
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
            problems=tuple(sorted(problems[:MOST_PROBLEMS], key=_by_index)),
            problems_left_out=troubled - min(len(problems), MOST_PROBLEMS),
        )


def _by_index(outcome: LeadOutcome) -> int:
    return outcome.index
