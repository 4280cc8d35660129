"""The rows of a CSV stream, one by one and never more: strict, bounded, and exact about where a fault stands."""

import _csv
import codecs
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec, module_from_spec
from typing import Any

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.sniff import bom_encoding, decode_western, guess_encoding, peek, utf16_without_bom
from voiso_async.files.table_rows import FileShape

DEFAULT_ENCODING = "utf-8-sig"
"""UTF-8, or what the mark at the beginning of the file says."""
LONGEST_ROW = 1024 * 1024
"""Characters in one row, the line ends inside its cells included."""
MOST_COLUMNS = 1000
DELIMITERS = (",", ";", "\t", "|")

CTRL_Z = "\x1a"
"""Ctrl-Z, which programs of old write at the end of a file."""

_SEP_LINE = re.compile(r'"?sep=(\\t|[^"\r\n\0 ])?"?\1*[ \t]*', re.IGNORECASE)
_UNDECODED = re.compile("[\udc80-\udcff]")  # what the error handler "surrogateescape" makes of undecodable bytes


def _private_csv_module() -> Any:
    """Load the csv module's core once more, for its limit on cells.

    That limit is one for the whole module: the host program's stays as it is, and ours does not depend on it.
    """
    spec = find_spec("_csv")
    if spec is None or spec.loader is None:
        return _csv
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.field_size_limit(LONGEST_ROW)
    return module


csv: Any = _private_csv_module()


class CsvRows(Iterator[tuple[int, list[str]]]):
    """Read a CSV stream: ``header``, then pairs of the row's number and its cells; blank rows are passed over.

    The header is row 1, and a row counts as one however many lines its cells have, as in a spreadsheet. Without a
    ``delimiter``, Excel's own first line ``sep=;`` names it, or the header tells comma, semicolon, tab and bar
    apart. Cells beyond the names of the header may be left out or empty. Every fault is an ``InputFileError``.
    Where ``numbers_only`` are wanted, a text that is not in the encoding does no harm.
    """

    def __init__(
        self,
        stream: io.BufferedReader,
        *,
        delimiter: str | None = None,
        encoding: str = DEFAULT_ENCODING,
        numbers_only: bool = False,
    ) -> None:
        self.row: int = 0
        self.estimated_rows: int | None = None
        self._row_length = 0
        self._numbers_only = numbers_only
        self._start = peek(stream)
        self._text = _open_text(stream, encoding)
        self._declared_delimiter: str | None = None
        first = self._first_lines()
        self.delimiter: str = delimiter or self._declared_delimiter or _guess_delimiter(first)
        self._rows = self._read(csv.reader(self._lines(first), delimiter=self.delimiter, strict=True))
        self.header: list[str] = next(self._rows, [])
        if not self.header:
            raise _empty()
        if len(self.header) > MOST_COLUMNS:
            raise self._error(f"there are {len(self.header)} columns; at most {MOST_COLUMNS} are read", "too_wide")
        width = len(self.header)
        named = max((place + 1 for place, name in enumerate(self.header) if name.strip()), default=0)
        self.shape: FileShape = FileShape(named_columns=named)
        self._complete_width = width if named == width else -1
        """Cells of a row that need no second look."""

    def __next__(self) -> tuple[int, list[str]]:
        cells = next(self._rows)
        if len(cells) != self._complete_width:
            cells = self.fit(cells)
        return self.row, cells

    def raw_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give the next rows with all their cells, also those to the right of the header."""
        return ((self.row, cells) for cells in self._rows)

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._text.detach()

    def _read(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        while (cells := self._next_cells(reader)) is not None:
            if "".join(cells).strip():
                yield cells

    def _next_cells(self, reader: Iterator[list[str]]) -> list[str] | None:
        self.row += 1
        self._row_length = 0
        try:
            return next(reader, None)
        except csv.Error as error:
            fault = str(error)
        except UnicodeError:
            fault = "encoding"
        raise self._explain(fault)

    def fit(self, cells: Sequence[str]) -> list[str]:
        """Bring the row read last to the header's width where that loses nothing and moves nothing."""
        width = len(self.header)
        if len(cells) >= self.shape.named_columns and not "".join(cells[width:]).strip():
            if "".join(cells[self.shape.named_columns : width]).strip():
                self.shape.note_unnamed(self.row)
            return [*cells[:width], *[""] * (width - len(cells))]
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        raise self._error(
            f"it has {count}, and the header {width}: a cell that holds a "
            f"{_delimiter_name(self.delimiter)} must stand in quotes, and an empty one must not be left out",
            "ragged",
        )

    def _first_lines(self) -> deque[str]:
        """Read the lines of the first row that is not blank, as far as quotes hold them together.

        Spreadsheets do not show the line that names the delimiter, so it is no row.
        """
        lines: deque[str] = deque()
        quotes = 0
        try:
            while line := self._text.readline(LONGEST_ROW + 1):
                if not lines and self.row == 0 and self._is_delimiter_line(line):
                    continue
                if not lines and not line.strip():
                    self.row += 1
                    continue
                lines.append(line)
                quotes += line.count('"')
                if quotes % 2 == 0 or sum(map(len, lines)) > LONGEST_ROW:
                    break
        except UnicodeError:
            self.row += 1
        else:
            if lines:
                return lines
            raise _empty()
        raise self._explain("encoding")

    def _is_delimiter_line(self, line: str) -> bool:
        found = _SEP_LINE.fullmatch(line.rstrip("\r\n"))
        if found is None or self._declared_delimiter is not None:
            return False
        self._declared_delimiter = (found[1] or "").replace("\\t", "\t")
        return True

    def _lines(self, ahead: deque[str]) -> Iterator[str]:
        """Refuse what the csv module would let pass; the row it would belong to is still under way."""
        readline = self._text.readline
        while line := ahead.popleft() if ahead else readline(LONGEST_ROW + 1):
            self._row_length += len(line)
            if self._row_length > LONGEST_ROW:
                raise self._explain("field larger")
            if "\0" in line:
                raise self._explain("NUL")
            if not line.isascii() and _UNDECODED.search(line):
                if not self._numbers_only:
                    raise self._explain("encoding", line)
                line = decode_western(line.encode("utf-8", "surrogateescape"))
            yield self._strip_ctrl_z(line, ahead) if CTRL_Z in line else line

    def _strip_ctrl_z(self, line: str, ahead: deque[str]) -> str:
        """Cut off the sign of the end of a file where the file ends; anywhere else it is a character."""
        text = line.rstrip("\r\n")
        if not text.endswith(CTRL_Z):
            return line
        if not ahead and (following := self._text.readline(LONGEST_ROW + 1)):
            ahead.append(following)
        return line if ahead else text.rstrip(CTRL_Z)

    def _explain(self, fault: str, line: str = "") -> InputFileError:
        """Say in our own words what the csv module or a check has found: the former may quote the file."""
        if fault == "encoding":
            return self._error(_encoding_hint(self._text.encoding, line), "encoding")
        if fault == "NUL":
            found = None if self._numbers_only else utf16_without_bom(self._start)
            what = (
                ", and seems to be UTF-16: read it with encoding='{}'"
                if found
                else ": the file is damaged, or no text"
            )
            return self._error(f"it holds a NUL byte{what.format(found)}", "nul")
        if "field larger" in fault:
            return self._error(
                f"it has more than {LONGEST_ROW} characters: a cell is too long, or a quote is left open",
                "too_large",
            )
        if "unexpected end" in fault:
            return self._error("it begins a quote that is never closed", "open_quote")
        return self._error("a quote stands where none may be: inside a cell, quotes are doubled", "stray_quote")

    def _error(self, what: str, reason: str) -> InputFileError:
        return InputFileError(f"row {self.row}: {what}", row=self.row, reason=reason)


def _empty() -> InputFileError:
    return InputFileError("it is empty: there is nothing to send", reason="empty")


def _open_text(stream: io.BufferedReader, encoding: str) -> io.TextIOWrapper:
    """Read a stream as text; the mark at its beginning knows better which Unicode encoding it has."""
    mark = bom_encoding(peek(stream))
    try:
        is_unicode = codecs.lookup(encoding).name.startswith("utf")
        text = io.TextIOWrapper(stream, encoding=mark or encoding, errors="surrogateescape", newline="")
    except (LookupError, ValueError):
        pass
    else:
        if is_unicode or mark is None:
            return text
        text.detach()
        raise InputFileError(
            f"it begins with the mark of {_encoding_name(mark)}, so it is not {encoding}: name no encoding",
            reason="encoding",
        )
    raise ConfigurationError(f"there is no text encoding named {encoding!r}; give one such as utf-8 or cp1252")


def _encoding_hint(encoding: str, line: str) -> str:
    """Say that a text has another encoding, and which if that can be told."""
    fault = f"it holds bytes that are not {_encoding_name(encoding)}"
    if encoding in {DEFAULT_ENCODING, "utf-8"}:
        found = guess_encoding(line.encode("utf-8", "surrogateescape"))
        if found is not None:
            return f"{fault}, and seem to be {found}: read it with encoding='{found}', or save it as CSV (UTF-8)"
    return f"{fault}: save it as CSV (UTF-8), or name its encoding, such as encoding='cp1252'"


def _guess_delimiter(lines: Iterable[str]) -> str:
    """Take the delimiter that makes the most columns of the header; the comma if it makes no difference."""
    return max(DELIMITERS, key=lambda delimiter: _columns(lines, delimiter))


def _columns(lines: Iterable[str], delimiter: str) -> int:
    """Count the columns that a delimiter makes; none if it stands where the quotes contradict it."""
    try:
        return len(next(csv.reader(lines, delimiter=delimiter, strict=True), ()))
    except csv.Error:
        return 0


def _encoding_name(encoding: str) -> str:
    return "UTF-8" if encoding == DEFAULT_ENCODING else encoding.upper()


def _delimiter_name(delimiter: str) -> str:
    return {"\t": "tab"}.get(delimiter, repr(delimiter))
