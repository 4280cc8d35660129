"""How a job stands: what was sent, how fast, and how long the rest will take."""

import time
from collections.abc import Callable, Iterable, Mapping

from attrs import define, frozen

from voiso_async.cli.words import in_words
from voiso_async.events import BatchAnswered, Event, LaneStopped
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, LaneStatus
from voiso_async.outbox.jobs import Backlog, Job, JobState

__all__ = ["Meter", "Moment", "answered", "seconds_for"]

NOTES = {
    "NotSent": "the API cannot be reached; nothing was sent, and the same leads will be tried again",
    "InDoubt": "an answer was lost; the same leads go again in {hold:.0f} s: the campaign keeps each once",
    "Busy": "the campaign is still at work on an earlier call; asking again every few seconds",
    "TooLarge": "the batch was too large for the server; sending smaller ones",
    "Refused": "the server refused a whole batch; looking for the rows that caused it",
}
"""What a person should know of an attempt that did not just work, by the name of its verdict."""

POLICY = LanePolicy()


@frozen(kw_only=True)
class Moment:
    """One look at a job; ``total`` and ``left`` (seconds) are ``None`` while they are not known."""

    report: IngestReport
    total: int | None
    done: int
    doubted: int = 0
    rate: float = 0.0
    left: float | None = None
    state: str = ""


@define
class _Pace:
    """The POSTs of one campaign so far."""

    answers: int = 0
    seconds: float = 0.0
    answered_at: float = 0.0
    verdict: str = ""

    @property
    def cycle(self) -> float:
        """Seconds from one POST to the next."""
        return POLICY.cooldown + self.seconds / self.answers


class Meter:
    """Listen to the events of a client; ``tell`` is called with what a person should know at once."""

    def __init__(self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self.begin()

    def begin(self, done: int = 0) -> None:
        """Forget what was heard so far: a run begins now, of a job with so many rows answered before."""
        self._paces: dict[int, _Pace] = {}
        self._began = self._clock()
        self._before = done

    def __call__(self, event: Event) -> None:
        """Take note of an answer."""
        if isinstance(event, LaneStopped):
            self._tell(f"campaign {event.campaign} is given up: {in_words(event.reason)}")
        if not isinstance(event, BatchAnswered):
            return
        pace = self._paces.setdefault(event.campaign, _Pace())
        pace.answers += 1
        pace.seconds += event.seconds
        pace.answered_at = self._clock()
        if event.verdict != pace.verdict and event.verdict in NOTES:
            self._tell(NOTES[event.verdict].format(hold=event.hold))
        pace.verdict = event.verdict

    def look(self, job: Job, waiting: Iterable[Backlog], lanes: Iterable[LaneStatus], total: int | None) -> Moment:
        """Describe this moment; ``total`` is how many rows the job will have, if it is still being loaded."""
        lanes = [lane for lane in lanes if lane.campaign in job.campaigns]
        if job.state is not JobState.LOADING:
            total = job.report.rows
        return Moment(
            report=job.report,
            total=None if total is None else max(total, job.report.rows),
            done=job.report.rows - job.waiting,
            doubted=job.doubted,
            rate=self._rate(job.report),
            left=self._left(job, waiting, total),
            state=_state(job, lanes),
        )

    def _rate(self, report: IngestReport) -> float:
        """Count the present cycle as if it were over: else the pace would seem to fall between two POSTs."""
        cycles = max((pace.answers * pace.cycle for pace in self._paces.values()), default=0.0)
        elapsed = max(self._clock() - self._began, cycles)
        return (answered(report.counts) - self._before) / elapsed if cycles else 0.0

    def _left(self, job: Job, waiting: Iterable[Backlog], total: int | None) -> float | None:
        if total is None or not self._paces:
            return None
        rows = dict.fromkeys(job.campaigns, 0)
        for item in waiting:
            rows[item.campaign] = rows.get(item.campaign, 0) + item.rows + item.claimed
        stored = sum(rows.values())
        unread = max(0, total - job.report.rows)
        times = [
            self._left_of(campaign, share + unread * (share / stored if stored else 1 / len(rows)))
            for campaign, share in rows.items()
        ]
        return max(times, default=None)

    def _left_of(self, campaign: int, rows: float) -> float:
        pace = self._paces.get(campaign) or next(iter(self._paces.values()))
        posts = -(-rows // POLICY.max_rows)
        return max(0.0, posts * pace.cycle - (self._clock() - pace.answered_at))


def answered(counts: Mapping[Outcome, int]) -> int:
    """Count the rows that the server has answered."""
    return sum(counts[outcome] for outcome in ANSWERED)


def seconds_for(rows: int, server_time: float) -> float:
    """Say how long one campaign takes at best: full batches, the server's time for each, the cooldown between."""
    batches = -(-rows // POLICY.max_rows)
    return batches * server_time + max(0, batches - 1) * POLICY.cooldown


def _state(job: Job, lanes: Iterable[LaneStatus]) -> str:
    states = {lane.state: lane for lane in lanes}
    for state, words in (
        ("sending", "sending"),
        ("doubt", "in doubt"),
        ("busy", "busy"),
        ("unsent", "unreachable"),
    ):
        if state in states:
            return words
    opens = min((lane.opens_in for lane in states.values()), default=0.0)
    if job.waiting and opens > 0:
        return f"next batch in {opens:.1f} s"
    return "reading" if job.state is JobState.LOADING else "waiting"
