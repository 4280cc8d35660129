"""The lines of a JSON Lines stream, one by one: strict, bounded, exact about where a fault stands."""

import codecs
import io
from collections import deque
from collections.abc import Iterator
from typing import Any

from voiso_async.convert import decode
from voiso_async.errors import InputFileError, ResponseError
from voiso_async.files.beginning import marked_encoding, start_of, text_of

__all__ = ["JsonRows"]

LONGEST_LINE = 1024 * 1024
"""Bytes in one line."""
END_SIGN = b"\x1a"
"""Ctrl-Z, which programs of old write at the end of a file."""


class JsonRows(Iterator[tuple[int, Any, str]]):
    """Read a JSON Lines stream: the number of each line, its value and its text; blank lines are passed over.

    Every fault is an ``InputFileError``: a line that is no JSON is a fault of the file, not of a lead.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self.row: int = 0
        self._stream = stream
        self._ahead: deque[bytes] = deque()
        start = start_of(stream)
        mark = marked_encoding(start)
        if mark is not None and not start.startswith(codecs.BOM_UTF8):
            raise InputFileError(
                f"it is {mark.upper()} text: save it as UTF-8, as JSON Lines are", reason="encoding"
            )
        if text_of(start).lstrip()[:1] == "[":
            raise InputFileError(
                "it is one JSON array: write one object a line, without brackets and commas between",
                reason="not_json_lines",
            )

    def __next__(self) -> tuple[int, Any, str]:
        ahead = self._ahead
        while line := ahead.popleft() if ahead else self._stream.readline(LONGEST_LINE + 1):
            self.row += 1
            if len(line) > LONGEST_LINE:
                raise self._fault(f"the line is longer than {LONGEST_LINE} bytes", "too_large")
            line = line.removeprefix(codecs.BOM_UTF8) if self.row == 1 else line
            line = line.strip()
            if line.endswith(END_SIGN):
                line = self._without_end_sign(line)
            if line:
                return self.row, self._decoded(line), line.decode()
        raise StopIteration

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""

    def _without_end_sign(self, line: bytes) -> bytes:
        """Cut off the sign of the end of a file where the file ends; anywhere else it is a character."""
        if following := self._stream.readline(LONGEST_LINE + 1):
            self._ahead.append(following)
            return line
        return line.rstrip(END_SIGN).rstrip()

    def _decoded(self, line: bytes) -> Any:
        if b"\0" in line:
            raise self._fault("it holds a NUL byte: the file is damaged, no text, or not UTF-8", "nul")
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
        raise self._fault("it holds bytes that are not UTF-8: save it as UTF-8, as JSON Lines are", "encoding")

    def _fault(self, what: str, reason: str) -> InputFileError:
        return InputFileError(f"row {self.row}: {what}", row=self.row, reason=reason)
