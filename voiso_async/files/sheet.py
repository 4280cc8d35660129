"""The rows of one sheet of an Excel workbook, one by one and never more."""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from voiso_async.errors import InputFileError
from voiso_async.files.archive import Archive, damaged
from voiso_async.files.cells import Cell
from voiso_async.files.rows import LONGEST_ROW, MOST_COLUMNS
from voiso_async.files.workbook import SharedTexts, Workbook, unescaped
from voiso_async.files.xml import walk

__all__ = ["SheetRows"]

WIDEST, DEEPEST = 16_384, 1_048_576
"""Columns and rows that a sheet can have."""
EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps."""
DAY = 86_400
EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's dates have no zone


class SheetRows(Iterator[tuple[int, Sequence[str]]]):
    """Read a sheet: ``header``, then pairs of the row's number and its cells; blank rows are passed over.

    Hidden rows are read like others, of merged cells the first has the value. Numbers come out exactly. A cell
    that is a formula, a date or an error is a ``Cell`` that says so. Every fault is an ``InputFileError``.
    """

    def __init__(self, stream: io.BufferedReader, *, sheet: str | None = None) -> None:
        self.row: int = 0
        archive = Archive(stream)
        book = Workbook.of(archive, sheet)
        self._cells = _Cells(archive, book)
        self._steps = walk(archive.blocks(book.sheet), self._cells)
        first = self._next_row()
        if first is None:
            raise InputFileError("the sheet is empty: there is nothing to send", reason="empty")
        width = max(first) + 1
        if width > MOST_COLUMNS:
            raise InputFileError(
                f"row {self.row}: there are {width} columns; at most {MOST_COLUMNS} are read",
                row=self.row,
                reason="too_wide",
            )
        self.header: Sequence[str] = [str(first.get(column, "")) for column in range(width)]
        last = self._cells.last
        self.total: int | None = None if last is None else max(0, last - self.row)

    def __next__(self) -> tuple[int, Sequence[str]]:
        while (found := self._next_row()) is not None:
            cells = [found.get(column, "") for column in range(len(self.header))]
            if any(cells):
                return self.row, cells
        raise StopIteration

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._steps = iter(())

    def _next_row(self) -> dict[int, str] | None:
        rows = self._cells.rows
        while not rows:
            if next(self._steps, self) is self:
                return None
        self.row, found = rows.popleft()
        return found


class _Cells:
    """Listens to a sheet and keeps the rows that are complete; ``last`` is the last row by the sheet's word."""

    def __init__(self, archive: Archive, book: Workbook) -> None:
        self.rows: deque[tuple[int, dict[int, str]]] = deque()
        self.last: int | None = None
        self._archive, self._book = archive, book
        self._shared: SharedTexts | None = None
        self._places: dict[str, int] = {}
        self._row, self._column = 0, -1
        self._found: dict[int, str] = {}
        self._kind, self._style, self._formula = "n", "", False
        self._parts: list[str] = []
        self._wanted = self._phonetic = False
        self._taken = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._column = self._place(attributes.get("r"))
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._formula = False
        elif name in {"v", "t"}:
            self._wanted = not self._phonetic
        elif name == "row":
            self._begin(attributes.get("r"))
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "dimension":
            self.last = _last_row(attributes.get("ref", ""))

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._wanted = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            if self._found:
                self.rows.append((self._row, self._found))
                self._found = {}
        elif name == "rPh":
            self._phonetic = False

    def text(self, text: str) -> None:
        if self._wanted:
            self._taken += len(text)
            if self._taken > LONGEST_ROW:
                raise InputFileError(
                    f"row {self._row}: it holds more than {LONGEST_ROW} characters",
                    row=self._row,
                    reason="too_large",
                )
            self._parts.append(text)

    def _begin(self, number: str | None) -> None:
        row = self._row + 1 if number is None else _whole(number)
        if not self._row < row <= DEEPEST:
            raise damaged()
        self._row, self._column, self._taken = row, -1, 0

    def _place(self, reference: str | None) -> int:
        if reference is None:
            column = self._column + 1
        else:
            letters = reference.rstrip("0123456789")
            column = self._places.get(letters, -1)
            if column < 0:
                column = self._places[letters] = _column(letters)
        if column >= WIDEST:
            raise damaged()
        return column

    def _end_cell(self) -> None:
        text = "".join(self._parts)
        self._parts.clear()
        value = self._value(text) if text else ""
        if self._formula:
            value = Cell(value, "formula")
        if value.strip() or self._formula:
            self._found[self._column] = value

    def _value(self, text: str) -> str:
        kind = self._kind
        if kind == "s":
            if self._shared is None:
                self._shared = SharedTexts(self._archive, self._book.texts)
            return self._shared[_whole(text)]
        if kind == "n":
            return (
                _date(text, from_1904=self._book.from_1904) if self._style in self._book.dates else _number(text)
            )
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if kind == "e":
            return Cell(text, "spreadsheet_error")
        return Cell(text, "date") if kind == "d" else unescaped(text)


def _number(text: str) -> str:
    """Write a number with all its digits; one that has lost some keeps its exponent."""
    text = text.strip()
    if text.isdigit() and len(text) <= EXACT_DIGITS:
        return text
    with suppress(ValueError, OverflowError):
        number = float(text)
        if number.is_integer() and abs(number) < 10**EXACT_DIGITS:
            return str(int(number))
    return text


def _date(text: str, *, from_1904: bool) -> str:
    with suppress(ValueError, OverflowError):
        moment = (EPOCH_1904 if from_1904 else EPOCH) + timedelta(seconds=round(float(text) * DAY))
        text = (
            moment.date().isoformat() if moment.time() == moment.time().min else moment.isoformat(" ", "seconds")
        )
    return Cell(text, "date")


def _whole(text: str) -> int:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < EXACT_DIGITS:
        return int(text)
    raise damaged()


def _column(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise damaged()
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column - 1


def _last_row(reference: str) -> int | None:
    digits = reference.rpartition(":")[2].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$")
    return int(digits) if ":" in reference and digits.isascii() and digits.isdigit() and len(digits) < 8 else None
