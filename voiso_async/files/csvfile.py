"""A CSV file as a source of leads: read in a worker thread, chunk by chunk, never held in memory."""

import io
import os
import select
import stat
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.columns import Columns
from voiso_async.files.rows import DEFAULT_ENCODING, CsvRows
from voiso_async.ingest.row import InvalidLead

__all__ = ["CsvLeads"]

CHUNK_ROWS = 2000  # two batches: a lane never waits for a thread in the middle of a batch

Lead = Mapping[str, Any] | InvalidLead
T = TypeVar("T")


class CsvLeads(AsyncIterator[Lead]):
    """The leads of a CSV file, for ``voiso.leads.add``.

    ::

        async with await CsvLeads.open("leads.csv") as leads:
            await leads.check()                              # the whole file, before anything is sent
            report = await voiso.leads.add(3, leads)

    A fault of the file is an ``InputFileError``; a row whose values cannot be sent keeps its place and becomes
    INVALID. A row without a key of its own has the key ``row N``; ``row_of`` tells the row of any outcome. A phone
    without ``+`` and of at most 10 digits is INVALID unless ``international``: a wrong guess calls a stranger.
    """

    def __init__(
        self,
        stream: io.BufferedReader,
        name: str,
        read: Callable[[io.BufferedReader], CsvRows],
        *,
        international: bool,
    ) -> None:
        self.name = name
        self.rows: int | None = None
        self._stream = stream
        self._read = read
        self._international = international
        self._regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
        self._identity = self._look()
        self._rows = self._begin()
        self.columns: Columns = self._named(Columns.of, self._rows.header)
        self._ready: Iterator[Lead] = iter(())
        self._given = 0
        self._fault: InputFileError | None = None
        self._starts, self._offsets = array("q"), array("q")

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str] | int,
        *,
        delimiter: str | None = None,
        encoding: str = DEFAULT_ENCODING,
        international: bool = False,
    ) -> Self:
        """Open a file, or a file descriptor such as 0, and read its header."""
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0 '):
            raise ConfigurationError("the delimiter must be one character, and no quote, blank or line end")
        read = partial(CsvRows, delimiter=delimiter, encoding=encoding)

        name = "standard input" if isinstance(path, int) else _shown(path)
        stream = await _in_thread(partial(_opened, path, name))
        try:
            return await _in_thread(partial(cls, stream, name, read, international=international))
        except Exception:
            stream.close()
            raise

    async def check(self) -> None:
        """Read a regular file once from end to end, so that a fault is found before anything is sent.

        Afterwards ``rows`` counts its rows. What can be read only once, such as a pipe, is left as it is.
        """
        if not self._regular:
            return
        rows = 0
        while chunk := await _in_thread(self._count):
            rows += chunk
        self._rows.detach()
        self._stream.seek(0)
        self._rows = self._begin()
        self.rows = rows

    def row_of(self, index: int) -> int:
        """Tell which row of the file the lead with this index came from; the header is row 1."""
        return index + self._offsets[bisect_right(self._starts, index) - 1]

    async def __anext__(self) -> Lead:
        for lead in self._ready:
            return lead
        self._ready = iter(await _in_thread(self._chunk))
        for lead in self._ready:
            return lead
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._regular:  # a thread may still be waiting for a pipe, and closing would wait for it
            self._stream.close()

    def _begin(self) -> CsvRows:
        return self._named(self._read, self._stream)

    def _named(self, work: Callable[..., T], *arguments: Any) -> T:
        """Put the file's name before what is wrong with it."""
        try:
            return work(*arguments)
        except InputFileError as fault:
            found = fault
        except OSError as error:
            found = _unreadable(error)
        raise InputFileError(
            f"{self.name}: {found.message}", row=found.row, column=found.column, reason=found.reason
        )

    def _look(self) -> tuple[int, int]:
        facts = os.fstat(self._stream.fileno())
        return facts.st_size, facts.st_mtime_ns

    def _count(self) -> int:
        return self._named(lambda: sum(1 for _ in islice(self._rows, CHUNK_ROWS)))

    def _chunk(self) -> list[Lead]:
        """Read some rows; a fault waits until those before it have been handed out."""
        if self._fault is not None:
            raise self._fault
        leads: list[Lead] = []
        try:
            self._named(self._read_on, leads)
        except InputFileError as fault:
            self._fault = fault
            if not leads:
                raise
        return leads

    def _read_on(self, leads: list[Lead]) -> None:
        """Read while there is more: the next row of a pipe may be long in coming, and none waits for it."""
        for row, cells in islice(self._unchanged(), CHUNK_ROWS):
            leads.append(self._lead(row, cells))
            if not (self._regular or _has_more(self._stream)):
                return

    def _unchanged(self) -> CsvRows:
        if self._regular and self._look() != self._identity:
            raise InputFileError(
                f"row {self._rows.row + 1}: the file was changed while it was read",
                row=self._rows.row + 1,
                reason="changed",
            )
        return self._rows

    def _lead(self, row: int, cells: list[str]) -> Lead:
        offset = row - self._given
        if not self._offsets or self._offsets[-1] != offset:
            self._starts.append(self._given)
            self._offsets.append(offset)
        self._given += 1
        return self.columns.lead(cells, row, international=self._international)


def _has_more(stream: io.BufferedReader) -> bool:
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # Windows, or more descriptors than select can take
        return False


def _opened(path: str | os.PathLike[str] | int, name: str) -> io.BufferedReader:
    try:
        return open(path, "rb", closefd=not isinstance(path, int))
    except OSError as error:
        fault = _unreadable(error)
    except ValueError:
        fault = InputFileError("it has no usable name", reason="unreadable")
    raise InputFileError(f"{name}: {fault.message}", reason=fault.reason)


def _unreadable(error: OSError) -> InputFileError:
    return InputFileError(f"it cannot be read: {os.strerror(error.errno or 0).lower()}", reason="unreadable")


def _shown(path: str | os.PathLike[str]) -> str:
    name = Path(path).name or str(path)
    return "".join(char if char.isprintable() else "?" for char in name)


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
