"""The lines of a JSON Lines stream, one by one: strict, bounded, exact about where a fault stands."""

import codecs
import io
from collections.abc import Iterator
from typing import Any

from voiso_async.convert import decode
from voiso_async.errors import InputFileError, ResponseError

__all__ = ["JsonRows"]

LONGEST_LINE = 1024 * 1024
"""Bytes in one line."""
MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class JsonRows(Iterator[tuple[int, Any, str]]):
    """Read a JSON Lines stream: the number of each line, its value and its text; blank lines are passed over.

    Every fault is an ``InputFileError``: a line that is no JSON is a fault of the file, not of a lead.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self.row: int = 0
        self._stream = stream
        start = stream.peek(64)[:64]
        if start.startswith(MARKS):
            raise InputFileError("it is UTF-16 text: JSON Lines are UTF-8", reason="encoding")
        if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
            raise InputFileError(
                "it is one JSON array: write one object a line, without brackets and commas between",
                reason="not_json_lines",
            )

    def __next__(self) -> tuple[int, Any, str]:
        while line := self._stream.readline(LONGEST_LINE + 1):
            self.row += 1
            if len(line) > LONGEST_LINE:
                raise self._fault(f"the line is longer than {LONGEST_LINE} bytes", "too_large")
            line = line.removeprefix(codecs.BOM_UTF8) if self.row == 1 else line
            if line := line.strip():
                return self.row, self._decoded(line), line.decode()
        raise StopIteration

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""

    def _decoded(self, line: bytes) -> Any:
        if b"\0" in line:
            raise self._fault("it holds a NUL byte: the file is damaged, or no text", "nul")
        try:
            return decode(line)
        except ResponseError:
            pass
        try:
            line.decode()
        except UnicodeDecodeError:
            pass
        else:
            raise self._fault("the line is no JSON", "not_json")
        raise self._fault("it holds bytes that are not UTF-8", "encoding")

    def _fault(self, what: str, reason: str) -> InputFileError:
        return InputFileError(f"row {self.row}: {what}", row=self.row, reason=reason)
