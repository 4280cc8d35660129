"""One list of numbers that must not be called, as far as it has been read, and what is to be told of it."""

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeAlias

from attrs import Factory, define, frozen

from voiso_async.errors import InputFileError
from voiso_async.files.columns.aliases import ALIASES, join_names, normalised, safe_name
from voiso_async.files.columns.cells import BadCell, Cell, is_error, unescape_formula
from voiso_async.files.columns.phones import PhoneRule, any_phone
from voiso_async.files.csv_rows import CsvRows
from voiso_async.files.disk import name_of, open_binary, read_error
from voiso_async.files.jsonl import JsonRows
from voiso_async.files.sniff import detect_format
from voiso_async.files.table_rows import TableRows
from voiso_async.files.xlsx.archive import Archive
from voiso_async.files.xlsx.sheet import SheetRows
from voiso_async.files.xlsx.workbook import sheets_in
from voiso_async.phone import SHORTEST, canonical

MOST_SHOWN = 5
LENIENT = "suppress_lenient=True"


@define
class ListReport:
    """One list, or one sheet of a workbook, as far as it has been read.

    ``missed`` counts the rows that are not understood, ``first`` says which are the first of them and why.
    """

    name: str
    sheet: str | None = None
    hidden_sheets: tuple[str, ...] = ()
    """Sheets of the workbook that do not show and are not read."""
    columns: tuple[str, ...] = ()
    rows: int = 0
    numbers: int = 0
    unreadable: int = 0
    first_unreadable: list[str] = Factory(list)
    first_row: int | None = None
    advice: str = ""
    fault: str = ""
    """Why a whole sheet is passed over."""

    def add_unreadable(self, row: int, why: BadCell) -> None:
        """Note a row that is not understood."""
        self.unreadable += 1
        if len(self.first_unreadable) < MOST_SHOWN:
            self.first_unreadable.append(f"{row} ({why.reason.replace('_', ' ')})")
        if self.first_row is None:
            self.first_row, self.advice = row, why.detail

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name if self.sheet is None else f"{self.name}, sheet {safe_name(self.sheet)!r}"

    @property
    def _which_rows(self) -> str:
        """Which rows are not understood."""
        more = ", …" if self.unreadable > len(self.first_unreadable) else ""
        return f"{'row' if self.unreadable == 1 else 'rows'} {', '.join(self.first_unreadable)}{more}"

    @property
    def remarks(self) -> Iterator[str]:
        """What could surprise: that there is more than one column or sheet, and what was not read."""
        if self.hidden_sheets:
            yield f"{self.name}: hidden sheets are not read: {join_names(self.hidden_sheets)}"
        if self.fault:
            yield f"{self.title}: passed over, and who stands there may be called: {self.fault}"
            return
        if len(self.columns) > 1 or self.sheet is not None:
            columns = f", of {join_names(self.columns)}" if self.columns else ""
            yield f"{self.title}: {counted(self.numbers, 'number')} not to be called{columns}"
        if self.unreadable:
            yield (
                f"{self.title}: {self._how_many} passed over as not understood, and who stands there may be "
                f"called: {self._which_rows}"
            )

    @property
    def _how_many(self) -> str:
        return f"{self.unreadable} of its {counted(self.rows, 'row')} {'is' if self.unreadable == 1 else 'are'}"

    def refusal(self) -> InputFileError:
        """Say that it cannot be used, because not all of it is understood."""
        return InputFileError(
            f"{self._how_many} not understood, so somebody who must not be called would be: {self._which_rows}: "
            f"{self.advice}; correct the list, or pass such rows over by {LENIENT}. Nothing was sent",
            row=self.first_row,
            reason="list_not_understood",
        )


def counted(count: int, noun: str) -> str:
    """Say how many there are of something."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


Path: TypeAlias = str | os.PathLike[str]
Row: TypeAlias = tuple[int, list[int], BadCell | None]

CHUNK_ROWS = 5000
DEEPEST = 8
"""Objects inside each other in a line of JSON."""

PHONE, LIKELY, OTHER, UNREAD = range(4)
"""What a column holds: numbers alone, perhaps numbers by its name, something else, or nothing that is wanted."""
PHONE_ALIASES = frozenset(ALIASES["phone_number"])
_PHONE_WORD = re.compile(
    "phone|fone|telef|telem|mobil|movil|celul|handy|rufnum|festnetz|landline|msisdn|whatsapp|gsm|fax"
)
_DIGITS = re.compile("[0-9]")
_EXPONENT = re.compile(r"\s*[+-]?[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+\s*")
_COMPLETE = re.compile(r"[1-9][0-9]{10,14}")
_EMPTY = BadCell("empty", "there is no phone number")
_UNNAMED = BadCell("unnamed_cells", "cells stand to the right of the column names: name their columns")
_NO_VALUE = BadCell("wrong_type", "write a phone number, or an object that has one")


@frozen
class _FirstRow:
    kinds: Sequence[int]
    is_data: bool = False
    """Whether the first row is no header."""


@frozen(kw_only=True)
class NumberList:
    """How lists are read: numbers by the rule of the leads, in all columns or in those that are named.

    Every filled cell of a column with the usual name of a phone number must be one; so must a cell of another
    column that begins with + and has digits enough, and one in a column whose name speaks of phones. Other numbers
    count where they have their country code. ``lenient`` passes over what is not understood.
    """

    phones: PhoneRule
    columns: tuple[str, ...] = ()
    lenient: bool = False

    def read(self, path: Path, parts: list[ListReport]) -> Iterator[list[int]]:
        """Read a list step by step, each step giving numbers; what it is made of is added to ``parts``."""
        name, start = name_of(path), len(parts)
        with _errors_named(name), open_binary(path) as stream:
            before = _stat(stream)
            form = detect_format(path, name, stream, None)
            if form == "xlsx":
                yield from self._sheets(stream, name, parts)
            else:
                parts.append(part := ListReport(name))
                rows = self._objects(stream) if form == "jsonl" else self._csv(stream, part)
                yield from self._chunks(rows, part)
            if not stream.closed and _stat(stream) != before:
                raise InputFileError("the file was changed while it was read", reason="changed")
            self._require_numbers(parts[start:])

    def _require_numbers(self, parts: Sequence[ListReport]) -> None:
        """Refuse a list without any number: it is empty, torn off, or another file."""
        if any(part.numbers for part in parts):
            return
        if rows := sum(part.rows for part in parts):
            raise InputFileError(f"none of its {counted(rows, 'row')} holds a phone number", reason="no_numbers")
        if not self.lenient:
            raise InputFileError(
                f"it is empty, and a list must hold a number: leave it out, or allow it by {LENIENT}",
                reason="empty",
            )

    def _sheets(self, stream: io.BufferedReader, name: str, parts: list[ListReport]) -> Iterator[list[int]]:
        """Read every sheet that shows; if none does, all of them."""
        sheets = sheets_in(Archive(stream))
        places = [place for place, sheet in enumerate(sheets) if not sheet.hidden] or range(len(sheets))
        for place in places:
            stream.seek(0)
            part = ListReport(name, sheets[place].name if len(places) > 1 else None)
            with _errors_named(part.title):
                try:
                    rows = SheetRows(stream, sheet=place, hidden_rows="send")
                    part.hidden_sheets = () if len(places) == len(sheets) or parts else rows.shape.hidden_sheets
                    parts.append(part)
                    yield from self._chunks(self._table(rows, part, is_sheet=True), part)
                except InputFileError as fault:
                    if fault.reason == "empty":
                        continue
                    if not (self.lenient and fault.reason == "no_phone_column" and len(places) > 1):
                        raise
                    part.fault = fault.message

    def _chunks(self, rows: Iterator[Row], part: ListReport) -> Iterator[list[int]]:
        found: list[int] = []
        for row, numbers, fault in rows:
            part.rows += 1
            if fault is not None:
                part.add_unreadable(row, fault)
            found += numbers
            if part.rows % CHUNK_ROWS == 0:
                part.numbers += len(found)
                yield found
                found = []
        part.numbers += len(found)
        yield found
        if part.unreadable and not self.lenient:
            raise part.refusal()

    def _csv(self, stream: io.BufferedReader, part: ListReport) -> Iterator[Row]:
        try:
            rows = CsvRows(stream, numbers_only=True)
        except InputFileError as fault:
            if fault.reason == "empty":
                return
            raise
        yield from self._table(rows, part)
        rows.detach()

    def _table(self, rows: TableRows, part: ListReport, *, is_sheet: bool = False) -> Iterator[Row]:
        first = [unescape_formula(cell) for cell in rows.header]
        layout = self._read_first_row(first)
        if not layout.is_data:
            kinds = zip(first, layout.kinds, strict=True)
            part.columns = tuple(str(title) for title, kind in kinds if kind in {PHONE, LIKELY} and title.strip())
        outside = 0
        for row, cells in chain([(rows.row, rows.header)] if layout.is_data else [], rows):
            texts = [unescape_formula(cell) for cell in cells] if "'" in "".join(cells) else cells
            numbers, fault = self._numbers(zip(layout.kinds, texts, strict=True))
            if is_sheet and rows.shape.unnamed_rows > outside:  # their cells were not read
                outside, fault = rows.shape.unnamed_rows, fault or _UNNAMED
            yield row, numbers, fault

    def _read_first_row(self, first: Sequence[str]) -> _FirstRow:
        """Tell by the first row what each column holds, or that there are no column names."""
        kinds = [self._kind(title) for title in first]
        has_phone = any_phone(first)
        if PHONE in kinds:
            if has_phone:
                raise InputFileError(
                    "row 1 has names of columns and a phone number: put the names alone into the first row",
                    row=1,
                    reason="no_header",
                )
            return _FirstRow(kinds)
        if has_phone:
            return _FirstRow([PHONE if any_phone([cell]) else LIKELY for cell in first], is_data=True)
        if len(first) == 1:
            return _FirstRow([PHONE], is_data=not self._is_title(first[0]))
        if self.columns:
            raise InputFileError(
                f"no one column is named {safe_name(self.columns[0])!r}; there are {join_names(first)}",
                row=1,
                column=safe_name(self.columns[0]),
                reason="no_such_column",
            )
        if any(kind == LIKELY and title.strip() for title, kind in zip(first, kinds, strict=True)):
            return _FirstRow(kinds)
        raise InputFileError(
            f"no column holds the phone number; there are {join_names(first)}: name the column phone_number, or "
            "give its name by suppress_column=",
            row=1,
            reason="no_phone_column",
        )

    def _kind(self, title: str) -> int:
        name = normalised(title)
        if self.columns:
            return PHONE if name and name in map(normalised, self.columns) else UNREAD
        if name in PHONE_ALIASES or name.rstrip("0123456789") in PHONE_ALIASES:
            return PHONE
        return LIKELY if not name or _PHONE_WORD.search(name) else OTHER

    def _is_title(self, text: str) -> bool:
        """Tell whether the first line of a bare list is words such as "Do not call"."""
        read = self.phones.read(text)
        return (
            isinstance(read, BadCell) and read.reason in {"letters", "too_long"} and not _has_enough_digits(text)
        )

    def _objects(self, stream: io.BufferedReader) -> Iterator[Row]:
        for row, value, _ in JsonRows(stream):
            if isinstance(value, Mapping):
                numbers, fault = self._numbers(self._values(value, UNREAD))
            elif value is None or isinstance(value, bool | list):
                numbers, fault = [], _NO_VALUE
            else:
                numbers, fault = self._numbers([(PHONE, value)])
            yield row, numbers, fault

    def _values(self, value: Any, kind: int, depth: int = 0) -> Iterator[tuple[int, Any]]:
        """Give the plain values of a JSON value, with what their keys say of them."""
        if depth > DEEPEST:
            yield PHONE, False  # not understood
        elif isinstance(value, Mapping):
            around = max(kind, LIKELY)  # beside a number may stand its type
            for key, inner in value.items():
                yield from self._values(inner, min(around, self._kind(key)), depth + 1)
        elif isinstance(value, list):
            for inner in value:
                yield from self._values(inner, kind, depth + 1)
        else:
            yield kind, value

    def _numbers(self, cells: Iterable[tuple[int, Any]]) -> tuple[list[int], BadCell | None]:
        """Give the numbers of a row, and why it is not understood, if it is not."""
        found: list[int] = []
        fault = None
        for kind, value in cells:
            if value is None or kind == UNREAD or not self._must_be_number(kind, value):
                continue
            phone = self.phones.read(value) if kind != OTHER or "+" in str(value) else canonical(value)
            if isinstance(phone, str):
                found.append(int(phone))
            elif isinstance(phone, BadCell):
                fault = fault or phone
        return found, fault or (None if found else _EMPTY)

    def _must_be_number(self, kind: int, value: Any) -> bool:
        """Tell whether a cell must be a number: filled, or with digits enough, or written in full."""
        text = value if isinstance(value, str) else str(value)
        if kind == PHONE:
            return isinstance(value, Cell) or bool(text.strip())
        if kind == LIKELY:
            damaged = is_error(text) or _EXPONENT.fullmatch(text) is not None
            return damaged or (_has_enough_digits(text) and not self._is_date(value))
        if text[:1].isdigit():
            return _COMPLETE.fullmatch(text) is not None
        return text.lstrip()[:1] == "+" and _has_enough_digits(text)

    def _is_date(self, value: Any) -> bool:
        read = self.phones.read(value)
        return isinstance(read, BadCell) and read.reason == "date"


def _has_enough_digits(text: str) -> bool:
    return len(_DIGITS.findall(text)) >= SHORTEST


@contextmanager
def _errors_named(name: str) -> Iterator[None]:
    """Put the name of a file, or of a part of it, before what is wrong with it."""
    try:
        yield
    except InputFileError as fault:
        found = fault
    except OSError as error:
        found = read_error(error)
    else:
        return
    message = found.message if found.message.startswith(name) else f"{name}: {found.message}"
    raise InputFileError(message, row=found.row, column=found.column, reason=found.reason) from None


def _stat(stream: io.BufferedReader) -> tuple[int, int]:
    facts = os.fstat(stream.fileno())
    return facts.st_size, facts.st_mtime_ns
