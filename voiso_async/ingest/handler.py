"""What one attempt led to: for its rows, for the gate, and for the lane."""

import asyncio
import random
from collections.abc import Callable, Iterable

from voiso_async.errors import APIError, ClientClosedError, IngestError, VoisoError
from voiso_async.events import logger
from voiso_async.ingest.accumulator import Accumulator
from voiso_async.ingest.batch import Batch, cut, reconcile
from voiso_async.ingest.bisection import BatchBisection, Refusal
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneState
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult, Submission
from voiso_async.ingest.verdict import Busy, Fatal, InDoubt, NotSent, Refused, Settled, TooLarge, verdict
from voiso_async.values import Struct, field
from voiso_async.wire import Response


class Stop(Struct, frozen=True):
    """The lane gives up on calls: those of some operations, or only the owners of some rows."""

    error: VoisoError
    operations: frozenset[Operation]
    submissions: frozenset[int] | None = None

    def applies_to(self, call: Submission) -> bool:
        """Whether this call is given up."""
        return call.operation in self.operations and (self.submissions is None or id(call) in self.submissions)


def stop_for(task: "asyncio.Task[None]") -> Stop | None:
    """Why a lane's task ended, if it did not end by itself."""
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
    """What one attempt led to; a ``hold`` of ``None`` means that nothing was sent, ``pause`` precedes the next."""

    verdict: str = ""
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

    def record_attempt(self, *, fresh: bool, seconds: float) -> None:
        """Note the attempt in the books of everybody who had rows in it."""
        self.attempt = Attempt(
            first=fresh,
            seconds=seconds,
            busy=self.state == "busy",
            refused=self.verdict == Refused.__name__,
            anomalies=self.anomalies,
        )
        for owner in self.submissions:
            owner.on_attempt(self.attempt)

    def resolve(
        self, rows: Iterable[Row], outcome: Outcome, reason: str | None = None, detail: str | None = None
    ) -> None:
        """Give rows the same final word."""
        for row in rows:
            open_ = row.doubted and outcome is Outcome.REJECTED  # an earlier attempt may have been applied
            self.results.append(RowResult(row, Outcome.UNKNOWN if open_ else outcome, reason, detail))


CampaignErrorParser = Callable[[int, Operation, Response], APIError]
ErrorParser = Callable[[Operation, Response], APIError]
AttemptResult = Response | VoisoError

OUTAGE_BATCHES = 2
"""Batches in a row without a usable answer that stop a lane: one is a bad batch, two are an outage."""
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
    """Judge attempts one after the other; what is to be sent again goes back to the agenda.

    ``refused`` are phones that a batch carried which was refused as a whole. That such a call stores nothing is an
    assumption, so a duplicate among them may be of our making; like a doubt it outlives the lane's stops.
    """

    def __init__(
        self,
        agenda: Accumulator,
        policy: LanePolicy,
        explain: ErrorParser,
        doubts: set[str],
        clock: Callable[[], float],
    ) -> None:
        self.max_bytes: int = policy.max_bytes
        self.refused: set[str] = set()
        self._accumulator = agenda
        self._policy = policy
        self._explain = explain
        self._doubts = doubts
        self._clock = clock
        self._accepted: set[Operation] = set()
        self._lost_in_a_row = self._too_large_in_a_row = 0

    def reset(self) -> None:
        """Begin as a fresh lane does; doubts and refusals stay."""
        self.max_bytes = self._policy.max_bytes
        self._accepted.clear()
        self._lost_in_a_row = self._too_large_in_a_row = 0

    def doubt(self, batch: Batch) -> None:
        """Remember that every phone of this batch may be in the campaign because of us."""
        batch.doubt()
        self._doubts.update(row.phone for row in batch.rows)

    def handle(self, batch: Batch, answer: AttemptResult) -> Effect:
        """Say what one attempt led to."""
        judged = verdict(batch.operation, answer)
        owners = tuple(dict.fromkeys(row.submission for row in batch.rows))
        landing = Effect(verdict=type(judged).__name__, rows=len(batch.rows), submissions=owners)
        landing.hold = None if _unsent(answer) else self._policy.cooldown
        waited = batch.record_wait(
            self._clock(), busy=isinstance(judged, Busy), unsent=isinstance(judged, NotSent)
        )
        match judged:
            case NotSent():
                self._not_sent(batch, answer, waited, landing)
            case InDoubt(retry_after):
                self._in_doubt(batch, answer, retry_after, landing)
            case Settled():
                self._settled(batch, judged, landing)
            case Busy(retry_after):
                self._busy(batch, answer, retry_after, waited, landing)
            case TooLarge():
                self._too_large(batch, answer, landing)
            case Refused(refusal):
                self._refused(batch, answer, refusal, landing)
            case Fatal(everything):
                self._fatal(batch, answer, landing, everything=everything)
        if batch.bisection is not None and not self._accumulator.is_retry(batch):
            self._finish_bisection(batch, batch.bisection, answer, landing)
        return landing

    def _not_sent(self, batch: Batch, answer: AttemptResult, waited: float, landing: Effect) -> None:
        landing.state, landing.reason = "unsent", str(answer)
        landing.pause = self._policy.unsent_wait(batch.unsents, random.random())  # noqa: S311 - jitter
        if waited + landing.pause > self._policy.unsent_for:
            landing.stop = Stop(self._error(batch, answer, _ADVICE_UNSENT), ALL)
        else:
            self._accumulator.retry(batch)

    def _in_doubt(self, batch: Batch, answer: AttemptResult, retry_after: float | None, landing: Effect) -> None:
        self.doubt(batch)
        landing.state, landing.reason = "doubt", _text(answer)
        too_long = retry_after is not None and retry_after > self._policy.busy_for
        landing.hold = self._policy.doubt_wait(batch.doubts, None if too_long else retry_after)
        if batch.doubts < self._policy.doubt_attempts and self._policy.on_doubt == "resend" and not too_long:
            self._accumulator.retry(batch)
            return
        landing.resolve(batch.rows, Outcome.UNKNOWN, "no_usable_answer", "sent, and no usable answer came")
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= OUTAGE_BATCHES or too_long:
            landing.stop = Stop(self._error(batch, answer, _ADVICE_OUTAGE), ALL)

    def _settled(self, batch: Batch, settled: Settled, landing: Effect) -> None:
        self._lost_in_a_row = self._too_large_in_a_row = 0
        self._accepted.add(batch.operation)
        self.max_bytes = min(int(self.max_bytes * BYTES_GROWTH), self._policy.max_bytes)
        if batch.bisection is not None:
            batch.bisection.accepted()
        unclear = self._doubts | self.refused if self.refused else self._doubts
        said = reconcile(batch, settled.reply, unclear)
        if batch.operation is Operation.ADD and unclear:
            cleared = {result.row.phone for result in said.results if result.outcome in _CLEARS_DOUBT}
            self._doubts -= cleared
            self.refused -= cleared
        landing.results.extend(said.results)
        landing.anomalies = said.anomalies
        if said.unaccounted:
            self._unaccounted(batch, said.unaccounted, landing)

    def _unaccounted(self, batch: Batch, rows: list[Row], landing: Effect) -> None:
        """Rows that the answer does not mention ride once more with their like, unless nothing is sent twice."""
        self._doubts.update(row.phone for row in rows)
        for row in rows:
            row.doubts, row.unaccounted = max(row.doubts, 1), True
        if self._policy.on_doubt == "resend":
            self._accumulator.append(Batch(batch.operation, rows))
        else:
            landing.resolve(rows, Outcome.UNREPORTED, "unaccounted")

    def _busy(
        self, batch: Batch, answer: AttemptResult, retry_after: float | None, waited: float, landing: Effect
    ) -> None:
        landing.state, landing.reason = "busy", _text(answer)
        wait = self._policy.busy_wait(batch.busies, retry_after)
        if waited + wait > self._policy.busy_for:
            landing.stop = Stop(self._error(batch, answer, _ADVICE_BUSY), ALL)
        else:
            landing.hold = wait
            self._accumulator.retry(batch)

    def _too_large(self, batch: Batch, answer: AttemptResult, landing: Effect) -> None:
        if len(batch.rows) == 1:
            landing.resolve(batch.rows, Outcome.REJECTED, "too_large", "the server refused this lead for its size")
            self._too_large_in_a_row += 1
            if self._too_large_in_a_row >= MAX_TOO_LARGE:
                self._fatal(batch, answer, landing)
            return
        self.max_bytes = len(batch.body()) // 2
        self._accumulator.prepend(
            [Batch(batch.operation, part, bisection=batch.bisection) for part in cut(batch.rows, self.max_bytes)]
        )

    def _refused(self, batch: Batch, answer: AttemptResult, refusal: Refusal, landing: Effect) -> None:
        if batch.operation is Operation.ADD:
            self.refused.update(row.phone for row in batch.rows)
        if len(batch.rows) == 1 and batch.bisection is None:
            landing.resolve(batch.rows, Outcome.REJECTED, "server_refused", refusal.text)
        elif batch.bisection is None:
            batch.bisection = BatchBisection(batch.rows, refusal, self._policy.max_extra_posts)
            self._accumulator.bisect(batch.operation, batch.bisection)
        elif batch.bisection.refused(batch.rows, refusal):
            landing.resolve(batch.rows, Outcome.REJECTED, "server_refused", refusal.text)
        else:
            self._accumulator.resume_bisection(batch.operation, batch.bisection)
        if (
            batch.bisection is not None
            and batch.operation not in self._accepted
            and batch.bisection.fault_is_common()
        ):
            self._fatal(batch, answer, landing)

    def _finish_bisection(
        self, batch: Batch, suspects: BatchBisection, answer: AttemptResult, landing: Effect
    ) -> None:
        """When no POST may be spent any more: what is left is refused, and hopeless if nothing was ever taken."""
        if suspects.posts_left > 0 or landing.stop is not None:
            return
        rest = list(suspects.remaining())
        if not suspects.all_refused:
            landing.resolve(rest, Outcome.REJECTED, "not_isolated", suspects.refusal.text)
        elif rest:
            owners = frozenset(id(row.submission) for row in rest)
            landing.stop = Stop(self._error(batch, answer, _ADVICE_FATAL), frozenset({batch.operation}), owners)

    def _fatal(self, batch: Batch, answer: AttemptResult, landing: Effect, *, everything: bool = False) -> None:
        wrong_verb = batch.operation is Operation.UPDATE and getattr(answer, "status", None) in {404, 405}
        advice = _ADVICE_VERB if wrong_verb else _ADVICE_FATAL
        operations = ALL if everything else frozenset({batch.operation})
        landing.stop = Stop(self._error(batch, answer, advice), operations)

    def _error(self, batch: Batch, answer: AttemptResult, advice: str) -> VoisoError:
        error = answer if isinstance(answer, VoisoError) else self._explain(batch.operation, answer)
        return error.advised(advice)


def _text(answer: AttemptResult) -> str:
    return str(answer) if isinstance(answer, VoisoError) else f"status {answer.status}"


def _unsent(answer: AttemptResult) -> bool:
    return isinstance(answer, VoisoError) and answer.proof == "not_sent"
