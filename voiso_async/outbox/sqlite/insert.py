"""Jobs and their rows on the way in."""

import secrets
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import attrs
from attrs import frozen

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.lead_reader import Entry, checksum
from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.dedupe import JobPhoneIndex
from voiso_async.outbox.sqlite.faults import decodes, whole
from voiso_async.outbox.sqlite.schema import (
    FINAL,
    LOADED,
    LOADING,
    OPERATIONS,
    OUTCOMES,
    PURGING,
    ROWS_PER_JOB,
    WAITING,
)

BLOCK = 50
"""Rows of one INSERT: fewer steps of SQLite than rows, and no more values than it handles fast."""
_FRESH = ("id", "campaign", "op", "phone", "key", "body", "crc", "line", "cells", "state")
_ENDED = (*_FRESH, "outcome", "reason", "field", "detail", "first")


@frozen(kw_only=True)
class NewJob:
    """What is known of a job before its leads are read.

    ``expires_in`` counts seconds from now, ``source`` is JSON.
    """

    operation: Operation
    name: str = attrs.field(default="", repr=False)
    expires_in: float | None = None
    fingerprint: str | None = None
    source: str | None = attrs.field(default=None, repr=False)
    idempotent: bool = True


@frozen(kw_only=True)
class Chunk:
    """Entries that are stored together; ``digest`` sums up all of the job's leads so far."""

    entries: list[Entry] = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)
    last: bool

    @property
    def keyed(self) -> bool:
        """Whether leads in it have keys of their own."""
        return any(entry.key is not None for entry in self.entries)


def add_job(db: Database, new: NewJob, *, loader: int | None = None) -> int:
    """Make a job in the transaction that is open; give its number."""
    now = db.wall()
    expires = None if new.expires_in is None else now + new.expires_in
    db.run(
        """INSERT INTO jobs (id, name, op, state, created, expires, ends, loader, fingerprint, source, idempotent)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        _new_id(db),
        new.name,
        OPERATIONS.index(new.operation),
        LOADING,
        now,
        expires,
        expires,
        loader,
        new.fingerprint,
        new.source,
        new.idempotent,
    )
    return int(db.value("SELECT last_insert_rowid()"))


def store_chunk(db: Database, job: int, chunk: Chunk, seen: JobPhoneIndex) -> None:
    """Store what was read of a job, in the transaction that is open."""
    operation, rows, idempotent = map(whole, db.row("SELECT op, rows, idempotent FROM jobs WHERE n = ?", job))
    if chunk.keyed:
        if idempotent:
            _mark_known(db, operation, chunk.entries)
        mark_repeats(OPERATIONS[operation], chunk, seen)
    insert_rows(db, job, operation, chunk.entries)
    db.run("UPDATE jobs SET rows = ?, digest = ? WHERE n = ?", rows + len(chunk.entries), chunk.digest, job)
    if chunk.last:
        finish_loading(db, job)


def mark_repeats(operation: Operation, chunk: Chunk, seen: JobPhoneIndex) -> None:
    """Mark what came before; without keys that needs no transaction, so it is done before."""
    if operation is Operation.ADD:
        seen.mark_repeats([entry for entry in chunk.entries if _claims_its_phone(entry)])


def finish_loading(db: Database, job: int) -> None:
    """Note that every lead is there."""
    db.run("UPDATE jobs SET state = ?, loader = NULL WHERE n = ?", LOADED, job)
    mark_finished(db, [job])


def mark_finished(db: Database, jobs: list[int]) -> None:
    """Note of these jobs whether anything of them waits."""
    db.run(
        """UPDATE jobs SET finished = iif(EXISTS (
            SELECT 1 FROM lines WHERE job = jobs.n AND fresh + old + lent > 0), NULL, coalesce(finished, ?))
        WHERE n IN (SELECT value FROM json_each(?)) AND state = ?""",
        db.wall(),
        as_json(jobs),
        LOADED,
    )


def insert_rows(db: Database, job: int, operation: int, entries: list[Entry]) -> None:
    """Store rows and count them, in the transaction that is open."""
    fresh = (_fresh(job, operation, entry) for entry in entries if entry.outcome is None)
    ended = (
        (*_fresh(job, operation, entry), OUTCOMES.index(entry.outcome), *_explained(entry))
        for entry in entries
        if entry.outcome is not None
    )
    _insert(db, _FRESH, fresh)
    _insert(db, _ENDED, ended)
    _count(db, job, operation, entries)


def copy_rows(db: Database, parent: int, picked: list[int], low: int, high: int) -> list[Entry]:
    """Give the rows of a job from index ``low`` to before ``high`` that ended so and have something to send."""
    base = parent * ROWS_PER_JOB
    found = db.listed(
        """SELECT json_group_array(json_array(campaign, phone, key, body, line, cells)) FROM (
            SELECT * FROM rows WHERE id >= ? AND id < ? AND body IS NOT NULL AND state > 1
            AND outcome IN (SELECT value FROM json_each(?)) ORDER BY id)""",
        base + low,
        base + high,
        as_json(picked),
    )
    return [_entry(row) for row in found]


@decodes
def _entry(row: list[Any]) -> Entry:
    campaign, phone, key, body, line, cells = row
    return Entry(0, campaign, phone, key, body.encode(), line, None if cells is None else cells.encode())


def _claims_its_phone(entry: Entry) -> bool:
    return entry.outcome is None or entry.reason == "known"


@decodes
def _bytes_of(text: Any) -> bytes:
    return bytes(text.encode())


def _mark_known(db: Database, operation: int, entries: list[Entry]) -> None:
    """A key that is here already, of a row that was not taken back, is not stored twice."""
    keyed = [entry for entry in entries if entry.key is not None and entry.body is not None]
    if not keyed:
        return
    bodies: dict[tuple[int | None, str | None], set[bytes]] = {}
    for campaign, key, body in db.listed(
        """SELECT json_group_array(json_array(campaign, rows.key, body)) FROM json_each(?) AS j
        CROSS JOIN rows ON campaign = json_extract(j.value, '$[0]') AND op = ?
        AND rows.key = json_extract(j.value, '$[1]')
        WHERE rows.key IS NOT NULL AND body IS NOT NULL AND coalesce(outcome, -1) <> ?
        AND rows.id >> 32 NOT IN (SELECT n FROM jobs WHERE state = ?)""",
        as_json([[entry.campaign, entry.key] for entry in keyed]),
        operation,
        OUTCOMES.index(Outcome.NOT_SENT),
        PURGING,
    ):
        bodies.setdefault((campaign, key), set()).add(_bytes_of(body))
    for entry in keyed:
        there = bodies.setdefault((entry.campaign, entry.key), set())
        if entry.body in there:
            entry.repeats(reason="known")
        elif there:
            entry.refuse("key", "key_reused", "another lead with this key is in the outbox")
        elif entry.body is not None:
            there.add(entry.body)


def _insert(db: Database, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    marks = f"({', '.join('?' * len(columns))})"
    while block := list(islice(rows, BLOCK)):
        values = ", ".join([marks] * len(block))
        db.run(f"INSERT INTO rows ({', '.join(columns)}) VALUES {values}", *chain.from_iterable(block))  # noqa: S608


def _fresh(job: int, operation: int, entry: Entry) -> tuple[Any, ...]:
    row_id, body, cells = job * ROWS_PER_JOB + entry.index, entry.body, entry.cells
    campaign, phone, crc = entry.campaign, entry.phone, None
    if body is not None and campaign is not None and phone is not None:
        crc = checksum(row_id, campaign, operation, phone, body)
    return (
        row_id,
        campaign,
        operation,
        phone,
        entry.key,
        None if body is None else body.decode(),
        crc,
        entry.row,
        None if cells is None else cells.decode(),
        WAITING if entry.outcome is None else FINAL,
    )


def _explained(entry: Entry) -> tuple[Any, ...]:
    return entry.reason, entry.field, entry.detail, entry.first


def _count(db: Database, job: int, operation: int, entries: list[Entry]) -> None:
    fresh = Counter(entry.campaign for entry in entries if entry.outcome is None)
    for campaign in {entry.campaign for entry in entries} - {None}:
        db.run(
            """INSERT INTO lines (job, campaign, op, fresh) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET fresh = fresh + excluded.fresh""",
            job,
            campaign,
            operation,
            fresh[campaign],
        )
    ended = Counter((entry.outcome, entry.reason or "") for entry in entries if entry.outcome is not None)
    for (outcome, reason), count in ended.items():
        db.run(
            "INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            job,
            OUTCOMES.index(outcome),
            reason,
            count,
        )


def _new_id(db: Database) -> str:
    """A short text; the more jobs there are, the longer."""
    for attempt in range(2, 100):
        new = secrets.token_hex(2 + attempt // 4)
        if db.value("SELECT 1 FROM jobs WHERE id = ?", new) is None:
            return new
    raise OutboxError("no id was free for a new job; try again", reason="io")
