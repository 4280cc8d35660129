"""One way to read three kinds of files: rows in, leads out, with what their columns turned out to mean."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any, Protocol

from voiso_async.errors import InputFileError
from voiso_async.files.cells import unguarded
from voiso_async.files.columns import Columns, Layout, Wishes, names_the_phone
from voiso_async.files.jsonlines import JsonRows
from voiso_async.files.layouts import SAMPLE, headerless
from voiso_async.files.leads import SUPPRESSED, LeadMaker, says_suppressed
from voiso_async.files.mapping import columns_named, find_column
from voiso_async.files.phones import holds_phone
from voiso_async.files.shape import Shape
from voiso_async.ingest.intake import FileRow, InvalidLead

__all__ = ["JSON_HEADER", "KeyLayout", "Objects", "Table", "TableRows"]

JSON_HEADER = ("json",)
"""The header of JSON Lines: their only cell is the whole line."""
MOST_SHAPES = 256
MOST_UNUSED = 100


class TableRows(Iterator[tuple[int, Sequence[str]]], Protocol):
    """The rows of a table, below its ``header``; ``row`` is the number of the one read last."""

    row: int
    shape: Shape

    @property
    def header(self) -> Sequence[str]:
        """The first row that is not blank."""
        ...

    @property
    def total(self) -> int | None:
        """How many rows there are about, if the file says so."""
        ...

    def uncut(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the next rows with all their cells, also those to the right of the header."""
        ...

    def fitted(self, cells: Sequence[str]) -> Sequence[str]:
        """Bring the row read last to the header's width, or say why that cannot be."""
        ...

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        ...


_Header = tuple[Columns, tuple[str, ...]]


class Table:
    """The leads of a table: by its header, or by one of Voiso's layouts without a header."""

    def __init__(self, rows: TableRows, wishes: Wishes, maker: LeadMaker) -> None:
        self._rows = rows
        self._maker = maker
        first = _plain(rows.header)
        top = rows.row
        self._wishes = wishes
        self._sample: list[tuple[int, Sequence[str]]] = []
        self.columns: Columns
        self.header: tuple[str, ...]
        self.columns, self.header = self._read_header(top, first)
        self.titles: int = 0 if self._sample else 1
        above = self._sample or self._above_numbers()
        if _filled(first) < len(first):  # it may be a title: then nothing of the file, or of a pipe, is taken
            above = list(above)
        self._lines = chain(above, rows)

    @property
    def row(self) -> int:
        """The number of the row read last."""
        return self._rows.row

    @property
    def shape(self) -> Shape:
        """What the file has beside its leads."""
        return self._rows.shape

    @property
    def total(self) -> int | None:
        """How many rows there are about, if the file says so."""
        return self._rows.total

    @property
    def layout(self) -> Layout:
        """What the columns mean."""
        return self.columns

    def skip(self) -> bool:
        """Read one row and make nothing of it; false at the end."""
        return next(self._lines, None) is not None

    def __iter__(self) -> Iterator[FileRow]:
        for row, cells in self._lines:
            texts = [unguarded(cell) for cell in cells] if "'" in "".join(cells) else cells
            yield self._maker.of_texts(self.columns, row, texts)

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._rows.detach()

    def _read_header(self, top: int, first: Sequence[str]) -> _Header:
        try:
            if self._is_header(first) or not holds_phone(first):
                return self._by_names(first)
            return self._by_layout(top, first)
        except InputFileError as fault:
            found = fault
        raise InputFileError(
            f"{found.message}{self.shape.elsewhere}", row=found.row, column=found.column, reason=found.reason
        )

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Tell whether a row names the column of the phone number, and is no lead whose source is "Phone"."""
        return names_the_phone(cells, self._wishes) and not self._maker.phones.is_certain(cells[0])

    def _by_names(self, first: Sequence[str]) -> _Header:
        """Read a header; where the phone number has no name in it, say so if a later row is the header."""
        try:
            return Columns.of(first, self._wishes), tuple(map(str, first))
        except InputFileError as fault:
            found = fault
        if found.reason in {"no_phone_column", "no_such_column"}:
            for row, cells in self._ahead():
                if self._is_header(cells):
                    raise _header_below(row)
        raise found

    def _by_layout(self, top: int, first: Sequence[str]) -> _Header:
        """Read a list without a header, if every one of its first rows is a lead of such a list."""
        self.shape.named = len(first)
        self._sample = [(top, self._rows.header)]
        rows = [(top, first)]
        for row, cells in islice(self._rows.uncut(), SAMPLE):
            if self._is_header(_plain(cells)):
                raise _header_below(row)
            fitted = self._rows.fitted(cells)
            self._sample.append((row, fitted))
            rows.append((row, _plain(fitted)))
        names = headerless(rows, self._maker.phones.is_certain)
        return Columns.of(names, self._wishes, layout=f"no header: Voiso's {', '.join(names)}"), names

    def _ahead(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Look at the next rows of a file that will not be read, as far as they are sound."""
        with suppress(InputFileError):
            yield from islice(self._rows.uncut(), SAMPLE)

    def _above_numbers(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the rows down to the first number: none may name the columns better than the first row did.

        A title such as "Phone" above the header would have another column dialled.
        """
        named = _filled(self.header)
        for row, cells in islice(self._rows.uncut(), SAMPLE):
            if _filled(cells) > named and self._is_header(_plain(cells)):
                raise _header_below(row)
            fitted = self._rows.fitted(cells)
            yield row, fitted
            if isinstance(self._maker.phones.read(self.columns.phone(_plain(fitted))), str):
                return


def _plain(cells: Sequence[str]) -> list[str]:
    return [unguarded(cell) for cell in cells]


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _header_below(row: int) -> InputFileError:
    return InputFileError(
        f"row {row} looks like the names of the columns: delete the rows above it", row=row, reason="header_below"
    )


class Objects:
    """The leads of JSON Lines: an object a line by its keys, or a bare phone number."""

    header: tuple[str, ...] = JSON_HEADER
    titles: int = 0
    total: int | None = None

    def __init__(self, stream: io.BufferedReader, wishes: Wishes, maker: LeadMaker) -> None:
        self._rows = JsonRows(stream)
        self.shape: Shape = Shape()
        self._wishes = wishes
        self._maker = maker
        self._shapes: dict[tuple[str, ...], Columns] = {}
        self._named = [name for name in (wishes.key_column, wishes.campaign_column) if name is not None]
        self._named += columns_named(wishes.mapping)
        self._bare = _bare(wishes.campaign_column)
        self._absent = dict.fromkeys(range(len(self._named)))  # no key of an object is a number
        self.layout: KeyLayout = KeyLayout()
        first = next(self._rows, None)
        if first is None:
            raise InputFileError("it is empty: there is nothing to send", reason="empty")
        self._look(first[0], first[1], is_first=True)
        self._lines = chain([first], self._rows)

    @property
    def row(self) -> int:
        """The number of the line read last."""
        return self._rows.row

    def skip(self) -> bool:
        """Read one line and make nothing of it; false at the end."""
        for row, value, _ in self._lines:
            self._look(row, value)
            return True
        return False

    def __iter__(self) -> Iterator[FileRow]:
        for row, value, line in self._lines:
            yield self._lead(row, value, line)

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._rows.detach()

    def _lead(self, row: int, value: Any, line: str) -> FileRow:
        columns = self._look(row, value)
        if isinstance(value, dict) and columns is not None:
            return self._maker.of_values(columns, row, value | self._absent, line)
        if isinstance(value, dict) and says_suppressed(value.values()):
            fault = SUPPRESSED
        elif isinstance(value, dict):
            fault = InvalidLead(field="phone_number", reason="empty", detail="there is no phone number")
        elif value is None or isinstance(value, bool | list):
            fault = InvalidLead(field="lead", reason="wrong_type", detail="write an object, or a phone number")
        else:
            return self._maker.of_values(self._bare, row, {"phone_number": value} | self._absent, line)
        return FileRow(lead=fault, row=row, cells=(line,))

    def _look(self, row: int, value: Any, *, is_first: bool = False) -> Columns | None:
        """Find out what the keys of an object mean; later ones may lack the phone number, the first may not."""
        if not isinstance(value, dict):
            return None
        keys = tuple(value)
        if keys in self._shapes:
            return self._shapes[keys]
        missing = [] if is_first else [name for name in self._named if find_column(keys, name) is None]
        try:
            columns = Columns.of((*keys, *dict.fromkeys(missing)), self._wishes)
        except InputFileError as fault:
            found = fault
        else:
            if len(self._shapes) < MOST_SHAPES:
                self._shapes[keys] = columns
            self.layout.learn(columns)
            return columns
        if found.reason == "no_phone_column" and not is_first:
            return None
        raise InputFileError(f"row {row}: {found.message}", row=row, column=found.column, reason=found.reason)


class KeyLayout:
    """What the keys of JSON objects mean, as far as they have been read."""

    def __init__(self) -> None:
        self.recognised: Mapping[str, str] = {}
        self.unused: tuple[str, ...] = ()

    @property
    def layout(self) -> str:
        """How the columns were found."""
        return "by the keys of each JSON object"

    def learn(self, columns: Columns) -> None:
        """Add what another kind of object has."""
        self.recognised = {**columns.recognised, **self.recognised}
        new = [name for name in columns.unused if name not in self.unused and name != "context_headers"]
        self.unused = (*self.unused, *new)[:MOST_UNUSED]


def _bare(campaign_column: str | None) -> Columns:
    """Give the columns of a line that is a phone number, which cannot say its campaign."""
    if campaign_column is None:
        return Columns.of(("phone_number",))
    return Columns.of(("phone_number", campaign_column), Wishes(campaign_column=campaign_column))
