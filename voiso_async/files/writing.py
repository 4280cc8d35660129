"""Outcomes of a job written to files that spreadsheets open safely, and that are read again exactly."""

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal

from voiso_async.convert import decode, encode
from voiso_async.errors import ConfigurationError, ResponseError
from voiso_async.files.atomic_file import AtomicFile, Target
from voiso_async.files.columns.aliases import RESULT_COLUMNS, normalised
from voiso_async.files.columns.cells import escape_formula
from voiso_async.files.jsonl import JSON_HEADER
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.jobs import JobOutcome

CHUNK_ROWS = 1000
BOM = b"\xef\xbb\xbf"  # without it some spreadsheets take the names for another encoding
RESULT_HEADER = ("row", "campaign", "key", "phone", "outcome", "reason", "field", "detail", "pending")
REJECT_HEADER = ("phone_number", "key")
"""The columns of refused rows that came from no file."""

_RESULT_NAMES = {normalised(name) for name in RESULT_COLUMNS}

Outcomes = AsyncIterable[JobOutcome]
Serializer = Callable[[JobOutcome], bytes]


async def write_results(
    target: Target,
    outcomes: Outcomes,
    *,
    format: Literal["csv", "jsonl"] = "csv",  # noqa: A002 - what open_leads calls it
    overwrite: bool = False,
) -> int:
    """Write what became of each row, as CSV or JSON Lines, to a new file or a descriptor; say how many rows.

    In CSV a phone number is written with ``+``, and every cell that a spreadsheet would run, so that one too, has
    one ``'`` in front, which ``open_leads`` takes off again. A new file is private (mode 0600) and appears whole
    or not at all. ``ConfigurationError`` if there is such a file already, unless ``overwrite``, and if the system
    refuses.
    """
    if format not in {"csv", "jsonl"}:
        raise ConfigurationError(f"results cannot be written as {format!r}: give csv or jsonl")
    if format == "jsonl":
        return await _write(
            target, outcomes, b"", lambda outcome: _json_line(_as_dict(outcome)), overwrite=overwrite
        )
    return await _write(target, outcomes, _csv_line(RESULT_HEADER), _result_line, overwrite=overwrite)


async def write_rejects(
    target: Target, outcomes: Outcomes, header: Sequence[str], *, overwrite: bool = False
) -> int:
    """Write rows as they came, with what became of them, to be mended and pushed again; say how many rows.

    ``header`` is that of their ``JobSource``: rows of a table are written as CSV, guarded as by ``write_results``;
    those of JSON Lines as JSON Lines. The columns ``voiso_outcome``, ``voiso_reason`` and ``voiso_row`` come last;
    ``open_leads`` passes them over. Rows that came from no file are written with their phone number and key.
    SUPPRESSED rows are left out: there is nothing to mend, and nobody may be called because of it.
    """
    outcomes = _without_suppressed(outcomes)
    if tuple(header) == JSON_HEADER:
        return await _write(
            target, outcomes, b"", lambda outcome: _json_line(_rejected_object(outcome)), overwrite=overwrite
        )
    kept = [place for place, name in enumerate(header) if normalised(name) not in _RESULT_NAMES]
    titles = [header[place] for place in kept] if header else REJECT_HEADER

    def row(outcome: JobOutcome) -> bytes:
        cells = outcome.cells or ()
        if header:
            texts = [cells[place] if place < len(cells) else "" for place in kept]
        else:
            texts = [_with_plus(outcome.phone), outcome.key or ""]
        return _csv_line([*texts, *_result_cells(outcome)])

    return await _write(target, outcomes, _csv_line([*titles, *RESULT_COLUMNS]), row, overwrite=overwrite)


async def _without_suppressed(outcomes: Outcomes) -> AsyncIterator[JobOutcome]:
    async for outcome in outcomes:
        if outcome.outcome is not Outcome.SUPPRESSED:
            yield outcome


async def _write(target: Target, outcomes: Outcomes, top: bytes, row: Serializer, *, overwrite: bool) -> int:
    count = 0
    async with AtomicFile(target, overwrite=overwrite) as file:
        block = [BOM if top and file.is_new_file else b"", top]
        async for outcome in outcomes:
            block.append(row(outcome))
            count += 1
            if len(block) >= CHUNK_ROWS:
                await file.write(b"".join(block))
                block.clear()
        await file.write(b"".join(block))
    return count


def _csv_line(cells: Sequence[str]) -> bytes:
    """Write one line of CSV; what no CSV can hold, a NUL or half a character, is shown as a replacement."""
    line = io.StringIO()
    texts = [escape_formula(cell.replace("\0", "\ufffd")) for cell in cells]
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(texts)
    return line.getvalue().encode("utf-8", "replace")


def _json_line(value: Mapping[str, Any]) -> bytes:
    return encode(value) + b"\n"


def _result_line(outcome: JobOutcome) -> bytes:
    result = _as_dict(outcome) | {"phone": _with_plus(outcome.phone), "pending": "yes" if outcome.pending else ""}
    return _csv_line([str(result.get(column, "")) for column in RESULT_HEADER])


def _as_dict(outcome: JobOutcome) -> dict[str, Any]:
    fields = {
        "index": outcome.index,
        "row": outcome.row,
        "campaign": outcome.campaign,
        "key": outcome.key,
        "phone": outcome.phone,
        "outcome": outcome.outcome.value,
        "reason": outcome.reason,
        "field": outcome.field,
        "detail": outcome.detail,
        "first": outcome.first,
        "pending": outcome.pending or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _rejected_object(outcome: JobOutcome) -> dict[str, Any]:
    """Give back the object that a line of JSON held, or one around what was no object."""
    try:
        value = decode((outcome.cells or ("",))[0].encode())
    except (ResponseError, UnicodeEncodeError):
        value = None
    if isinstance(value, bool | list) or value is None:
        value = {"phone_number": outcome.phone, "lead": value}
    elif not isinstance(value, dict):
        value = {"phone_number": value}
    kept = {name: item for name, item in value.items() if normalised(name) not in _RESULT_NAMES}
    return kept | dict(zip(RESULT_COLUMNS, _result_cells(outcome), strict=True))


def _result_cells(outcome: JobOutcome) -> tuple[str, str, str]:
    row = "" if outcome.row is None else str(outcome.row)
    return outcome.outcome.value, outcome.reason or outcome.detail or "", row


def _with_plus(phone: str | None) -> str:
    return f"+{phone}" if phone else ""
