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
from voiso_async.files.columns.aliases import NAMES, listed, shown, squeezed
from voiso_async.files.columns.cells import BadCell, Cell, is_error, unguarded
from voiso_async.files.columns.phones import PhoneRule, holds_phone
from voiso_async.files.csv_rows import CsvRows
from voiso_async.files.disk import name_of, opened, unreadable
from voiso_async.files.jsonl import JsonRows
from voiso_async.files.sniff import found_format
from voiso_async.files.table_rows import TableRows
from voiso_async.files.xlsx.archive import Archive
from voiso_async.files.xlsx.sheet import SheetRows
from voiso_async.files.xlsx.workbook import sheets_in
from voiso_async.phone import SHORTEST, canonical

MOST_SHOWN = 5
LENIENT = "--suppress-lenient (lenient in code)"


@define
class ListPart:
    """One list, or one sheet of a workbook, as far as it has been read.

    ``missed`` counts the rows that are not understood, ``first`` says which are the first of them and why.
    """

    name: str
    sheet: str | None = None
    hidden: tuple[str, ...] = ()
    """Sheets of the workbook that do not show and are not read."""
    columns: tuple[str, ...] = ()
    rows: int = 0
    found: int = 0
    missed: int = 0
    first: list[str] = Factory(list)
    at: int | None = None
    advice: str = ""
    fault: str = ""
    """Why a whole sheet is passed over."""

    def miss(self, row: int, why: BadCell) -> None:
        """Note a row that is not understood."""
        self.missed += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append(f"{row} ({why.reason.replace('_', ' ')})")
        if self.at is None:
            self.at, self.advice = row, why.detail

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name if self.sheet is None else f"{self.name}, sheet {shown(self.sheet)!r}"

    @property
    def places(self) -> str:
        """Which rows are not understood."""
        more = ", …" if self.missed > len(self.first) else ""
        return f"{'row' if self.missed == 1 else 'rows'} {', '.join(self.first)}{more}"

    @property
    def remarks(self) -> Iterator[str]:
        """What could surprise: that there is more than one column or sheet, and what was not read."""
        if self.hidden:
            yield f"{self.name}: hidden sheets are not read: {listed(self.hidden)}"
        if self.fault:
            yield f"{self.title}: passed over, and who stands there may be called: {self.fault}"
            return
        if len(self.columns) > 1 or self.sheet is not None:
            columns = f", of {listed(self.columns)}" if self.columns else ""
            yield f"{self.title}: {counted(self.found, 'number')} not to be called{columns}"
        if self.missed:
            yield (
                f"{self.title}: {self._share} passed over as not understood, and who stands there may be called: "
                f"{self.places}"
            )

    @property
    def _share(self) -> str:
        return f"{self.missed} of its {counted(self.rows, 'row')} {'is' if self.missed == 1 else 'are'}"

    def refusal(self) -> InputFileError:
        """Say that it cannot be used, because not all of it is understood."""
        return InputFileError(
            f"{self._share} not understood, so somebody who must not be called would be: {self.places}: "
            f"{self.advice}; correct the list, or pass such rows over by {LENIENT}. Nothing was sent",
            row=self.at,
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
USUAL = frozenset(NAMES["phone_number"])
_LIKELY = re.compile(
    "phone|fone|telef|telem|mobil|movil|celul|handy|rufnum|festnetz|landline|msisdn|whatsapp|gsm|fax"
)
_DIGITS = re.compile("[0-9]")
_EXPONENT = re.compile(r"\s*[+-]?[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+\s*")
_COMPLETE = re.compile(r"[1-9][0-9]{10,14}")
_EMPTY = BadCell("empty", "there is no phone number")
_RIGHT = BadCell("unnamed_cells", "cells stand to the right of the column names: name their columns")
_NO_VALUE = BadCell("wrong_type", "write a phone number, or an object that has one")


@frozen
class _Layout:
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

    def read(self, path: Path, parts: list[ListPart]) -> Iterator[list[int]]:
        """Read a list step by step, each step giving numbers; what it is made of is added to ``parts``."""
        name, start = name_of(path), len(parts)
        with _named(name), opened(path) as stream:
            before = _state(stream)
            form = found_format(path, name, stream, None)
            if form == "xlsx":
                yield from self._sheets(stream, name, parts)
            else:
                parts.append(part := ListPart(name))
                rows = self._objects(stream) if form == "jsonl" else self._csv(stream, part)
                yield from self._steps(rows, part)
            if not stream.closed and _state(stream) != before:
                raise InputFileError("the file was changed while it was read", reason="changed")
            self._judge(parts[start:])

    def _judge(self, parts: Sequence[ListPart]) -> None:
        """Refuse a list without any number: it is empty, torn off, or another file."""
        if any(part.found for part in parts):
            return
        if rows := sum(part.rows for part in parts):
            raise InputFileError(f"none of its {counted(rows, 'row')} holds a phone number", reason="no_numbers")
        if not self.lenient:
            raise InputFileError(
                f"it is empty, and a list must hold a number: leave it out, or allow it by {LENIENT}",
                reason="empty",
            )

    def _sheets(self, stream: io.BufferedReader, name: str, parts: list[ListPart]) -> Iterator[list[int]]:
        """Read every sheet that shows; if none does, all of them."""
        sheets = sheets_in(Archive(stream))
        places = [place for place, sheet in enumerate(sheets) if not sheet.hidden] or range(len(sheets))
        for place in places:
            stream.seek(0)
            part = ListPart(name, sheets[place].name if len(places) > 1 else None)
            with _named(part.title):
                try:
                    rows = SheetRows(stream, sheet=place, hidden_rows="send")
                    part.hidden = () if len(places) == len(sheets) or parts else rows.shape.hidden_sheets
                    parts.append(part)
                    yield from self._steps(self._table(rows, part, is_sheet=True), part)
                except InputFileError as fault:
                    if fault.reason == "empty":
                        continue
                    if not (self.lenient and fault.reason == "no_phone_column" and len(places) > 1):
                        raise
                    part.fault = fault.message

    def _steps(self, rows: Iterator[Row], part: ListPart) -> Iterator[list[int]]:
        found: list[int] = []
        for row, numbers, fault in rows:
            part.rows += 1
            if fault is not None:
                part.miss(row, fault)
            found += numbers
            if part.rows % CHUNK_ROWS == 0:
                part.found += len(found)
                yield found
                found = []
        part.found += len(found)
        yield found
        if part.missed and not self.lenient:
            raise part.refusal()

    def _csv(self, stream: io.BufferedReader, part: ListPart) -> Iterator[Row]:
        try:
            rows = CsvRows(stream, numbers_only=True)
        except InputFileError as fault:
            if fault.reason == "empty":
                return
            raise
        yield from self._table(rows, part)
        rows.detach()

    def _table(self, rows: TableRows, part: ListPart, *, is_sheet: bool = False) -> Iterator[Row]:
        first = [unguarded(cell) for cell in rows.header]
        layout = self._layout(first)
        if not layout.is_data:
            kinds = zip(first, layout.kinds, strict=True)
            part.columns = tuple(str(title) for title, kind in kinds if kind in {PHONE, LIKELY} and title.strip())
        outside = 0
        for row, cells in chain([(rows.row, rows.header)] if layout.is_data else [], rows):
            texts = [unguarded(cell) for cell in cells] if "'" in "".join(cells) else cells
            numbers, fault = self._numbers(zip(layout.kinds, texts, strict=True))
            if is_sheet and rows.shape.unnamed_rows > outside:  # their cells were not read
                outside, fault = rows.shape.unnamed_rows, fault or _RIGHT
            yield row, numbers, fault

    def _layout(self, first: Sequence[str]) -> _Layout:
        """Tell by the first row what each column holds, or that there are no column names."""
        kinds = [self._kind(title) for title in first]
        has_phone = holds_phone(first)
        if PHONE in kinds:
            if has_phone:
                raise InputFileError(
                    "row 1 has names of columns and a phone number: put the names alone into the first row",
                    row=1,
                    reason="no_header",
                )
            return _Layout(kinds)
        if has_phone:
            return _Layout([PHONE if holds_phone([cell]) else LIKELY for cell in first], is_data=True)
        if len(first) == 1:
            return _Layout([PHONE], is_data=not self._is_title(first[0]))
        if self.columns:
            raise InputFileError(
                f"no one column is named {shown(self.columns[0])!r}; there are {listed(first)}",
                row=1,
                column=shown(self.columns[0]),
                reason="no_such_column",
            )
        if any(kind == LIKELY and title.strip() for title, kind in zip(first, kinds, strict=True)):
            return _Layout(kinds)
        raise InputFileError(
            f"no column holds the phone number; there are {listed(first)}: name the column phone_number, or give "
            "its name by --suppress-column (column in code)",
            row=1,
            reason="no_phone_column",
        )

    def _kind(self, title: str) -> int:
        name = squeezed(title)
        if self.columns:
            return PHONE if name and name in map(squeezed, self.columns) else UNREAD
        if name in USUAL or name.rstrip("0123456789") in USUAL:
            return PHONE
        return LIKELY if not name or _LIKELY.search(name) else OTHER

    def _is_title(self, text: str) -> bool:
        """Tell whether the first line of a bare list is words such as "Do not call"."""
        read = self.phones.read(text)
        return isinstance(read, BadCell) and read.reason in {"letters", "too_long"} and not _long(text)

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
            if value is None or kind == UNREAD or not self._counts(kind, value):
                continue
            phone = self.phones.read(value) if kind != OTHER or "+" in str(value) else canonical(value)
            if isinstance(phone, str):
                found.append(int(phone))
            elif isinstance(phone, BadCell):
                fault = fault or phone
        return found, fault or (None if found else _EMPTY)

    def _counts(self, kind: int, value: Any) -> bool:
        """Tell whether a cell must be a number: filled, or with digits enough, or written in full."""
        text = value if isinstance(value, str) else str(value)
        if kind == PHONE:
            return isinstance(value, Cell) or bool(text.strip())
        if kind == LIKELY:
            damaged = is_error(text) or _EXPONENT.fullmatch(text) is not None
            return damaged or (_long(text) and not self._dates(value))
        if text[:1].isdigit():
            return _COMPLETE.fullmatch(text) is not None
        return text.lstrip()[:1] == "+" and _long(text)

    def _dates(self, value: Any) -> bool:
        read = self.phones.read(value)
        return isinstance(read, BadCell) and read.reason == "date"


def _long(text: str) -> bool:
    return len(_DIGITS.findall(text)) >= SHORTEST


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the name of a file, or of a part of it, before what is wrong with it."""
    try:
        yield
    except InputFileError as fault:
        found = fault
    except OSError as error:
        found = unreadable(error)
    else:
        return
    message = found.message if found.message.startswith(name) else f"{name}: {found.message}"
    raise InputFileError(message, row=found.row, column=found.column, reason=found.reason) from None


def _state(stream: io.BufferedReader) -> tuple[int, int]:
    facts = os.fstat(stream.fileno())
    return facts.st_size, facts.st_mtime_ns
