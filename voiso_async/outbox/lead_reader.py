"""Leads on their way into an outbox: prepared, numbered, and summed up so that a resumed job can compare them."""

import asyncio
import zlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from itertools import islice
from typing import Any, ClassVar

import anyio
from anyio.lowlevel import checkpoint

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.convert import encode
from voiso_async.errors import ConfigurationError, SourceError
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.prepare import FileRow, prepare
from voiso_async.ingest.rows import Operation, Row, Submission
from voiso_async.ingest.source import BURST, AnyLeads, open_source, read_chunk, source_error
from voiso_async.wire import positive_id

DIGEST_SIZE = 16
LINGER = 0.25
"""Seconds for which leads that were read wait for more, where they are slow in coming."""


def checksum(row_id: int, campaign: int, operation: int, phone: int, body: bytes) -> int:
    """Sum up what will be sent, where to, and in whose place."""
    return zlib.crc32(b"%d %d %d %d " % (row_id, campaign, operation, phone) + body)


def storable(text: str) -> str:
    """Give a text that can be written as UTF-8: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class Entry(RedactedRepr, Struct, eq=False, gc=False):
    """One lead as it will be stored: with a ``body`` to send, or with the outcome that it has already."""

    index: int
    campaign: int | None = None
    phone: int | None = None
    key: str | None = None
    body: bytes | None = None
    row: int | None = None
    cells: bytes | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    field: str | None = None
    detail: str | None = None
    first: int | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"phone", "key", "body", "cells", "detail"}

    def refuse(self, field: str, reason: str, detail: str, outcome: Outcome = Outcome.INVALID) -> None:
        """Say why it is never sent; who must not be called is SUPPRESSED, whatever else is wrong."""
        if self.outcome is Outcome.SUPPRESSED:
            return
        self.outcome = outcome
        self.field, self.reason, self.detail = storable(field), storable(reason), storable(detail)
        self.body = None

    def repeats(self, first: int | None = None, reason: str | None = None) -> None:
        """Make it REPEATED."""
        self.outcome, self.first, self.reason = Outcome.REPEATED, first, reason
        self.body = None


class _NoSubmission:
    """The owner of rows that are only being prepared."""

    operation = Operation.ADD
    cancelled = False

    def on_attempt(self, attempt: Any) -> None:
        """Nothing is sent here."""

    def resolve(self, results: Any) -> None:
        """Take no result: rows are only stored here."""


_NOBODY: Submission = _NoSubmission()


class LeadReader:
    """Read entries from any iterable or async iterable of leads; ``digest`` sums up all that was read.

    ``campaign`` is where leads go that do not name their own. After ``some`` it reads ahead until ``close``.
    """

    def __init__(self, leads: AnyLeads, operation: Operation, campaign_id: int | str | None) -> None:
        self._campaign = None if campaign_id is None else positive_id(campaign_id)
        self._operation = operation
        self._sync, self._async = open_source(leads, rest="nothing was stored")
        self.read: int = 0
        self.ended: bool = False
        self.digest: bytes = b""
        self._ahead: asyncio.Task[None] | None = None
        self._found: list[Entry] = []
        self._room = 0
        self._asked, self._enough = asyncio.Event(), asyncio.Event()

    async def entries(self, most: int) -> list[Entry]:
        """Read so many leads, or fewer where the source ends; what it raises becomes a ``SourceError``."""
        found: list[Entry] = []
        try:
            while len(found) < most and not self.ended:
                await self._read(found, min(most - len(found), BURST))
                await checkpoint()
        except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
            failure = self._failure(error)
        else:
            return found
        raise failure

    async def next_entries(self, most: int) -> list[Entry]:
        """Read about so many leads, or those that are there where more are slow in coming.

        What the source raises is told once every lead before it has been given.
        """
        if self._async is None:
            return await self.entries(most)
        self._room = most
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._read_ahead())
            self._ahead.add_done_callback(self._ended)
        if len(self._found) < most and not self._ahead.done():
            self._enough.clear()
            self._asked.set()
        while not self._enough.is_set() and len(self._found) < most:
            with anyio.move_on_after(LINGER):
                await self._enough.wait()
            if self._found:
                break
        found = self._found.copy()
        self._found.clear()
        self._asked.set()  # read on while these are being stored
        if not found and self._ahead.done() and (error := self._ahead.exception()) is not None:
            raise self._failure(error)
        return found

    def close(self) -> None:
        """Read no further."""
        if self._ahead is not None:
            self._ahead.cancel()

    async def _read_ahead(self) -> None:
        """Read while what was read is being stored, as far as there is room."""
        while not self.ended:
            if len(self._found) >= self._room:
                self._enough.set()
                self._asked.clear()
                await self._asked.wait()
            await self._read(self._found, min(self._room - len(self._found), BURST))
            await checkpoint()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._enough.set()
        if not task.cancelled():
            task.exception()  # told by the next some(), if there is one

    def _failure(self, error: BaseException) -> SourceError:
        return source_error(error, f"leads read before: {self.read}")

    async def _read(self, found: list[Entry], most: int) -> None:
        """Read so many leads, or fewer where the source ends; whatever cuts it short, what came is found."""

        def give(leads: Sequence[Any]) -> None:
            found.extend(self._entries(leads))

        if self._sync is not None:
            leads = list[Any]()
            try:
                leads.extend(islice(self._sync, most))
            finally:
                give(leads)
            self.ended = len(leads) < most
        elif self._async is not None:
            self.ended = await read_chunk(self._async, most, give)

    def _entries(self, leads: Sequence[Any]) -> list[Entry]:
        rows = prepare(leads, self.read, self._operation, _NOBODY)
        self.read += len(leads)
        entries = [self._entry(row) for row in rows]
        for entry, lead in zip(entries, leads, strict=True):
            if isinstance(lead, FileRow):
                self._place(entry, lead)
            if entry.campaign is None and entry.body is not None:
                entry.refuse("campaign", "no_campaign", "neither the lead nor the call names a campaign")
        self.digest = _summed_up(self.digest, entries)
        return entries

    def _entry(self, row: Row | LeadOutcome) -> Entry:
        key = None if row.key is None else storable(row.key)
        if isinstance(row, Row):
            return Entry(row.index, self._campaign, int(row.phone), key, row.body)
        entry = Entry(row.index, self._campaign, None if row.phone is None else int(row.phone), key)
        entry.refuse(row.field or "lead", row.reason or "invalid", row.detail or "", row.outcome)
        return entry

    def _place(self, entry: Entry, lead: FileRow) -> None:
        entry.row, entry.cells = lead.row, _encoded(lead.cells)
        if lead.campaign is not None:
            self._send_to(entry, lead.campaign)

    @staticmethod
    def _send_to(entry: Entry, campaign: int | str) -> None:
        try:
            entry.campaign = positive_id(campaign)
        except ConfigurationError:
            entry.campaign = None
            entry.refuse("campaign", "bad_campaign", "a campaign id is a positive whole number")


def _summed_up(digest: bytes, entries: Iterable[Entry]) -> bytes:
    """Continue a digest, entry by entry."""
    for entry in entries:
        said = entry.body or f"{entry.field} {entry.reason} {entry.detail}".encode()
        head = f"{entry.campaign} {entry.key!r} ".encode()
        whole = b"\0".join((digest, head, said, entry.cells or b""))
        digest = blake2b(whole, digest_size=DIGEST_SIZE).digest()
    return digest


def _encoded(cells: tuple[str, ...]) -> bytes:
    try:
        return encode(cells)
    except UnicodeEncodeError:
        return encode([storable(cell) for cell in cells])
