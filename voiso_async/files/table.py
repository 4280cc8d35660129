"""One way to read three kinds of files: rows in, leads out, with what their columns turned out to mean."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice

from voiso_async.errors import InputFileError
from voiso_async.files.columns.cells import unescape_formula
from voiso_async.files.columns.mapping import ColumnMap, ColumnOptions, ColumnSummary, has_phone_column
from voiso_async.files.columns.phones import any_phone, looks_like_phone
from voiso_async.files.lead_builder import LeadBuilder
from voiso_async.files.table_rows import FileShape, TableRows
from voiso_async.ingest.prepare import FileRow

HEADERLESS: Mapping[int, tuple[str, ...]] = {1: ("Number",), 2: ("Number", "URL"), 3: ("Number", "Name", "Source")}
URL_PREFIXES = ("http://", "https://")
SAMPLE_ROWS = 200
"""Rows below the first that are looked at before a file counts as one without a header."""

Row = tuple[int, Sequence[str]]
_Header = tuple[ColumnMap, tuple[str, ...]]


class TableLeads:
    """The leads of a table: by its header, or by one of Voiso's layouts without a header."""

    def __init__(self, rows: TableRows, options: ColumnOptions, maker: LeadBuilder) -> None:
        self._rows = rows
        self._builder = maker
        first = _unescape_all(rows.header)
        top = rows.row
        self._options = options
        self._sample: list[tuple[int, Sequence[str]]] = []
        self.columns: ColumnMap
        self.header: tuple[str, ...]
        self.columns, self.header = self._read_header(top, first)
        self.header_rows: int = 0 if self._sample else 1
        above = self._sample or self._rows_above_number()
        if _count_filled(first) < len(
            first
        ):  # it may be a title: then nothing of the file, or of a pipe, is taken
            above = list(above)
        self._lines = chain(above, rows)

    @property
    def row(self) -> int:
        """The number of the row read last."""
        return self._rows.row

    @property
    def shape(self) -> FileShape:
        """What the file has beside its leads."""
        return self._rows.shape

    @property
    def estimated_rows(self) -> int | None:
        """How many rows there are about, if the file says so."""
        return self._rows.estimated_rows

    @property
    def summary(self) -> ColumnSummary:
        """What the columns mean."""
        return self.columns.summary

    def skip(self) -> bool:
        """Read one row and make nothing of it; false at the end."""
        return next(self._lines, None) is not None

    def __iter__(self) -> Iterator[FileRow]:
        for row, cells in self._lines:
            texts = [unescape_formula(cell) for cell in cells] if "'" in "".join(cells) else cells
            yield self._builder.from_texts(self.columns, row, texts)

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._rows.detach()

    def _read_header(self, top: int, first: Sequence[str]) -> _Header:
        try:
            if self._is_header(first) or not any_phone(first):
                return self._by_names(first)
            return self._without_header(top, first)
        except InputFileError as fault:
            found = fault
        raise InputFileError(
            f"{found.message}{self.shape.unread_sheets}", row=found.row, column=found.column, reason=found.reason
        )

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Tell whether a row names the column of the phone number, and is no lead whose source is "Phone"."""
        return has_phone_column(cells, self._options) and not self._builder.phones.is_complete(cells[0])

    def _by_names(self, first: Sequence[str]) -> _Header:
        """Read a header; where the phone number has no name in it, say so if a later row is the header."""
        try:
            return ColumnMap.of(first, self._options), tuple(map(str, first))
        except InputFileError as fault:
            found = fault
        if found.reason in {"no_phone_column", "no_such_column"}:
            for row, cells in self._ahead():
                if self._is_header(cells):
                    raise _header_below(row)
        raise found

    def _without_header(self, top: int, first: Sequence[str]) -> _Header:
        """Read a list without a header, if every one of its first rows is a lead of such a list."""
        self.shape.named_columns = len(first)
        self._sample = [(top, self._rows.header)]
        rows = [(top, first)]
        for row, cells in islice(self._rows.raw_rows(), SAMPLE_ROWS):
            if self._is_header(_unescape_all(cells)):
                raise _header_below(row)
            fitted = self._rows.fit(cells)
            self._sample.append((row, fitted))
            rows.append((row, _unescape_all(fitted)))
        names = headerless_columns(rows, self._builder.phones.is_complete)
        return ColumnMap.of(names, self._options, layout=f"no header: Voiso's {', '.join(names)}"), names

    def _ahead(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Look at the next rows of a file that will not be read, as far as they are sound."""
        with suppress(InputFileError):
            yield from islice(self._rows.raw_rows(), SAMPLE_ROWS)

    def _rows_above_number(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the rows down to the first number: none may name the columns better than the first row did.

        A title such as "Phone" above the header would have another column dialled.
        """
        named = _count_filled(self.header)
        for row, cells in islice(self._rows.raw_rows(), SAMPLE_ROWS):
            if _count_filled(cells) > named and self._is_header(_unescape_all(cells)):
                raise _header_below(row)
            fitted = self._rows.fit(cells)
            yield row, fitted
            if isinstance(self._builder.phones.read(self.columns.phone(_unescape_all(fitted))), str):
                return


def _unescape_all(cells: Sequence[str]) -> list[str]:
    return [unescape_formula(cell) for cell in cells]


def _count_filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _header_below(row: int) -> InputFileError:
    return InputFileError(
        f"row {row} looks like the names of the columns: delete the rows above it", row=row, reason="header_below"
    )


def headerless_columns(rows: Sequence[Row], is_phone: Callable[[str], bool]) -> tuple[str, ...]:
    """Name the columns of a file without a header by its first rows.

    ``InputFileError`` if they fit none of Voiso's layouts, or if the first column of one row is no number with its
    country code: a column of dates, amounts or ids would be dialled.
    """
    width = len(rows[0][1])
    if width not in HEADERLESS:
        raise _no_header(
            rows[0][0], f"none of Voiso's layouts has {width} {'column' if width == 1 else 'columns'}"
        )
    for row, cells in rows:
        if not is_phone(cells[0]):
            raise _no_header(row, "its first cell is no phone number with a country code")
        if not _fits(cells):
            raise _no_header(row, "what stands beside the number fits none of Voiso's layouts")
    return HEADERLESS[width]


def _fits(cells: Sequence[str]) -> bool:
    others = cells[1:]
    addresses = [cell.strip().lower().startswith(URL_PREFIXES) for cell in others]
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
