"""How a push stands: what was sent, how fast, and how long the rest will take."""

import time
from collections.abc import Callable

from attrs import frozen

from voiso_async.events import BatchAnswered, Event
from voiso_async.ingest.outcome import IngestReport
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.status import LaneStatus

__all__ = ["Meter", "Moment"]

NOTES = {
    "NotSent": "the API cannot be reached; nothing was sent, and the same leads will be tried again",
    "InDoubt": "an answer was lost; the same leads go again in {hold:.0f} s: nobody is called twice",
    "Busy": "the campaign is still at work on an earlier call; asking again every few seconds",
    "TooLarge": "the batch was too large for the server; sending smaller ones",
    "Refused": "the server refused a whole batch; looking for the rows that caused it",
}
"""What a person should know of an attempt that did not just work, by the name of its verdict."""

POLICY = LanePolicy()


@frozen(kw_only=True)
class Moment:
    """One look at a push; ``total`` and ``left`` (seconds) are ``None`` while they are not known."""

    report: IngestReport
    total: int | None
    done: int
    rate: float
    share: float | None
    left: float | None
    state: str


class Meter:
    """Listen to the events of a push; ``tell`` is called with what a person should know at once."""

    def __init__(self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Forget what was heard so far: the push begins now."""
        self._answers = 0
        self._server_seconds = 0.0
        self._answered_at = 0.0
        self._verdict = ""

    def __call__(self, event: Event) -> None:
        """Take note of an answer."""
        if not isinstance(event, BatchAnswered):
            return
        self._answers += 1
        self._server_seconds += event.seconds
        self._answered_at = self._clock()
        if event.verdict != self._verdict and event.verdict in NOTES:
            self._tell(NOTES[event.verdict].format(hold=event.hold))
        self._verdict = event.verdict

    @property
    def cycle(self) -> float | None:
        """Seconds from one POST to the next, by the answers so far."""
        return POLICY.cooldown + self._server_seconds / self._answers if self._answers else None

    def look(self, report: IngestReport, total: int | None, lane: LaneStatus | None) -> Moment:
        """Describe this moment."""
        done = report.rows - report.pending
        return Moment(
            report=report,
            total=total,
            done=done,
            rate=self._rate(report),
            share=None if lane is None else lane.ceiling_share,
            left=self._left(report, total, done),
            state=_state(lane),
        )

    def _rate(self, report: IngestReport) -> float:
        """Count the present cycle as if it were over: else the pace would seem to fall between two POSTs."""
        elapsed = max(report.elapsed, self._answers * (self.cycle or 0.0))
        return report.leads_per_second * report.elapsed / elapsed if elapsed else 0.0

    def _left(self, report: IngestReport, total: int | None, done: int) -> float | None:
        if total is None or self.cycle is None:
            return None
        posts = -(-(max(total, report.rows) - done) // POLICY.max_rows)
        return max(0.0, posts * self.cycle - (self._clock() - self._answered_at))


def _state(lane: LaneStatus | None) -> str:
    if lane is None:
        return "reading"
    if lane.state == "waiting" and lane.opens_in > 0:
        return f"next batch in {lane.opens_in:.1f} s"
    return {"idle": "reading", "doubt": "in doubt", "unsent": "unreachable"}.get(lane.state, lane.state)
