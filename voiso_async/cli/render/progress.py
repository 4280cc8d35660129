"""How a job stands: what was sent, how fast, and how long the rest will take."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from attrs import define, frozen
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from voiso_async.cli.render.tables import (
    counted,
    duration,
    error_console,
    is_plain,
    note,
    of_the_fastest,
    show_json,
)
from voiso_async.cli.render.words import in_words
from voiso_async.events import BatchAnswered, Event, LaneStopped, Verdict
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, LaneStatus
from voiso_async.outbox.jobs import Backlog, Job, JobState

NOTES = {
    Verdict.NOT_SENT: "the API cannot be reached; nothing was sent, and the same leads will be tried again",
    Verdict.IN_DOUBT: "an answer was lost; the same leads go again in {hold:.0f} s: the campaign keeps each once",
    Verdict.BUSY: "the campaign is still at work on an earlier call; asking again every few seconds",
    Verdict.TOO_LARGE: "the batch was too large for the server; sending smaller ones",
    Verdict.REFUSED: "the server refused a whole batch; looking for the rows that caused it",
}
"""What a person should know of an attempt that did not just work, by the name of its verdict."""

POLICY = LanePolicy()


@frozen(kw_only=True)
class Snapshot:
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


class RateMeter:
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

    def snapshot(
        self, job: Job, waiting: Iterable[Backlog], lanes: Iterable[LaneStatus], total: int | None
    ) -> Snapshot:
        """Describe this moment; ``total`` is how many rows the job will have, if it is still being loaded."""
        lanes = [lane for lane in lanes if lane.campaign in job.campaigns]
        if job.state is not JobState.LOADING:
            total = job.report.rows
        return Snapshot(
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


BAR_SECONDS = 0.2
LINE_SECONDS = 5.0
BAR_WIDTH = 28
LEAST_BAR = 8


class View(AbstractContextManager["View"], Protocol):
    """Where a push shows how it stands; ``every`` says how many seconds lie between two looks."""

    every: float

    def draw(self, moment: Snapshot) -> None:
        """Show a moment."""
        ...

    def tell(self, text: str) -> None:
        """Show a sentence."""
        ...


class PlainLines:
    """One line on stderr every few seconds."""

    every = LINE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def draw(self, moment: Snapshot) -> None:
        """Write the line."""
        note(" · ".join([_progress(moment), *_pace(moment), *_left(moment), *_doubts(moment), str(moment.report)]))

    def tell(self, text: str) -> None:
        """Write the sentence."""
        note(text)


class JsonLines(PlainLines):
    """One object on stdout every few seconds; sentences go to stderr."""

    def draw(self, moment: Snapshot) -> None:
        """Write the object."""
        share = moment.report.ceiling_share
        figures = {
            "event": "progress",
            "rows": moment.report.rows,
            "total": moment.total,
            "done": moment.done,
            "doubted": moment.doubted,
            "counts": {outcome.value: count for outcome, count in moment.report.counts.items() if count},
            "leads_per_second": round(moment.rate, 1),
            "ceiling_share": None if share is None else round(share, 4),
            "seconds_left": None if moment.left is None else round(moment.left, 1),
            "state": moment.state,
        }
        show_json(figures)


class Bar:
    """A bar that moves, and below it how the rows ended; it goes when the push is over."""

    every = BAR_SECONDS

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def draw(self, moment: Snapshot) -> None:
        """Move the bar; a narrow terminal shows what fits on three lines of it."""
        share = "" if not moment.total else f"{moment.done / moment.total:4.0%} "
        where = f" {' · '.join([_rows(moment), *_left(moment)])}"
        room = self._console.width - len(share) - len(where)
        first = Table.grid()
        if room >= LEAST_BAR:
            width = min(BAR_WIDTH, room)
            bar = ProgressBar(total=moment.total, completed=moment.done, width=width, pulse=moment.total is None)
            first.add_row(_line(share, "bold"), bar, _line(where))
        else:
            first.add_row(_line(f"{share}{where}", "bold"))
        pace = " · ".join([*_pace(moment), *_doubts(moment), moment.state])
        self._live.update(Group(first, _line(f"     {pace}"), _line(f"     {moment.report}", "dim")), refresh=True)

    def tell(self, text: str) -> None:
        """Write the sentence above the bar."""
        self._console.print(text, markup=False)


def view_for(*, json: bool) -> View:
    """Choose the view: a bar needs a terminal that can redraw it, and programs read JSON."""
    if json:
        return JsonLines()
    console = error_console()
    return Bar(console) if console.is_terminal and not is_plain() else PlainLines()


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _rows(moment: Snapshot) -> str:
    return f"{counted(moment.done)} of {counted(moment.total)}" if moment.total else counted(moment.done, "row")


def _progress(moment: Snapshot) -> str:
    share = f"{moment.done / moment.total:.0%} " if moment.total else ""
    of = f"{counted(moment.done)} of " if moment.total else ""
    return f"{share}{of}{counted(moment.total or moment.done, 'row')}"


def _pace(moment: Snapshot) -> list[str]:
    parts = []
    if moment.rate:
        parts.append(f"{moment.rate:.0f}/s")
    if moment.report.ceiling_share is not None:
        parts.append(of_the_fastest(moment.report.ceiling_share))
    return parts


def _doubts(moment: Snapshot) -> list[str]:
    return [f"{counted(moment.doubted)} in doubt"] if moment.doubted else []


def _left(moment: Snapshot) -> list[str]:
    return [] if moment.left is None else [f"{duration(moment.left)} left"]
