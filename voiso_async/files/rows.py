"""The rows of a CSV stream, one by one and never more: strict, bounded, and exact about where a fault stands."""

import codecs
import csv
import io
import re
from collections.abc import Iterator

from voiso_async.errors import ConfigurationError, InputFileError

__all__ = ["DEFAULT_ENCODING", "CsvRows"]

DEFAULT_ENCODING = "utf-8-sig"
"""UTF-8, or UTF-16 if the file begins with the mark of that."""
LONGEST_ROW = 1024 * 1024
"""Characters in one row, the line ends inside its cells included."""
LONGEST_LOOK = 4096
"""Characters of the header that are looked at to find the delimiter."""
MOST_COLUMNS = 1000
DELIMITERS = (",", ";", "\t", "|")

SIGNATURES = {
    b"PK\x03\x04": "it is an Excel workbook or a zip archive: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "it is an old Excel workbook: save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "it is compressed: unpack it first",
    b"%PDF": "it is a PDF: save the table as CSV (UTF-8)",
}
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_UNDECODED = re.compile("[\udc80-\udcff]")  # what the error handler "surrogateescape" makes of undecodable bytes


class CsvRows(Iterator[tuple[int, list[str]]]):
    """Read a CSV stream: ``header``, then pairs of the row's number and its cells; blank rows are passed over.

    The header is row 1, and a row counts as one however many lines its cells have, as in a spreadsheet. Without a
    ``delimiter`` the header tells comma, semicolon, tab and bar apart. Every fault is an ``InputFileError``.
    """

    def __init__(
        self, stream: io.BufferedReader, *, delimiter: str | None = None, encoding: str = DEFAULT_ENCODING
    ) -> None:
        self.row: int = 0
        self.total: int | None = None
        self._taken = 0
        self._text = _text(stream, encoding)
        first = self._first_line()
        self.delimiter: str = delimiter or _likely_delimiter(first)
        self._filled = self._read(csv.reader(self._lines(first), delimiter=self.delimiter, strict=True))
        self.header: list[str] = next(self._filled, [])
        if not self.header:
            raise _empty()
        if len(self.header) > MOST_COLUMNS:
            raise self._fault(f"there are {len(self.header)} columns; at most {MOST_COLUMNS} are read", "too_wide")

    def __next__(self) -> tuple[int, list[str]]:
        cells = next(self._filled)
        if len(cells) != len(self.header):
            raise self._fault(
                f"it has {len(cells)} cells, and the header {len(self.header)}: a cell that holds a "
                f"{_named(self.delimiter)} must stand in quotes, and an empty one must not be left out",
                "ragged",
            )
        return self.row, cells

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._text.detach()

    def _read(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        while (cells := self._next_cells(reader)) is not None:
            if "".join(cells).strip():
                yield cells

    def _next_cells(self, reader: Iterator[list[str]]) -> list[str] | None:
        self.row += 1
        self._taken = 0
        try:
            return next(reader, None)
        except csv.Error as error:
            fault = str(error)
        except UnicodeError:
            fault = "encoding"
        raise self._explained(fault)

    def _first_line(self) -> str:
        try:
            while line := self._text.readline(LONGEST_ROW + 1):
                if line.strip():
                    return line
                self.row += 1
        except UnicodeError:
            self.row += 1
        else:
            raise _empty()
        raise self._explained("encoding")

    def _lines(self, line: str) -> Iterator[str]:
        """Refuse what the csv module would let pass; the row it would belong to is still under way."""
        while line:
            self._taken += len(line)
            if self._taken > LONGEST_ROW:
                raise self._explained("field larger")
            if "\0" in line:
                raise self._explained("NUL")
            if not line.isascii() and _UNDECODED.search(line):
                raise self._explained("encoding")
            yield line
            line = self._text.readline(LONGEST_ROW + 1)

    def _explained(self, fault: str) -> InputFileError:
        """Say in our own words what the csv module or a check has found: the former may quote the file."""
        if fault == "encoding":
            return self._fault(
                f"it holds bytes that are not {_plain_name(self._text.encoding)}: save the file as CSV (UTF-8), "
                "or name its encoding",
                "encoding",
            )
        if fault == "NUL":
            return self._fault("it holds a NUL byte: the file is damaged, or no text", "nul")
        if "field larger" in fault:
            return self._fault("it does not end: a quote is left open, or the file is no CSV", "too_large")
        if "unexpected end" in fault:
            return self._fault("it begins a quote that is never closed", "open_quote")
        return self._fault("a quote stands where none may be: inside a cell, quotes are doubled", "stray_quote")

    def _fault(self, what: str, reason: str) -> InputFileError:
        return InputFileError(f"row {self.row}: {what}", row=self.row, reason=reason)


def _empty() -> InputFileError:
    return InputFileError("it is empty: there is nothing to send", reason="empty")


def _text(stream: io.BufferedReader, encoding: str) -> io.TextIOWrapper:
    start = stream.peek(4)[:4]
    _refuse_strangers(start)
    if encoding == DEFAULT_ENCODING and start.startswith(UTF16_MARKS):
        encoding = "utf-16"
    try:
        return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    except (LookupError, ValueError):
        pass
    raise ConfigurationError(f"there is no text encoding named {encoding!r}; give one such as utf-8 or cp1252")


def _refuse_strangers(start: bytes) -> None:
    for signature, advice in SIGNATURES.items():
        if start.startswith(signature):
            raise InputFileError(f"it is no CSV file; {advice}", reason="not_csv")


def _likely_delimiter(line: str) -> str:
    """Take the delimiter that makes the most columns of the header; the comma if it makes no difference."""
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([line[:LONGEST_LOOK]], delimiter=delimiter))))


def _plain_name(encoding: str) -> str:
    return "UTF-8" if encoding == DEFAULT_ENCODING else encoding


def _named(delimiter: str) -> str:
    return {"\t": "tab"}.get(delimiter, repr(delimiter))
