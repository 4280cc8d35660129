"""The lines of a JSON Lines stream, one by one: strict, bounded, exact about where a fault stands."""

import codecs
import io
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

from attrs import evolve

from voiso_async.convert import decode
from voiso_async.errors import InputFileError, ResponseError
from voiso_async.files.columns.mapping import ColumnMap, ColumnOptions, ColumnSummary, columns_named, find_column
from voiso_async.files.lead_builder import SUPPRESSED, LeadBuilder, says_suppressed
from voiso_async.files.sniff import ascii_text, bom_encoding, peek
from voiso_async.files.table_rows import FileShape
from voiso_async.ingest.prepare import FileRow, InvalidLead

MOST_KEY_SETS = 256
MOST_UNUSED = 100

JSON_HEADER = ("json",)
"""The header of JSON Lines: their only cell is the whole line."""
LONGEST_LINE = 1024 * 1024
"""Bytes in one line."""
CTRL_Z = b"\x1a"
"""Ctrl-Z, which programs of old write at the end of a file."""


class JsonRows(Iterator[tuple[int, Any, str]]):
    """Read a JSON Lines stream: the number of each line, its value and its text; blank lines are passed over.

    Every fault is an ``InputFileError``: a line that is no JSON is a fault of the file, not of a lead.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self.row: int = 0
        self._stream = stream
        self._ahead: deque[bytes] = deque()
        start = peek(stream)
        mark = bom_encoding(start)
        if mark is not None and not start.startswith(codecs.BOM_UTF8):
            raise InputFileError(
                f"it is {mark.upper()} text: save it as UTF-8, as JSON Lines are", reason="encoding"
            )
        if ascii_text(start).lstrip()[:1] == "[":
            raise InputFileError(
                "it is one JSON array: write one object a line, without brackets and commas between",
                reason="not_json_lines",
            )

    def __next__(self) -> tuple[int, Any, str]:
        ahead = self._ahead
        while line := ahead.popleft() if ahead else self._stream.readline(LONGEST_LINE + 1):
            self.row += 1
            if len(line) > LONGEST_LINE:
                raise self._error(f"the line is longer than {LONGEST_LINE} bytes", "too_large")
            line = line.removeprefix(codecs.BOM_UTF8) if self.row == 1 else line
            line = line.strip()
            if line.endswith(CTRL_Z):
                line = self._strip_ctrl_z(line)
            if line:
                return self.row, self._decode(line), line.decode()
        raise StopIteration

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""

    def _strip_ctrl_z(self, line: bytes) -> bytes:
        """Cut off the sign of the end of a file where the file ends; anywhere else it is a character."""
        if following := self._stream.readline(LONGEST_LINE + 1):
            self._ahead.append(following)
            return line
        return line.rstrip(CTRL_Z).rstrip()

    def _decode(self, line: bytes) -> Any:
        if b"\0" in line:
            raise self._error("it holds a NUL byte: the file is damaged, no text, or not UTF-8", "nul")
        try:
            return decode(line)
        except ResponseError:
            pass
        try:
            line.decode()
        except UnicodeDecodeError:
            pass
        else:
            raise self._error("the line is no JSON", "not_json")
        raise self._error("it holds bytes that are not UTF-8: save it as UTF-8, as JSON Lines are", "encoding")

    def _error(self, what: str, reason: str) -> InputFileError:
        return InputFileError(f"row {self.row}: {what}", row=self.row, reason=reason)


class JsonLeads:
    """The leads of JSON Lines: an object a line by its keys, or a bare phone number."""

    header: tuple[str, ...] = JSON_HEADER
    header_rows: int = 0
    estimated_rows: int | None = None

    def __init__(self, stream: io.BufferedReader, options: ColumnOptions, maker: LeadBuilder) -> None:
        self._rows = JsonRows(stream)
        self.shape: FileShape = FileShape()
        self._options = options
        self._builder = maker
        self._by_keys: dict[tuple[str, ...], ColumnMap] = {}
        self._needed = [name for name in (options.key_column, options.campaign_column) if name is not None]
        self._needed += columns_named(options.mapping)
        self._bare_number = _bare_number_columns(options.campaign_column)
        self._absent = dict.fromkeys(range(len(self._needed)))  # no key of an object is a number
        self.summary: ColumnSummary = ColumnSummary(layout="by the keys of each JSON object")
        first = next(self._rows, None)
        if first is None:
            raise InputFileError("it is empty: there is nothing to send", reason="empty")
        self._columns_of(first[0], first[1], is_first=True)
        self._lines = chain([first], self._rows)

    @property
    def row(self) -> int:
        """The number of the line read last."""
        return self._rows.row

    def skip(self) -> bool:
        """Read one line and make nothing of it; false at the end."""
        for row, value, _ in self._lines:
            self._columns_of(row, value)
            return True
        return False

    def __iter__(self) -> Iterator[FileRow]:
        for row, value, line in self._lines:
            yield self._lead(row, value, line)

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        self._rows.detach()

    def _lead(self, row: int, value: Any, line: str) -> FileRow:
        columns = self._columns_of(row, value)
        if isinstance(value, dict) and columns is not None:
            return self._builder.from_values(columns, row, value | self._absent, line)
        if isinstance(value, dict) and says_suppressed(value.values()):
            fault = SUPPRESSED
        elif isinstance(value, dict):
            fault = InvalidLead(field="phone_number", reason="empty", detail="there is no phone number")
        elif value is None or isinstance(value, bool | list):
            fault = InvalidLead(field="lead", reason="wrong_type", detail="write an object, or a phone number")
        else:
            return self._builder.from_values(self._bare_number, row, {"phone_number": value} | self._absent, line)
        return FileRow(lead=fault, row=row, cells=(line,))

    def _columns_of(self, row: int, value: Any, *, is_first: bool = False) -> ColumnMap | None:
        """Find out what the keys of an object mean; later ones may lack the phone number, the first may not."""
        if not isinstance(value, dict):
            return None
        keys = tuple(value)
        if keys in self._by_keys:
            return self._by_keys[keys]
        missing = [] if is_first else [name for name in self._needed if find_column(keys, name) is None]
        try:
            columns = ColumnMap.of((*keys, *dict.fromkeys(missing)), self._options)
        except InputFileError as fault:
            found = fault
        else:
            if len(self._by_keys) < MOST_KEY_SETS:
                self._by_keys[keys] = columns
            self.summary = _merged(self.summary, columns)
            return columns
        if found.reason == "no_phone_column" and not is_first:
            return None
        raise InputFileError(f"row {row}: {found.message}", row=row, column=found.column, reason=found.reason)


def _merged(summary: ColumnSummary, columns: ColumnMap) -> ColumnSummary:
    """Add what another kind of object has."""
    other = columns.summary
    new = [name for name in other.unused if name not in summary.unused and name != "context_headers"]
    return evolve(
        summary,
        recognised={**other.recognised, **summary.recognised},
        unused=(*summary.unused, *new)[:MOST_UNUSED],
    )


def _bare_number_columns(campaign_column: str | None) -> ColumnMap:
    """Give the columns of a line that is a phone number, which cannot say its campaign."""
    if campaign_column is None:
        return ColumnMap.of(("phone_number",))
    return ColumnMap.of(("phone_number", campaign_column), ColumnOptions(campaign_column=campaign_column))
