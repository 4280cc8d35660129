"""What the response to a batch means: for its rows, for the gate, and for the lane."""

import asyncio
import random
from collections.abc import Callable, Iterable

from voiso_async._structs import Struct, field
from voiso_async.errors import APIError, ClientClosedError, IngestError, VoisoError
from voiso_async.events import Verdict, logger
from voiso_async.ingest.accumulator import Accumulator
from voiso_async.ingest.batch import Batch, cut, reconcile
from voiso_async.ingest.bisection import BatchBisection, Refusal
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneState
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult, Submission
from voiso_async.ingest.verdict import Busy, Fatal, InDoubt, NotSent, Refused, Settled, TooLarge, verdict
from voiso_async.wire import Response


class Stop(Struct, frozen=True):
    """The lane gives up: on all submissions of some operations, or only on those of some rows."""

    error: VoisoError
    operations: frozenset[Operation]
    submissions: frozenset[int] | None = None

    def applies_to(self, submission: Submission) -> bool:
        """Whether the lane gives up on this submission."""
        return submission.operation in self.operations and (
            self.submissions is None or id(submission) in self.submissions
        )


def stop_for(task: "asyncio.Task[None]") -> Stop | None:
    """Say why a lane's task ended, or ``None`` if it had nothing left to send."""
    if task.cancelled():
        error: VoisoError = ClientClosedError(
            "the client was closed before every lead was sent; see .report for each"
        )
    elif (cause := task.exception()) is None:
        return None
    elif isinstance(cause, VoisoError):
        error = cause
    else:
        logger.error("a lane ended unexpectedly: %s", type(cause).__name__)
        error = IngestError(
            f"the lane ended unexpectedly ({type(cause).__name__}); rows are UNKNOWN if they were on their way, "
            "else NOT_SENT: see .report"
        )
        error.__cause__ = cause
    return Stop(error, frozenset(Operation))


class Effect(Struct, kw_only=True):
    """What one attempt leads to: results, the gate's ``hold``, the lane's ``state``, a ``stop`` if it gives up.

    Times are seconds. A ``hold`` of ``None`` means that nothing was sent; the lane waits for ``pause`` before its
    next slot.
    """

    verdict: Verdict = Verdict.NOT_SENT
    results: list[RowResult] = field(default_factory=list)
    rows: int = 0
    submissions: tuple[Submission, ...] = ()
    anomalies: int = 0
    attempt: Attempt | None = None
    hold: float | None = None
    pause: float = 0.0
    state: LaneState = "waiting"
    reason: str | None = None
    stop: Stop | None = None

    def record_attempt(self, *, first: bool, seconds: float) -> None:
        """Count the attempt for every submission that had rows in it."""
        self.attempt = Attempt(
            first=first,
            seconds=seconds,
            busy=self.state == "busy",
            refused=self.verdict is Verdict.REFUSED,
            anomalies=self.anomalies,
        )
        for submission in self.submissions:
            submission.on_attempt(self.attempt)

    def resolve(
        self, rows: Iterable[Row], outcome: Outcome, reason: str | None = None, detail: str | None = None
    ) -> None:
        """Give rows the same outcome; a doubted row is UNKNOWN where another would be REJECTED."""
        for row in rows:
            in_doubt = row.doubted and outcome is Outcome.REJECTED  # an earlier attempt may have been applied
            self.results.append(RowResult(row, Outcome.UNKNOWN if in_doubt else outcome, reason, detail))


CampaignErrorParser = Callable[[int, Operation, Response], APIError]
ErrorParser = Callable[[Operation, Response], APIError]
AttemptResult = Response | VoisoError

OUTAGE_BATCHES = 2
"""Batches in a row without a usable answer that stop a lane: one may be a bad batch, two are an outage."""
MAX_TOO_LARGE = 10
"""Single leads in a row that the server found too large: it takes nothing at all."""
BYTES_GROWTH = 1.05
ALL = frozenset(Operation)
_CLEARS_DOUBT = {Outcome.CREATED, Outcome.REJECTED}

_ADVICE_BUSY = (
    "another writer is feeding this campaign: let everything that writes to it share one client or one outbox"
)
_ADVICE_UNSENT = "nothing could leave this machine"
_ADVICE_OUTAGE = (
    "two batches in a row got no usable answer: their leads may be in the campaign or not, and can be sent again, "
    "as the campaign's own duplicate check keeps each once"
)
_ADVICE_FATAL = "the same leads would be refused again until the cause is fixed"
_ADVICE_VERB = "if the campaign exists, the verb may be the reason: try the client option update_verb"


class ResponseHandler:
    """Turn the result of each attempt into its effect; what goes again is put into the accumulator.

    ``refused`` are phones of batches that were refused as a whole. The vendor does not say that such a POST stores
    nothing, so a duplicate among them may come from our own attempt; like a doubt this outlives the lane's stops.
    """

    def __init__(
        self,
        accumulator: Accumulator,
        policy: LanePolicy,
        parse_error: ErrorParser,
        doubts: set[str],
        clock: Callable[[], float],
    ) -> None:
        self.refused: set[str] = set()
        self._accumulator = accumulator
        self._policy = policy
        self._parse_error = parse_error
        self._doubts = doubts
        self._clock = clock
        self._accepted: set[Operation] = set()
        self._lost_in_a_row = self._too_large_in_a_row = 0

    def reset(self) -> None:
        """Begin as a new lane does; doubts and refusals stay."""
        self._accumulator.max_bytes = self._policy.max_bytes
        self._accepted.clear()
        self._lost_in_a_row = self._too_large_in_a_row = 0

    def doubt(self, batch: Batch) -> None:
        """Remember that every phone of this batch may be in the campaign because of us."""
        batch.doubt()
        self._doubts.update(row.phone for row in batch.rows)

    def handle(self, batch: Batch, result: AttemptResult) -> Effect:
        """Say what one attempt leads to."""
        judged = verdict(batch.operation, result)
        submissions = tuple(dict.fromkeys(row.submission for row in batch.rows))
        effect = Effect(verdict=judged.name, rows=len(batch.rows), submissions=submissions)
        effect.hold = None if _unsent(result) else self._policy.cooldown
        waited = batch.record_wait(
            self._clock(), busy=isinstance(judged, Busy), unsent=isinstance(judged, NotSent)
        )
        match judged:
            case NotSent():
                self._not_sent(batch, result, waited, effect)
            case InDoubt(retry_after):
                self._in_doubt(batch, result, retry_after, effect)
            case Settled():
                self._settled(batch, judged, effect)
            case Busy(retry_after):
                self._busy(batch, result, retry_after, waited, effect)
            case TooLarge():
                self._too_large(batch, result, effect)
            case Refused(refusal):
                self._refused(batch, result, refusal, effect)
            case Fatal(everything):
                self._fatal(batch, result, effect, everything=everything)
        # A part that goes again has no result yet: the search may need it, so it cannot be given up now.
        if batch.bisection is not None and not self._accumulator.is_retry(batch):
            self._finish_bisection(batch, batch.bisection, result, effect)
        return effect

    def _not_sent(self, batch: Batch, result: AttemptResult, waited: float, effect: Effect) -> None:
        effect.state, effect.reason = "unsent", str(result)
        effect.pause = self._policy.unsent_wait(batch.unsents, random.random())  # noqa: S311 - jitter
        if waited + effect.pause > self._policy.unsent_for:
            effect.stop = Stop(self._error(batch, result, _ADVICE_UNSENT), ALL)
        else:
            self._accumulator.retry(batch)

    def _in_doubt(self, batch: Batch, result: AttemptResult, retry_after: float | None, effect: Effect) -> None:
        self.doubt(batch)
        effect.state, effect.reason = "doubt", _text(result)
        too_long = retry_after is not None and retry_after > self._policy.busy_for
        effect.hold = self._policy.doubt_wait(batch.doubts, None if too_long else retry_after)
        # The same bytes again: the campaign keeps the first lead of each phone, so a retry can only add what the
        # lost attempt did not.
        if batch.doubts < self._policy.doubt_attempts and self._policy.on_doubt == "resend" and not too_long:
            self._accumulator.retry(batch)
            return
        effect.resolve(batch.rows, Outcome.UNKNOWN, "no_usable_answer", "sent, and no usable answer came")
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= OUTAGE_BATCHES or too_long:
            effect.stop = Stop(self._error(batch, result, _ADVICE_OUTAGE), ALL)

    def _settled(self, batch: Batch, settled: Settled, effect: Effect) -> None:
        self._lost_in_a_row = self._too_large_in_a_row = 0
        # From now on a refusal of this operation is the fault of rows, not of the request: the server has taken
        # one.
        self._accepted.add(batch.operation)
        self._accumulator.max_bytes = min(int(self._accumulator.max_bytes * BYTES_GROWTH), self._policy.max_bytes)
        if batch.bisection is not None:
            batch.bisection.accepted()
        # "duplicate" after an attempt of ours that may have been applied is CONFIRMED: it is there, whoever put
        # it.
        unclear = self._doubts | self.refused if self.refused else self._doubts
        said = reconcile(batch, settled.reply, unclear)
        if batch.operation is Operation.ADD and unclear:
            # Created now, so it was not there before: the doubt about this phone is over. Rejected: it never was.
            cleared = {result.row.phone for result in said.results if result.outcome in _CLEARS_DOUBT}
            self._doubts -= cleared
            self.refused -= cleared
        effect.results.extend(said.results)
        effect.anomalies = said.anomalies
        if said.unaccounted:
            self._unaccounted(batch, said.unaccounted, effect)

    def _unaccounted(self, batch: Batch, rows: list[Row], effect: Effect) -> None:
        """Send rows that the reply does not mention once more, by themselves, unless nothing is sent twice."""
        self._doubts.update(row.phone for row in rows)
        for row in rows:
            row.doubts, row.unaccounted = max(row.doubts, 1), True
        if self._policy.on_doubt == "resend":
            self._accumulator.append(Batch(batch.operation, rows))
        else:
            effect.resolve(rows, Outcome.UNREPORTED, "unaccounted")

    def _busy(
        self, batch: Batch, result: AttemptResult, retry_after: float | None, waited: float, effect: Effect
    ) -> None:
        effect.state, effect.reason = "busy", _text(result)
        wait = self._policy.busy_wait(batch.busies, retry_after)
        if waited + wait > self._policy.busy_for:
            effect.stop = Stop(self._error(batch, result, _ADVICE_BUSY), ALL)
        else:
            effect.hold = wait
            self._accumulator.retry(batch)

    def _too_large(self, batch: Batch, result: AttemptResult, effect: Effect) -> None:
        if len(batch.rows) == 1:
            effect.resolve(batch.rows, Outcome.REJECTED, "too_large", "the server refused this lead for its size")
            self._too_large_in_a_row += 1
            if self._too_large_in_a_row >= MAX_TOO_LARGE:
                self._fatal(batch, result, effect)
            return
        # Half of what was too large, for this and all later batches; each accepted batch lets it grow by 5 %.
        max_bytes = self._accumulator.max_bytes = len(batch.body()) // 2
        parts = cut(batch.rows, max_bytes)
        self._accumulator.prepend([Batch(batch.operation, part, bisection=batch.bisection) for part in parts])

    def _refused(self, batch: Batch, result: AttemptResult, refusal: Refusal, effect: Effect) -> None:
        if batch.operation is Operation.ADD:
            self.refused.update(row.phone for row in batch.rows)
        if len(batch.rows) == 1 and batch.bisection is None:
            effect.resolve(batch.rows, Outcome.REJECTED, "server_refused", refusal.text)
        elif batch.bisection is None:
            batch.bisection = BatchBisection(batch.rows, refusal, self._policy.max_extra_posts)
            self._accumulator.bisect(batch.operation, batch.bisection)
        elif batch.bisection.refused(batch.rows, refusal):
            effect.resolve(batch.rows, Outcome.REJECTED, "server_refused", refusal.text)
        else:
            self._accumulator.resume_bisection(batch.operation, batch.bisection)
        if (
            batch.bisection is not None
            and batch.operation not in self._accepted
            and batch.bisection.fault_is_common()
        ):
            self._fatal(batch, result, effect)

    def _finish_bisection(
        self, batch: Batch, bisection: BatchBisection, result: AttemptResult, effect: Effect
    ) -> None:
        """Give up a search that has no POST left to spend."""
        if bisection.posts_left > 0 or effect.stop is not None:
            return
        rest = list(bisection.remaining())
        if not bisection.all_refused:
            # The server took some parts, so the fault is in rows: those that were not tried alone are refused.
            effect.resolve(rest, Outcome.REJECTED, "not_isolated", bisection.refusal.text)
        elif rest:  # it took no part: whatever is wrong, more rows of these submissions would meet it too
            submissions = frozenset(id(row.submission) for row in rest)
            effect.stop = Stop(
                self._error(batch, result, _ADVICE_FATAL), frozenset({batch.operation}), submissions
            )

    def _fatal(self, batch: Batch, result: AttemptResult, effect: Effect, *, everything: bool = False) -> None:
        wrong_verb = batch.operation is Operation.UPDATE and getattr(result, "status", None) in {404, 405}
        advice = _ADVICE_VERB if wrong_verb else _ADVICE_FATAL
        operations = ALL if everything else frozenset({batch.operation})
        effect.stop = Stop(self._error(batch, result, advice), operations)

    def _error(self, batch: Batch, result: AttemptResult, advice: str) -> VoisoError:
        error = result if isinstance(result, VoisoError) else self._parse_error(batch.operation, result)
        return error.advised(advice)


def _text(result: AttemptResult) -> str:
    return str(result) if isinstance(result, VoisoError) else f"status {result.status}"


def _unsent(result: AttemptResult) -> bool:
    return isinstance(result, VoisoError) and result.proof == "not_sent"
