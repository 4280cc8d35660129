"""A push as it runs: a bar on a terminal, plain lines elsewhere, JSON lines for programs."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from voiso_async.cli.meter import Moment
from voiso_async.cli.show import counted, duration, error_console, is_plain, note, of_the_fastest, show_json

__all__ = ["Bar", "JsonLines", "PlainLines", "View", "view_for"]

BAR_SECONDS = 0.2
LINE_SECONDS = 5.0
BAR_WIDTH = 28
LEAST_BAR = 8


class View(AbstractContextManager["View"], Protocol):
    """Where a push shows how it stands; ``every`` says how many seconds lie between two looks."""

    every: float

    def draw(self, moment: Moment) -> None:
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

    def draw(self, moment: Moment) -> None:
        """Write the line."""
        note(" · ".join([_progress(moment), *_pace(moment), *_left(moment), *_doubts(moment), str(moment.report)]))

    def tell(self, text: str) -> None:
        """Write the sentence."""
        note(text)


class JsonLines(PlainLines):
    """One object on stdout every few seconds; sentences go to stderr."""

    def draw(self, moment: Moment) -> None:
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

    def draw(self, moment: Moment) -> None:
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


def _rows(moment: Moment) -> str:
    return f"{counted(moment.done)} of {counted(moment.total)}" if moment.total else counted(moment.done, "row")


def _progress(moment: Moment) -> str:
    share = f"{moment.done / moment.total:.0%} " if moment.total else ""
    of = f"{counted(moment.done)} of " if moment.total else ""
    return f"{share}{of}{counted(moment.total or moment.done, 'row')}"


def _pace(moment: Moment) -> list[str]:
    parts = []
    if moment.rate:
        parts.append(f"{moment.rate:.0f}/s")
    if moment.report.ceiling_share is not None:
        parts.append(of_the_fastest(moment.report.ceiling_share))
    return parts


def _doubts(moment: Moment) -> list[str]:
    return [f"{counted(moment.doubted)} in doubt"] if moment.doubted else []


def _left(moment: Moment) -> list[str]:
    return [] if moment.left is None else [f"{duration(moment.left)} left"]
