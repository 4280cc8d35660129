"""The rows of one sheet of an Excel workbook, one by one and never more."""

import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from voiso_async.errors import InputFileError
from voiso_async.files.columns.cells import Cell
from voiso_async.files.csv_rows import LONGEST_ROW, MOST_COLUMNS
from voiso_async.files.table_rows import FileShape
from voiso_async.files.xlsx.archive import Archive, damaged_workbook, parse_xml
from voiso_async.files.xlsx.workbook import SharedStrings, Workbook, unescape
from voiso_async.phone import is_round

HiddenRows = Literal["send", "skip"]
HIDDEN_ROWS: tuple[HiddenRows, ...] = ("send", "skip")

WIDEST, DEEPEST = 16_384, 1_048_576
"""Columns and rows that a sheet can have."""
EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps."""
TRUE = {"1", "true"}
_EXPONENT = re.compile("[eE].*")
DAY = 86_400
EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's dates have no zone


class SheetRows(Iterator[tuple[int, Sequence[str]]]):
    """Read a sheet: ``header``, then pairs of the row's number and its cells; blank rows are passed over.

    Of merged cells the first has the value. Numbers come out exactly. A cell that is a formula, a date or an error
    is a ``Cell`` that says so. A hidden row is a fault, unless ``hidden_rows`` says that such rows are sent or
    skipped: a filter may be how somebody chose whom to call. Every fault is an ``InputFileError``.
    """

    def __init__(
        self, stream: io.BufferedReader, *, sheet: str | int | None = None, hidden_rows: HiddenRows | None = None
    ) -> None:
        self.row: int = 0
        archive = Archive(stream)
        book = Workbook.of(archive, sheet)
        self.shape: FileShape = FileShape(
            sheet=book.name,
            other_sheets=book.other_sheets,
            hidden_sheets=book.hidden_sheets,
            skips_hidden=hidden_rows == "skip",
        )
        self._refuses_hidden = hidden_rows is None
        self._handler = _SheetHandler(archive, book)
        self._parsing = parse_xml(archive.blocks(book.sheet_part), self._handler)
        self.header: Sequence[str] = self._first_row()
        self.shape.hidden_columns = tuple(
            str(name) for place, name in enumerate(self.header, start=1) if name and self._handler.is_hidden(place)
        )
        last = self._handler.last_row
        self.estimated_rows: int | None = None if last is None else max(0, last - self.row)

    def __next__(self) -> tuple[int, Sequence[str]]:
        found = self._next_row()
        if found is None:
            raise StopIteration
        width = len(self.header)
        if max(found) >= width:
            self.shape.note_unnamed(self.row)
        return self.row, [found.get(column, "") for column in range(width)]

    def raw_rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the next rows with all their cells, also those to the right of the header."""
        while (found := self._next_row()) is not None:
            yield self.row, [found.get(column, "") for column in range(max(found) + 1)]

    def fit(self, cells: Sequence[str]) -> Sequence[str]:
        """Bring the row read last to the header's width; cells to the right of it are noted."""
        width = len(self.header)
        if len(cells) > width:
            self.shape.note_unnamed(self.row)
        return [*cells[:width], *[""] * (width - len(cells))]

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._parsing = iter(())

    def _first_row(self) -> Sequence[str]:
        first = self._next_row()
        if first is None:
            raise InputFileError(
                f"the sheet is empty: there is nothing to send{self.shape.unread_sheets}", reason="empty"
            )
        width = max(first) + 1
        if width > MOST_COLUMNS:
            raise InputFileError(
                f"row {self.row}: there are {width} columns; at most {MOST_COLUMNS} are read",
                row=self.row,
                reason="too_wide",
            )
        return [first.get(column, "") for column in range(width)]

    def _next_row(self) -> dict[int, str] | None:
        rows = self._handler.rows
        while True:
            while not rows:
                if next(self._parsing, self) is self:
                    return None
            self.row, found, is_hidden = rows.popleft()
            if not is_hidden:
                return found
            if self._refuses_hidden:
                raise self._hidden_error()
            self.shape.hidden_rows += 1
            if not self.shape.skips_hidden:
                return found

    def _hidden_error(self) -> InputFileError:
        """Count all hidden rows, and leave it to the person whether they go."""
        row, count = self.row, 1
        with suppress(InputFileError):  # the rest is damaged; what is hidden comes first
            for _ in chain(self._parsing, [None]):
                count += sum(is_hidden for _, _, is_hidden in self._handler.rows)
                self._handler.rows.clear()
        which, first = f"row {row} is", ""
        if count > 1:
            which, first = f"{count} rows are", f", the first of them row {row}"
        return InputFileError(
            f"{which} hidden, as by a filter{first}: say whether hidden rows are sent, by hidden_rows='send', "
            "or not, by hidden_rows='skip'",
            row=row,
            reason="hidden_rows",
        )


class _SheetHandler:
    """Listens to a sheet and keeps the rows that are complete; ``last`` is the last row by the sheet's word."""

    def __init__(self, archive: Archive, book: Workbook) -> None:
        self.rows: deque[tuple[int, dict[int, str], bool]] = deque()
        self.last_row: int | None = None
        self._archive, self._book = archive, book
        self._shared: SharedStrings | None = None
        self._columns_by_letters: dict[str, int] = {}
        self._row, self._column, self._hidden = 0, -1, False
        self._hidden_columns: list[range] = []
        self._cells: dict[int, str] = {}
        self._kind, self._style, self._formula = "n", "", False
        self._parts: list[str] = []
        self._in_text = self._phonetic = False
        self._row_length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._column = self._column_of(attributes.get("r"))
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._formula = False
        elif name in {"v", "t"}:
            self._in_text = not self._phonetic
        elif name == "row":
            self._begin(attributes.get("r"))
            self._hidden = attributes.get("hidden", "0") in TRUE
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "col" and attributes.get("hidden", "0") in TRUE:
            first, last_row = attributes.get("min", ""), attributes.get("max", "")
            self._hidden_columns.append(range(_parse_int(first), _parse_int(last_row) + 1))
        elif name == "dimension":
            self.last_row = _last_row(attributes.get("ref", ""))

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._in_text = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            if self._cells:
                self.rows.append((self._row, self._cells, self._hidden))
                self._cells = {}
        elif name == "rPh":
            self._phonetic = False

    def text(self, text: str) -> None:
        if self._in_text:
            self._row_length += len(text)
            if self._row_length > LONGEST_ROW:
                raise InputFileError(
                    f"row {self._row}: it holds more than {LONGEST_ROW} characters",
                    row=self._row,
                    reason="too_large",
                )
            self._parts.append(text)

    def is_hidden(self, column: int) -> bool:
        """Tell whether a column, counted from 1, does not show."""
        return any(column in columns for columns in self._hidden_columns)

    def _begin(self, number: str | None) -> None:
        row = self._row + 1 if number is None else _parse_int(number)
        if not self._row < row <= DEEPEST:
            raise damaged_workbook()
        self._row, self._column, self._row_length = row, -1, 0

    def _column_of(self, reference: str | None) -> int:
        if reference is None:
            column = self._column + 1
        else:
            letters = reference.rstrip("0123456789")
            column = self._columns_by_letters.get(letters, -1)
            if column < 0:
                column = self._columns_by_letters[letters] = _column(letters)
        if column >= WIDEST:
            raise damaged_workbook()
        return column

    def _end_cell(self) -> None:
        text = "".join(self._parts)
        self._parts.clear()
        value = self._value(text) if text else ""
        if self._formula:
            value = Cell(value, "formula")
        if value.strip() or self._formula:
            self._cells[self._column] = value

    def _value(self, text: str) -> str:
        kind = self._kind
        if kind == "s":
            if self._shared is None:
                self._shared = SharedStrings(self._archive, self._book.shared_strings)
            return self._shared[_parse_int(text)]
        if kind == "n":
            return (
                _date(text, from_1904=self._book.from_1904)
                if self._style in self._book.date_styles
                else _number(text)
            )
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if kind == "e":
            return Cell(text, "spreadsheet_error")
        return Cell(text, "date") if kind == "d" else unescape(text)


def _number(text: str) -> str:
    """Write a number with all its digits; one whose last digits were dropped is marked, or keeps its exponent."""
    text = text.strip()
    if text.isdigit() and len(text) <= EXACT_DIGITS:
        return Cell(text, "rounded") if is_round(text) else text
    with suppress(ValueError, OverflowError):
        number = float(text)
        if number.is_integer() and abs(number) < 10**EXACT_DIGITS:
            digits = str(int(number))
            spelled = sum(map(str.isdigit, _EXPONENT.sub("", text)))
            return Cell(digits, "rounded") if spelled < len(digits) - 1 else _number(digits)
    return text


def _date(text: str, *, from_1904: bool) -> str:
    with suppress(ValueError, OverflowError):
        moment = (EPOCH_1904 if from_1904 else EPOCH) + timedelta(seconds=round(float(text) * DAY))
        text = (
            moment.date().isoformat() if moment.time() == moment.time().min else moment.isoformat(" ", "seconds")
        )
    return Cell(text, "date")


def _parse_int(text: str) -> int:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < EXACT_DIGITS:
        return int(text)
    raise damaged_workbook()


def _column(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise damaged_workbook()
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column - 1


def _last_row(reference: str) -> int | None:
    digits = reference.rpartition(":")[2].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$")
    return int(digits) if ":" in reference and digits.isascii() and digits.isdigit() and len(digits) < 8 else None
