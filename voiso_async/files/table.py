"""One way to read three kinds of files: rows in, leads out, with what their columns turned out to mean."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice

from voiso_async.errors import InputFileError
from voiso_async.files.columns.cells import unguarded
from voiso_async.files.columns.mapping import Columns, Layout, Wishes, names_the_phone
from voiso_async.files.columns.phones import holds_phone, looks_like_phone
from voiso_async.files.lead_builder import LeadMaker
from voiso_async.files.table_rows import Shape, TableRows
from voiso_async.ingest.prepare import FileRow

LAYOUTS: Mapping[int, tuple[str, ...]] = {1: ("Number",), 2: ("Number", "URL"), 3: ("Number", "Name", "Source")}
ADDRESS = ("http://", "https://")
SAMPLE = 200
"""Rows below the first that are looked at before a file counts as one without a header."""

Row = tuple[int, Sequence[str]]
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


def headerless(rows: Sequence[Row], is_phone: Callable[[str], bool]) -> tuple[str, ...]:
    """Name the columns of a file without a header by its first rows.

    ``InputFileError`` if they fit none of Voiso's layouts, or if the first column of one row is no number with its
    country code: a column of dates, amounts or ids would be dialled.
    """
    width = len(rows[0][1])
    if width not in LAYOUTS:
        raise _no_header(
            rows[0][0], f"none of Voiso's layouts has {width} {'column' if width == 1 else 'columns'}"
        )
    for row, cells in rows:
        if not is_phone(cells[0]):
            raise _no_header(row, "its first cell is no phone number with a country code")
        if not _fits(cells):
            raise _no_header(row, "what stands beside the number fits none of Voiso's layouts")
    return LAYOUTS[width]


def _fits(cells: Sequence[str]) -> bool:
    others = cells[1:]
    addresses = [cell.strip().lower().startswith(ADDRESS) for cell in others]
    if len(others) == 1:
        return addresses[0] or not others[0].strip()
    return not any(addresses) and not any(map(looks_like_phone, others))


def _no_header(row: int, why: str) -> InputFileError:
    return InputFileError(
        f"the file begins with a number, but row {row} is none of a list of numbers ({why}): put a row such as "
        "phone_number,name above it, or delete what stands above the names of the columns",
        row=row,
        reason="no_header",
    )
