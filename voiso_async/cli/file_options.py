"""How a file of leads is read: what the person said about its columns, numbers and form."""

import errno
import os
import stat
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from attrs import evolve, frozen
from cyclopts import Parameter, Token

from voiso_async.cli.common import GROUPS, check_all
from voiso_async.cli.render.tables import note
from voiso_async.errors import ConfigurationError, InputFileError, OutboxError
from voiso_async.files import LeadFile, open_leads
from voiso_async.files.disk import name_of, path_from_text, path_to_text, read_error
from voiso_async.ingest.prepare import FileRow, InvalidLead
from voiso_async.outbox.jobs import Job, JobSource

STANDARD_INPUT = "-"

CHECKED_BYTES = 16 * 1024 * 1024
"""A file up to this size is read from end to end before anything is sent: that takes a fraction of a second."""


def _no_option(_: Any, tokens: Sequence[Token]) -> str:
    name = tokens[0].value
    if name.startswith("-") and name != STANDARD_INPUT:
        raise ValueError(f"a file of this name is written ./{name}")
    return name


File = Annotated[str, Parameter(allow_leading_hyphen=True, converter=_no_option, n_tokens=1, accepts_keys=False)]
"""The argument that names a file."""


@Parameter(name="*", group=GROUPS["File"])
@frozen(kw_only=True)
class FileOptions:
    """How a file is read."""

    map: Annotated[tuple[str, ...], Parameter(negative="", show_default=False, n_tokens=1)] = ()
    """FIELD=COLUMN, such as phone_number=Mobile or 'name={First} {Last}'; may be given several times."""
    key_column: str | None = None
    """Column that holds your own id of each lead; a lead whose id was handed over before is not sent again."""
    region: str | None = None
    """Country of the numbers that have no country code, such as GB."""
    international: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Numbers of up to 10 digits have their country code already; else those without a + are refused."""
    format: Literal["csv", "jsonl", "xlsx"] | None = None
    """Form of the file; else its name and its first bytes tell."""
    delimiter: str | None = None
    """What stands between cells of a CSV; else comma, semicolon, tab or bar, whichever the header shows."""
    encoding: str | None = None
    """Encoding of the file, such as cp1252 or utf-16; else UTF-8."""
    sheet: str | None = None
    """Sheet of a workbook; else its first."""
    hidden_rows: Literal["send", "skip"] | None = None
    """Whether rows of a workbook that a filter hides are sent; else a file with such rows is refused."""
    suppress: Annotated[tuple[Path, ...], Parameter(negative="", show_default=False, n_tokens=1)] = ()
    """File of numbers that must not be called: leads with one of them are left out; may be given several times."""
    suppress_column: Annotated[tuple[str, ...], Parameter(negative="", show_default=False, n_tokens=1)] = ()
    """Column of those files that holds numbers, if its name is not a usual one; may be given several times."""
    suppress_lenient: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Pass over rows of those files that are not understood, and say how many; else nothing is sent."""

    def check(self, file: str) -> None:
        """Look at what can be seen without reading the files, and say all that is wrong."""
        paths = [Path(file)] if file != STANDARD_INPUT else []
        check_all(
            *(partial(_check_readable, path) for path in (*paths, *self.suppress)),
            partial(_mapping, self.map),
            self._check_numbers,
            self._check_lists,
        )

    def _check_numbers(self) -> None:
        if self.region is not None and self.international:
            raise ConfigurationError(
                "give --region or --international, not both: numbers without + cannot be national and complete"
            )

    def _check_lists(self) -> None:
        if (self.suppress_column or self.suppress_lenient) and not self.suppress:
            raise ConfigurationError("--suppress-column and --suppress-lenient need --suppress")

    async def open(self, file: str, campaign_column: str | None = None) -> LeadFile:
        """Open the file, or standard input, and read its header; tell what was read of other files."""
        leads = await open_leads(
            0 if file == STANDARD_INPUT else file,
            mapping=_mapping(self.map),
            key_column=self.key_column,
            campaign_column=campaign_column,
            region=self.region,
            international=self.international,
            format=self.format,
            delimiter=self.delimiter,
            encoding=self.encoding,
            sheet=self.sheet,
            hidden_rows=self.hidden_rows,
            suppress=self.suppress or None,
            suppress_column=self.suppress_column or None,
            suppress_lenient=self.suppress_lenient,
        ).open()
        _note_columns(leads)
        return leads


AS_IT_IS = FileOptions()


def _note_columns(leads: LeadFile) -> None:
    for remark in leads.notes:
        note(remark)


def check_target(campaign: int | None, campaign_column: str | None) -> None:
    """Check that it is clear where the leads go."""
    if (campaign is None) == (campaign_column is None):
        raise ConfigurationError("say where the leads go: --campaign 3, or --campaign-column NAME")


async def check_rows(leads: LeadFile, file: str) -> None:
    """Look at all rows before anything is sent, if that takes no time."""
    if file == STANDARD_INPUT:
        return
    if leads.format == "xlsx" or await anyio.to_thread.run_sync(_is_small, file):
        await leads.check()
    if leads.rows == 0:
        raise empty_file(leads.name, leads.shape.unread_sheets)


async def source_of(file: LeadFile, given: str, campaign: int | None, *, keyed: bool) -> JobSource:
    """Say where a job's leads come from: enough to read on after an interruption."""
    return JobSource(
        path=None if given == STANDARD_INPUT else path_to_text(given),
        fingerprint=await file.fingerprint(),
        header=tuple(file.header),
        options={"reading": dict(file.options), "campaign": campaign, "keyed": keyed},
    )


def leads_of(file: LeadFile, *, keyed: bool) -> AsyncIterator[FileRow]:
    """Give a file's leads, unless ``keyed`` without their keys.

    A column called id is usual, and seldom meant to keep a lead that was changed from being handed over again.
    """
    return file if keyed else _without_keys(file)


async def _without_keys(file: LeadFile) -> AsyncIterator[FileRow]:
    async for row in file:
        if isinstance(row.lead, InvalidLead):
            yield FileRow(lead=evolve(row.lead, key=None), row=row.row, cells=row.cells, campaign=row.campaign)
        else:
            row.lead.pop("key", None)  # made for this row alone
            yield row


async def read_again(job: Job) -> LeadFile:
    """Open the file of a job that was not read to its end; ``OutboxError`` if it is not the same any more."""
    source = job.source
    if source is None or source.path is None:
        raise OutboxError(
            "its leads came through a pipe that is gone; --loaded sends what was read", reason="missing"
        )
    try:
        file = await open_leads(path_from_text(source.path), **source.options.get("reading", {})).open()
    except InputFileError as error:
        fault = error.message
    else:
        if await file.fingerprint() == source.fingerprint:
            _note_columns(file)
            return file
        await file.aclose()
        fault = f"{file.name} is not what it was when the job began"
    raise OutboxError(f"{fault}; --loaded sends what was read", reason="input_changed")


def _check_readable(path: Path) -> None:
    """Look whether a file can be read, without opening it: a pipe can be opened once."""
    fault: OSError | None = None
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            fault = OSError(errno.EISDIR, "")
        elif not os.access(path, os.R_OK):
            fault = OSError(errno.EACCES, "")
    except OSError as error:
        fault = error
    except ValueError:
        return  # its name cannot be; opening it says so
    if fault is not None:
        said = read_error(fault)
        raise InputFileError(f"{name_of(path)}: {said.message}", reason=said.reason)


def empty_file(name: str, elsewhere: str = "") -> InputFileError:
    """Say that a file has no leads, and what it has elsewhere."""
    return InputFileError(f"{name}: it has no rows: nothing to send{elsewhere}", reason="empty")


def _is_small(path: str) -> bool:
    return Path(path).stat().st_size <= CHECKED_BYTES


def _mapping(given: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for text in given:
        field, equals, column = text.partition("=")
        if not equals or not field.strip() or not column.strip():
            raise ConfigurationError("--map takes FIELD=COLUMN, such as phone_number=Mobile")
        if field.strip() in mapping:
            raise ConfigurationError(f"--map names {field.strip()} twice")
        mapping[field.strip()] = column.strip()
    return mapping
