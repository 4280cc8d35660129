"""A file of leads as a source of leads: read in a worker thread, chunk by chunk, never held in memory."""

import codecs
import io
import os
import select
import stat
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from attrs import Factory, evolve, frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.columns.mapping import Layout, Wishes, checked_mapping
from voiso_async.files.columns.phones import PhoneRule, check_region
from voiso_async.files.csv_rows import DEFAULT_ENCODING, CsvRows
from voiso_async.files.disk import (
    Source,
    digest_of,
    in_thread,
    kept_path,
    lines_per_byte,
    name_of,
    opened,
    path_of,
    unreadable,
)
from voiso_async.files.jsonl import Objects
from voiso_async.files.lead_builder import LeadMaker
from voiso_async.files.sniff import FORMATS, FileFormat, found_format
from voiso_async.files.suppression import Suppression
from voiso_async.files.table import Table
from voiso_async.files.table_rows import Shape
from voiso_async.files.xlsx.sheet import HIDDEN_ROWS, HiddenRows, SheetRows
from voiso_async.ingest.prepare import FileRow
from voiso_async.ingest.source import BufferedSource

CHUNK_ROWS = 2000  # two batches: a lane never waits for a thread in the middle of a batch

T = TypeVar("T")


class LeadFile(BufferedSource[FileRow]):
    """The leads of a file, for ``voiso.leads.add`` or an outbox; ``open_leads`` opens one.

    A fault of the file is an ``InputFileError``, raised when its row is reached, or before by ``check``; a row
    whose values cannot be sent keeps its place and becomes INVALID. ``columns`` says what the columns mean,
    ``header`` names the cells of each ``FileRow``, ``format`` is ``csv``, ``jsonl`` or ``xlsx``. ``options`` are
    plain JSON values: ``open_leads(path, **options)`` reads the same again. ``rows`` counts the rows below the
    header once the whole file has been read or checked; until then it is ``None``, and ``estimate`` may know about
    how many. ``notes`` say what was read of the lists of numbers not to call.
    """

    def __init__(
        self,
        stream: io.BufferedReader,
        name: str,
        begin: Callable[[io.BufferedReader], Table | Objects],
        *,
        format: str,  # noqa: A002 - what callers call it
        options: Mapping[str, Any],
    ) -> None:
        self.name: str = name
        self.format: str = format
        self.options: Mapping[str, Any] = options
        self.rows: int | None = None
        self.notes: tuple[str, ...] = ()
        self._checked: Shape | None = None
        self._stream = stream
        self._make = begin
        self._regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
        self._identity = self._look()
        self._table = self._begin()
        self._leads = iter(self._table)
        self.header: tuple[str, ...] = self._table.header
        self.columns: Layout = self._table.layout
        self._ready: Iterator[FileRow] = iter(())
        self._given = 0
        self._fault: InputFileError | None = None
        self._starts, self._offsets = array("q"), array("q")

    async def check(self) -> None:
        """Read a regular file once from end to end, so that a fault is found before anything is sent.

        Afterwards ``rows`` counts its rows. What can be read only once, such as a pipe, is left as it is.
        """
        if not self._regular:
            return
        rows = 0
        while chunk := await in_thread(self._count):
            rows += chunk
        self._checked = self._table.shape
        await in_thread(self._again)
        self.rows = rows

    @property
    def shape(self) -> Shape:
        """What the file has beside its leads; all of it once the file has been read or checked."""
        return self._checked or self._table.shape

    async def estimate(self) -> int | None:
        """Say how many rows there are about, without reading them all; ``None`` for a pipe.

        It judges the whole by the first 256 KiB, or takes a workbook's word, so it may be wrong by a good deal.
        """
        if self.rows is not None or not self._regular:
            return self.rows
        if self._table.total is not None:
            return self._table.total
        size = os.fstat(self._stream.fileno()).st_size
        share = await in_thread(lambda: self._named(lines_per_byte, self._stream.fileno()))
        return max(0, round(size * share) - self._table.titles)

    async def fingerprint(self) -> str | None:
        """Give a digest of the file's bytes and of the options that change what is read; ``None`` for a pipe.

        A list of numbers not to call is no part of it: a newer one may be used to read on.
        """
        if not self._regular:
            return None
        digest = await in_thread(lambda: self._named(digest_of, self._stream.fileno(), self.options))
        self._named(self._unchanged)
        return digest

    def row_of(self, index: int) -> int:
        """Tell which row of the file the lead with this index came from; the header is row 1."""
        return index + self._offsets[bisect_right(self._starts, index) - 1]

    async def aclose(self) -> None:
        """Let the file go; harmless twice."""
        if self._regular:  # a thread may still be waiting for a pipe, and closing would wait for it
            self._stream.close()

    async def __anext__(self) -> FileRow:
        for lead in self._ready:
            return lead
        self._ready = iter(await in_thread(self._chunk))
        for lead in self._ready:
            return lead
        raise StopAsyncIteration

    def get_nowait(self, most: int) -> list[FileRow]:
        """Give leads that can be had without waiting."""
        return list(islice(self._ready, most))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _begin(self) -> Table | Objects:
        return self._named(self._make, self._stream)

    def _again(self) -> None:
        self._table.detach()
        self._stream.seek(0)
        self._table = self._begin()
        self._leads = iter(self._table)

    def _named(self, work: Callable[..., T], *arguments: Any) -> T:
        """Put the file's name before what is wrong with it."""
        try:
            return work(*arguments)
        except InputFileError as fault:
            found = fault
        except OSError as error:
            found = unreadable(error)
        raise InputFileError(
            f"{self.name}: {found.message}", row=found.row, column=found.column, reason=found.reason
        )

    def _look(self) -> tuple[int, int]:
        facts = os.fstat(self._stream.fileno())
        return facts.st_size, facts.st_mtime_ns

    def _count(self) -> int:
        return self._named(self._skipped)

    def _skipped(self) -> int:
        self._unchanged()
        table = self._table
        return sum(1 for _ in islice(iter(table.skip, False), CHUNK_ROWS))

    def _chunk(self) -> list[FileRow]:
        """Read some rows; a fault waits until those before it have been handed out."""
        if self._fault is not None:
            raise self._fault
        leads: list[FileRow] = []
        try:
            self._named(self._read_on, leads)
        except InputFileError as fault:
            self._fault = fault
            if not leads:
                raise
        if not leads:
            self.rows = self._given
        return leads

    def _read_on(self, leads: list[FileRow]) -> None:
        """Read while there is more: the next row of a pipe may be long in coming, and none waits for it."""
        self._unchanged()
        try:
            if self._regular:
                leads.extend(islice(self._leads, CHUNK_ROWS))
            else:
                for lead in islice(self._leads, CHUNK_ROWS):
                    leads.append(lead)
                    if not _has_more(self._stream):
                        break
        finally:
            self._note(leads)

    def _unchanged(self) -> None:
        if not self._regular:
            return
        fault = ""
        if os.fstat(self._stream.fileno()).st_nlink == 0:
            fault = "deleted"
        elif self._look() != self._identity:
            fault = "changed"
        if fault:
            row = self._table.row + 1
            raise InputFileError(f"row {row}: the file was {fault} while it was read", row=row, reason=fault)

    def _note(self, leads: Sequence[FileRow]) -> None:
        """Keep how far the rows' numbers run ahead of the leads' indexes: it seldom changes."""
        ahead = self._offsets[-1] if self._offsets else None
        if leads and leads[-1].row - self._given - len(leads) + 1 == ahead:  # then it has not changed between
            self._given += len(leads)
            return
        for lead in leads:
            offset = lead.row - self._given
            if not self._offsets or self._offsets[-1] != offset:
                self._starts.append(self._given)
                self._offsets.append(offset)
            self._given += 1


def _has_more(stream: io.BufferedReader) -> bool:
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # Windows, or more descriptors than select can take
        return False


@frozen(kw_only=True)
class Reading:
    """The options of ``open_leads`` that can be written down."""

    format: FileFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    hidden_rows: HiddenRows | None = None
    mapping: Mapping[str, str] = Factory(dict)
    key_column: str | None = None
    campaign_column: str | None = None
    region: str | None = None
    international: bool = False

    @classmethod
    def of(cls, *, mapping: Mapping[str, str] | None, **options: Any) -> Self:
        """Check options; ``ConfigurationError`` names the one that cannot be."""
        reading = cls(mapping=checked_mapping(mapping), **options)
        if reading.format not in (None, *FORMATS):
            raise ConfigurationError(f"there is no format {reading.format!r}; there are {', '.join(FORMATS)}")
        if reading.hidden_rows not in (None, *HIDDEN_ROWS):
            raise ConfigurationError("hidden_rows must be send or skip")
        delimiter = reading.delimiter
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0 '):
            raise ConfigurationError("the delimiter must be one character, and no quote, blank or line end")
        if reading.encoding == DEFAULT_ENCODING:
            reading = evolve(reading, encoding=None)
        _check_texts(reading)
        if reading.encoding is not None:
            _check_encoding(reading.encoding)
        check_region(reading.region, international=reading.international)
        return reading

    async def open(self, source: Source, suppressed: Container[int] = frozenset()) -> LeadFile:
        """Open a file and read its header, in a worker thread."""
        return await in_thread(lambda: self._opened(source, suppressed))

    def as_options(self) -> dict[str, Any]:
        """Give the options that differ from the usual as plain JSON values."""
        options = {
            "format": self.format,
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "sheet": self.sheet,
            "hidden_rows": self.hidden_rows,
            "mapping": dict(self.mapping),
            "key_column": self.key_column,
            "campaign_column": self.campaign_column,
            "region": self.region,
            "international": self.international,
        }
        return {name: value for name, value in options.items() if value}

    def _opened(self, source: Source, suppressed: Container[int]) -> LeadFile:
        phones = PhoneRule.of(self.region, international=self.international)
        maker = LeadMaker(phones=phones, suppressed=suppressed)
        name, stream = name_of(source), opened(source)
        try:
            reading = evolve(self, format=found_format(source, name, stream, self.format))
            return LeadFile(
                stream,
                name,
                lambda stream: reading.begin(stream, maker),
                format=str(reading.format),
                options=reading.as_options(),
            )
        except BaseException:
            stream.close()
            raise

    def begin(self, stream: io.BufferedReader, maker: LeadMaker) -> Table | Objects:
        """Begin to read a stream from where it is."""
        wishes = Wishes(mapping=self.mapping, key_column=self.key_column, campaign_column=self.campaign_column)
        if self.format == "jsonl":
            return Objects(stream, wishes, maker)
        if self.format == "xlsx":
            return Table(SheetRows(stream, sheet=self.sheet, hidden_rows=self.hidden_rows), wishes, maker)
        rows = CsvRows(stream, delimiter=self.delimiter, encoding=self.encoding or DEFAULT_ENCODING)
        return Table(rows, wishes, maker)


def _check_texts(reading: Reading) -> None:
    """Refuse what a shell hands over that is no text: no column and no sheet can have such a name."""
    options = reading.as_options()
    texts = {**options.pop("mapping", {}), **options}
    for name, text in texts.items():
        try:
            f"{name}{text}".encode()
        except UnicodeEncodeError:
            fault = "a mapping" if name in reading.mapping else name
        else:
            continue
        raise ConfigurationError(f"{fault} holds bytes that are not UTF-8")


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, TypeError):
        pass
    else:
        return
    raise ConfigurationError(f"there is no text encoding named {name!r}; give one such as utf-8 or cp1252")


Suppressed: TypeAlias = Suppression | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


async def open_leads(
    source: Source,
    *,
    format: FileFormat | None = None,  # noqa: A002 - the word that fits
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    hidden_rows: HiddenRows | None = None,
    mapping: Mapping[str, str] | None = None,
    key_column: str | None = None,
    campaign_column: str | None = None,
    region: str | None = None,
    international: bool = False,
    suppress: Suppressed | None = None,
    suppress_column: str | Sequence[str] | None = None,
    suppress_lenient: bool = False,
) -> LeadFile:
    """Open a file of leads, or a file descriptor such as 0, and read its header.

    ::

        async with await open_leads("leads.xlsx", region="GB") as leads:
            await leads.check()                              # the whole file, before anything is sent
            report = await voiso.leads.add(3, leads)

    CSV, JSON Lines and XLSX are told apart by their first bytes and their names. ``mapping`` says which column is
    which field: ``{"phone_number": "Mobile", "name": "{First} {Last}", "source.url": "https://crm.example/{Id}",
    "context_headers.X-Plan": "Plan"}``; the rest is found by the usual names. ``campaign_column`` holds the id of
    each row's campaign. A phone without ``+`` and of at most 10 digits is INVALID unless ``international``, or
    read by the numbering plan of ``region``: a wrong guess calls a stranger. ``suppress`` are numbers never to be
    sent: a ``Suppression``, or files of them, which must be understood in full unless ``suppress_lenient``;
    ``suppress_column`` names their columns if the usual names are not right. A workbook with rows that a filter
    hides is refused until ``hidden_rows`` says ``send`` or ``skip``. ``ConfigurationError`` for options that
    cannot be, ``InputFileError`` for a file that cannot be read or understood.
    """
    reading = Reading.of(
        format=format,
        delimiter=delimiter,
        encoding=encoding,
        sheet=sheet,
        hidden_rows=hidden_rows,
        mapping=mapping,
        key_column=key_column,
        campaign_column=campaign_column,
        region=region,
        international=international,
    )
    if (suppress_column or suppress_lenient) and (suppress is None or isinstance(suppress, Suppression)):
        raise ConfigurationError(
            "suppress_column and suppress_lenient say how files of suppress are read: name one"
        )
    if suppress is None:
        return await reading.open(source)
    if not isinstance(suppress, Suppression):
        paths = [suppress] if isinstance(suppress, str | os.PathLike) else suppress
        paths = [path_of(path) if isinstance(path, str) else path for path in paths]
        suppress = await Suppression.load(
            *paths,
            column=suppress_column,
            region=region,
            international=international,
            lenient=suppress_lenient,
        )
    leads = await reading.open(source, suppress)
    if suppress.paths:
        columns = [suppress_column] if isinstance(suppress_column, str) else list(suppress_column or ())
        more = {"suppress_column": columns, "suppress_lenient": suppress_lenient}
        chosen = {name: value for name, value in more.items() if value}
        leads.options = {**leads.options, "suppress": [kept_path(path) for path in suppress.paths], **chosen}
    leads.notes = suppress.remarks
    return leads
