"""What a person or a program reads: tables, records and JSON on stdout, everything else on stderr."""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from voiso_async.convert import unstructure

__all__ = [
    "complain",
    "counted",
    "duration",
    "error_console",
    "note",
    "of_the_fastest",
    "printable",
    "quoted",
    "show",
    "show_json",
    "show_record",
    "show_table",
]

UNBOUNDED = 10_000
"""Columns of a file or a pipe: there is nobody to wrap lines for."""

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
    sys.stdout.write(json.dumps(unstructure(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print rows below each other, without empty columns; those named in ``right`` are aligned to the right."""
    kept = [place for place, name in enumerate(header) if any(row[place] is not None for row in rows)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place in kept:
        table.add_column(header[place], justify="right" if header[place] in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[place]) for place in kept))
    show(table)


def show_record(record: Any) -> None:
    """Print one record, a field a line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in unstructure(record).items():
        table.add_row(Text(printable(name), style="bold"), _cell(value))
    show(table)


def show(*parts: RenderableType) -> None:
    """Print parts below each other on stdout, without blanks at the ends of lines."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else UNBOUNDED)
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    sys.stdout.flush()


def error_console() -> Console:
    """A console for stderr."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNBOUNDED)


def note(text: str) -> None:
    """Tell the person something on stderr."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def complain(problem: object) -> None:
    """Say in one line on stderr what went wrong."""
    note(f"voiso: {problem}")


def counted(number: int, singular: str = "", plural: str = "") -> str:
    """Write a count for people: ``1 234 rows``."""
    figure = f"{number:,}".replace(",", " ")
    noun = singular if number == 1 else plural or (singular and f"{singular}s")
    return f"{figure} {noun}" if noun else figure


def duration(seconds: float) -> str:
    """Write a time for people: ``4 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def of_the_fastest(share: float) -> str:
    """Write a share of the ceiling for people."""
    return f"{share:.0%} of the fastest Voiso allows"


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


def _cell(value: Any) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, Mapping | list | bool):
        value = json.dumps(value, ensure_ascii=False)
    text = printable(str(value))
    return Text(text, style=STYLES.get(text, ""))
