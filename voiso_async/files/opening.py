"""The front door: any file of leads, opened by its name or from standard input."""

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from voiso_async.errors import ConfigurationError
from voiso_async.files.beginning import FileFormat
from voiso_async.files.disk import Source, kept_path, path_of
from voiso_async.files.leadfile import LeadFile
from voiso_async.files.reading import Reading
from voiso_async.files.sheet import HiddenRows
from voiso_async.files.suppression import Suppression

__all__ = ["open_leads"]

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
