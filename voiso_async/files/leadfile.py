"""A file of leads as a source of leads: read in a worker thread, chunk by chunk, never held in memory."""

import codecs
import io
import os
import select
import stat
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from attrs import Factory, evolve, frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.columns.mapping import ColumnOptions, ColumnSummary, check_mapping
from voiso_async.files.columns.phones import PhoneRule, check_region
from voiso_async.files.csv_rows import DEFAULT_ENCODING, CsvRows
from voiso_async.files.disk import (
    Source,
    file_fingerprint,
    lines_per_byte,
    name_of,
    open_binary,
    path_from_text,
    path_to_text,
    read_error,
    run_in_thread,
)
from voiso_async.files.jsonl import JsonLeads
from voiso_async.files.lead_builder import LeadBuilder
from voiso_async.files.sniff import FORMATS, FileFormat, detect_format
from voiso_async.files.suppression import Suppression
from voiso_async.files.table import TableLeads
from voiso_async.files.table_rows import FileShape
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
        begin: Callable[[io.BufferedReader], TableLeads | JsonLeads],
        *,
        format: str,  # noqa: A002 - what callers call it
        options: Mapping[str, Any],
    ) -> None:
        self.name: str = name
        self.format: str = format
        self.options: Mapping[str, Any] = options
        self.rows: int | None = None
        self.notes: tuple[str, ...] = ()
        self._checked: tuple[FileShape, ColumnSummary] | None = None
        self._stream = stream
        self._make = begin
        self._regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
        self._identity = self._stat()
        self._table = self._begin()
        self._leads = iter(self._table)
        self.header: tuple[str, ...] = self._table.header
        self._ready: Iterator[FileRow] = iter(())
        self._delivered = 0
        self._fault: InputFileError | None = None
        self._starts, self._offsets = array("q"), array("q")

    @property
    def columns(self) -> ColumnSummary:
        """What the columns mean, as far as the file has been read."""
        return self._table.summary if self._checked is None else self._checked[1]

    async def check(self) -> None:
        """Read a regular file once from end to end, so that a fault is found before anything is sent.

        Afterwards ``rows`` counts its rows. What can be read only once, such as a pipe, is left as it is.
        """
        if not self._regular:
            return
        rows = 0
        while chunk := await run_in_thread(self._count):
            rows += chunk
        self._checked = (self._table.shape, self._table.summary)
        await run_in_thread(self._restart)
        self.rows = rows

    @property
    def shape(self) -> FileShape:
        """What the file has beside its leads; all of it once the file has been read or checked."""
        return self._table.shape if self._checked is None else self._checked[0]

    async def estimate(self) -> int | None:
        """Say how many rows there are about, without reading them all; ``None`` for a pipe.

        It judges the whole by the first 256 KiB, or takes a workbook's word, so it may be wrong by a good deal.
        """
        if self.rows is not None or not self._regular:
            return self.rows
        if self._table.estimated_rows is not None:
            return self._table.estimated_rows
        size = os.fstat(self._stream.fileno()).st_size
        share = await run_in_thread(lambda: self._with_name(lines_per_byte, self._stream.fileno()))
        return max(0, round(size * share) - self._table.header_rows)

    async def fingerprint(self) -> str | None:
        """Give a digest of the file's bytes and of the options that change what is read; ``None`` for a pipe.

        A list of numbers not to call is no part of it: a newer one may be used to read on.
        """
        if not self._regular:
            return None
        digest = await run_in_thread(
            lambda: self._with_name(file_fingerprint, self._stream.fileno(), self.options)
        )
        self._with_name(self._check_unchanged)
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
        self._ready = iter(await run_in_thread(self._read_chunk))
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

    def _begin(self) -> TableLeads | JsonLeads:
        return self._with_name(self._make, self._stream)

    def _restart(self) -> None:
        self._table.detach()
        self._stream.seek(0)
        self._table = self._begin()
        self._leads = iter(self._table)

    def _with_name(self, work: Callable[..., T], *arguments: Any) -> T:
        """Put the file's name before what is wrong with it."""
        try:
            return work(*arguments)
        except InputFileError as fault:
            found = fault
        except OSError as error:
            found = read_error(error)
        raise InputFileError(
            f"{self.name}: {found.message}", row=found.row, column=found.column, reason=found.reason
        )

    def _stat(self) -> tuple[int, int]:
        facts = os.fstat(self._stream.fileno())
        return facts.st_size, facts.st_mtime_ns

    def _count(self) -> int:
        return self._with_name(self._skip_chunk)

    def _skip_chunk(self) -> int:
        self._check_unchanged()
        table = self._table
        return sum(1 for _ in islice(iter(table.skip, False), CHUNK_ROWS))

    def _read_chunk(self) -> list[FileRow]:
        """Read some rows; a fault waits until those before it have been handed out."""
        if self._fault is not None:
            raise self._fault
        leads: list[FileRow] = []
        try:
            self._with_name(self._read_into, leads)
        except InputFileError as fault:
            self._fault = fault
            if not leads:
                raise
        if not leads:
            self.rows = self._delivered
        return leads

    def _read_into(self, leads: list[FileRow]) -> None:
        """Read while there is more: the next row of a pipe may be long in coming, and none waits for it."""
        self._check_unchanged()
        try:
            if self._regular:
                leads.extend(islice(self._leads, CHUNK_ROWS))
            else:
                for lead in islice(self._leads, CHUNK_ROWS):
                    leads.append(lead)
                    if not _has_more(self._stream):
                        break
        finally:
            self._record_rows(leads)

    def _check_unchanged(self) -> None:
        if not self._regular:
            return
        fault = ""
        if os.fstat(self._stream.fileno()).st_nlink == 0:
            fault = "deleted"
        elif self._stat() != self._identity:
            fault = "changed"
        if fault:
            row = self._table.row + 1
            raise InputFileError(f"row {row}: the file was {fault} while it was read", row=row, reason=fault)

    def _record_rows(self, leads: Sequence[FileRow]) -> None:
        """Keep how far the rows' numbers run ahead of the leads' indexes: it seldom changes."""
        ahead = self._offsets[-1] if self._offsets else None
        if leads and leads[-1].row - self._delivered - len(leads) + 1 == ahead:  # then it has not changed between
            self._delivered += len(leads)
            return
        for lead in leads:
            offset = lead.row - self._delivered
            if not self._offsets or self._offsets[-1] != offset:
                self._starts.append(self._delivered)
                self._offsets.append(offset)
            self._delivered += 1


def _has_more(stream: io.BufferedReader) -> bool:
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # Windows, or more descriptors than select can take
        return False


@frozen(kw_only=True)
class ReadOptions:
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
        reading = cls(mapping=check_mapping(mapping), **options)
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
        return await run_in_thread(lambda: self._opened(source, suppressed))

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
        maker = LeadBuilder(phones=phones, suppressed=suppressed)
        name, stream = name_of(source), open_binary(source)
        try:
            reading = evolve(self, format=detect_format(source, name, stream, self.format))
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

    def begin(self, stream: io.BufferedReader, maker: LeadBuilder) -> TableLeads | JsonLeads:
        """Begin to read a stream from where it is."""
        options = ColumnOptions(
            mapping=self.mapping, key_column=self.key_column, campaign_column=self.campaign_column
        )
        if self.format == "jsonl":
            return JsonLeads(stream, options, maker)
        if self.format == "xlsx":
            return TableLeads(SheetRows(stream, sheet=self.sheet, hidden_rows=self.hidden_rows), options, maker)
        rows = CsvRows(stream, delimiter=self.delimiter, encoding=self.encoding or DEFAULT_ENCODING)
        return TableLeads(rows, options, maker)


def _check_texts(reading: ReadOptions) -> None:
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


class OpenLeads(AbstractAsyncContextManager[LeadFile]):
    """A file of leads that is opened by ``async with``; ``open_leads`` makes it."""

    def __init__(
        self,
        source: Source,
        options: ReadOptions,
        suppress: Suppressed | None,
        suppress_column: str | Sequence[str] | None,
        *,
        lenient: bool,
    ) -> None:
        self._source = source
        self._options = options
        self._suppress = suppress
        self._column = suppress_column
        self._lenient = lenient
        self._file: LeadFile | None = None

    async def __aenter__(self) -> LeadFile:
        self._file = await self.open()
        return self._file

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            await self._file.aclose()

    async def open(self) -> LeadFile:
        """Open it without a block: then close it with ``aclose()``."""
        if self._suppress is None:
            return await self._options.open(self._source)
        suppress = await self._loaded(self._suppress)
        leads = await self._options.open(self._source, suppress)
        if suppress.paths:
            columns = [self._column] if isinstance(self._column, str) else list(self._column or ())
            more = {"suppress_column": columns, "suppress_lenient": self._lenient}
            chosen = {name: value for name, value in more.items() if value}
            leads.options = {
                **leads.options,
                "suppress": [path_to_text(path) for path in suppress.paths],
                **chosen,
            }
        leads.notes = suppress.remarks
        return leads

    async def _loaded(self, suppress: Suppressed) -> Suppression:
        if isinstance(suppress, Suppression):
            return suppress
        paths = [suppress] if isinstance(suppress, str | os.PathLike) else suppress
        return await Suppression.load(
            *[path_from_text(path) if isinstance(path, str) else path for path in paths],
            column=self._column,
            region=self._options.region,
            international=self._options.international,
            lenient=self._lenient,
        )


def open_leads(
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
) -> OpenLeads:
    """Open a file of leads, or a file descriptor such as 0, and read its header.

    ::

        async with open_leads("leads.xlsx", region="GB") as leads:
            await leads.check()                              # the whole file, before anything is sent
            report = await voiso.leads.add(3, leads)

    CSV, JSON Lines and XLSX are told apart by their first bytes and their names. ``mapping`` says which column is
    which field: ``{"phone_number": "Mobile", "name": "{First} {Last}", "source.url": "https://crm.example/{Id}",
    "context_headers.X-Plan": "Plan"}``; the rest is found by their usual names. ``campaign_column`` holds the id
    of each row's campaign. A phone without ``+`` and of at most 10 digits is INVALID unless ``international``, or
    read by the numbering plan of ``region``: a wrong guess calls a stranger. ``suppress`` are numbers never to be
    sent: a ``Suppression``, or files of them, which must be understood in full unless ``suppress_lenient``;
    ``suppress_column`` names their columns if their usual names are not right. A workbook with rows that a filter
    hides is refused until ``hidden_rows`` says ``send`` or ``skip``.

    Raises:
        ConfigurationError: an option cannot work.
        InputFileError: when it is opened: the file cannot be read or understood.
    """
    options = ReadOptions.of(
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
    return OpenLeads(source, options, suppress, suppress_column, lenient=suppress_lenient)
