"""What a person or a program reads: tables, records and JSON on stdout, everything else on stderr."""

import codecs
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from voiso_async.convert import unstructure
from voiso_async.errors import VoisoError

IN_PLACE = "voiso.in_place"
"""The error handler that writes what a terminal has no sign for in other signs."""
PLAINER = {"·": "-", "→": "->", "←": "<-", "…": "...", "—": "-", "━": "-", "“": '"', "”": '"'}

SINGULAR = {"are": "is", "were": "was", "have": "has", "they": "it", "them": "it"}
PLURALS = re.compile(rf"\b({'|'.join(SINGULAR)})\b")

LEAST_TEXT = 8
UNBOUNDED = 10_000
"""Columns of a file or a pipe: there is nobody to wrap lines for."""

PLAIN_TERMINALS = {"dumb", "unknown"}

STYLES = {
    "active": "green",
    "paused": "yellow",
    "auto_paused": "yellow",
    "pausing": "yellow",
    "stopped": "red",
    "import_error": "red",
}


def show_json(value: Any) -> None:
    """Print one JSON value on one line of stdout; records become plain data."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    with _output():
        sys.stdout.write(json.dumps(unstructure(value), ensure_ascii=plain) + "\n")


def show_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print rows below each other, without empty columns; those named in ``right`` are aligned to the right.

    Where a terminal is too narrow for the columns, each row is a block of lines.
    """
    kept = [place for place, name in enumerate(header) if any(row[place] is not None for row in rows)]
    cells = [[_cell(row[place]) for place in kept] for row in rows]
    names = [header[place] for place in kept]
    if sum(map(_least_width, names, zip(*cells, strict=True), [name in right for name in names])) > _width():
        for row in cells:
            _show_block(names, row)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        number = name in right
        table.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in cells:
        table.add_row(*row)
    show(table)


def _least_width(name: str, cells: Sequence[Text], number: bool) -> int:  # noqa: FBT001 - for map()
    """How wide a column must be to be read: a number stays whole, and a word may be folded a few times."""
    longest = max(map(len, (name, *map(str, cells))))
    return 2 + (longest if number else min(longest, LEAST_TEXT))


def _show_block(names: Sequence[str], cells: Sequence[Text]) -> None:
    block = grid("nt")
    for name, cell in zip(names, cells, strict=True):
        if cell:
            block.add_row(Text(name, style="bold"), cell)
    show(block, "")


def show_record(record: Any) -> None:
    """Print one record, a field a line."""
    table = grid("nt")
    for name, value in unstructure(record).items():
        table.add_row(Text(printable(name), style="bold"), _cell(value))
    show(table)


def grid(columns: str) -> Table:
    """Make a table without lines: ``n`` is a column of names, ``#`` of numbers, ``t`` of texts that fold."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(justify="right" if column == "#" else "left", no_wrap=column != "t", overflow="fold")
    return table


def show(*parts: RenderableType) -> None:
    """Print parts below each other on stdout, without blanks at the ends of lines.

    Plain text is left to the terminal to wrap: a command in it can then be copied as a whole.
    """
    console = _console(sys.stdout, markup=False)
    with _output():
        with console.capture() as captured:
            for part in parts:
                console.print(part, soft_wrap=isinstance(part, str))
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


@contextmanager
def _output() -> Iterator[None]:
    """Write to stdout; ``BrokenPipeError`` passes, and means that the reader has seen enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        fault = os.strerror(error.errno or 0).lower()
    else:
        return
    discard(sys.stdout)
    raise VoisoError(f"standard output cannot be written: {fault}")


def discard(stream: TextIO) -> None:
    """Send what is still to be written to a stream nowhere: it would fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def error_console() -> Console:
    """A console for stderr."""
    return _console(sys.stderr, stderr=True)


def is_plain() -> bool:
    """Whether the terminal, if there is one, has no colours and cannot redraw a line, as with TERM=dumb."""
    return os.environ.get("TERM") in PLAIN_TERMINALS


def _console(stream: TextIO, **options: Any) -> Console:
    if not stream.isatty():
        options["width"] = UNBOUNDED
    elif is_plain():  # rich would take it to be 80 wide
        options["width"], options["height"] = shutil.get_terminal_size()
    return Console(highlight=False, **options)


def _width() -> int:
    return _console(sys.stdout).width


def note(text: str) -> None:
    """Tell the person something on stderr; if nobody can read it, the command goes on."""
    try:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def complain(problem: object) -> None:
    """Say in one line on stderr what went wrong."""
    note(f"voiso: {problem}")


def counted(number: int, singular: str = "", plural: str = "") -> str:
    """Write a count for people: ``1 234 rows``."""
    figure = f"{number:,}".replace(",", " ")
    noun = singular if number == 1 else plural or (singular and f"{singular}s")
    return f"{figure} {noun}" if noun else figure


def agreed(number: int, text: str) -> str:
    """Make what is said of rows agree with their number."""
    return PLURALS.sub(lambda found: SINGULAR[found[0]], text) if number == 1 else text


def duration(seconds: float) -> str:
    """Write a time for people: ``4 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def of_the_fastest(share: float) -> str:
    """Write a share of the ceiling for people."""
    return f"{share:.0%} of the fastest Voiso allows"


def percent(share: float) -> str:
    """Write a share for people: ``25%``, ``1.2%``."""
    return f"{share:.1%}".replace(".0%", "%")


def printable(text: str) -> str:
    """Take out what could steer a terminal or break a line; the text may come from anywhere."""
    return "".join(char if char.isprintable() else " " for char in text)


def quoted(word: object) -> str:
    """Write a word of a command line so that a shell reads it again, bytes that are no text included."""
    text = str(word)
    if text.isprintable():
        return shlex.quote(text)
    shown = (
        chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in os.fsencode(text)
    )
    return f"$'{''.join(shown)}'"


def _in_place(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAINER.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error(IN_PLACE, _in_place)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, Mapping | list | bool):
        value = json.dumps(value, ensure_ascii=False)
    text = printable(str(value))
    return Text(text, style=STYLES.get(text, ""))
