"""The tables of an outbox, and the steps from one version of them to the next.

A row's id is its job's number and its index, so that rows of a job stand together and in order. Triggers keep the
books: ``lines`` counts what waits, by job and campaign, ``tallies`` how rows ended.
"""

import sqlite3
from collections.abc import Callable, Sequence

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation

APPLICATION_ID = 0x564F4958
WAITING, CLAIMED, PARKED, FINAL = range(4)
LOADING, LOADED, PURGING = range(3)
OPERATIONS = (Operation.ADD, Operation.UPDATE)
OUTCOMES = (
    Outcome.CREATED,
    Outcome.DUPLICATE,
    Outcome.CONFIRMED,
    Outcome.UPDATED,
    Outcome.REPEATED,
    Outcome.REJECTED,
    Outcome.INVALID,
    Outcome.UNREPORTED,
    Outcome.UNKNOWN,
    Outcome.NOT_SENT,
    Outcome.SUPPRESSED,
)
"""A number in the file is a place in these: new ones stand at the end."""
ROWS_PER_JOB = 1 << 32
ASKED = 1 << 40
"""Old batches that somebody asked to send again have their number less this: the others are younger than they."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE owners (n INTEGER PRIMARY KEY, seen REAL NOT NULL);
CREATE TABLE jobs (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, op INTEGER NOT NULL,
    state INTEGER NOT NULL, created REAL NOT NULL, expires REAL, ends REAL, withdrawn INTEGER NOT NULL DEFAULT 0,
    finished REAL, rows INTEGER NOT NULL DEFAULT 0, digest BLOB NOT NULL DEFAULT x'', loader INTEGER,
    fingerprint TEXT, source TEXT, parent INTEGER, picked TEXT, reached INTEGER,
    batches INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, busy INTEGER NOT NULL DEFAULT 0,
    doubted INTEGER NOT NULL DEFAULT 0, anomalies INTEGER NOT NULL DEFAULT 0, began REAL, ended REAL
);
CREATE INDEX jobs_by_name ON jobs (name) WHERE name <> '';
CREATE INDEX jobs_by_fingerprint ON jobs (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished) WHERE finished IS NOT NULL;
CREATE INDEX jobs_ending ON jobs (ends) WHERE ends IS NOT NULL AND finished IS NULL;
CREATE INDEX jobs_purging ON jobs (n) WHERE state = 2;
CREATE TABLE gates (
    campaign INTEGER PRIMARY KEY, fence INTEGER NOT NULL DEFAULT 0, owner INTEGER, asked REAL, lease REAL,
    caution REAL NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, hold REAL NOT NULL DEFAULT 0, suspended TEXT
);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, campaign INTEGER, op INTEGER NOT NULL, phone INTEGER, key TEXT, body TEXT, crc INTEGER,
    line INTEGER, cells TEXT, state INTEGER NOT NULL, outcome INTEGER, reason TEXT, field TEXT, detail TEXT,
    first INTEGER, doubts INTEGER NOT NULL DEFAULT 0, left_out INTEGER NOT NULL DEFAULT 0, batch INTEGER,
    doubted_at REAL, owner INTEGER, fence INTEGER
);
CREATE INDEX rows_fresh ON rows (campaign, op) WHERE state = 0 AND batch IS NULL;
CREATE INDEX rows_old ON rows (campaign, op, batch) WHERE state = 0 AND batch IS NOT NULL;
CREATE INDEX rows_lent ON rows (owner, campaign) WHERE state = 1;
CREATE INDEX rows_parked ON rows (campaign) WHERE state = 2;
CREATE INDEX rows_doubted ON rows (campaign, phone) WHERE doubts > 0;
CREATE INDEX rows_updates ON rows (campaign, phone) WHERE op = 1 AND state < 2;
CREATE INDEX rows_keys ON rows (campaign, op, key) WHERE key IS NOT NULL AND body IS NOT NULL;
CREATE TABLE lines (
    job INTEGER NOT NULL, campaign INTEGER NOT NULL, op INTEGER NOT NULL, fresh INTEGER NOT NULL DEFAULT 0,
    old INTEGER NOT NULL DEFAULT 0, lent INTEGER NOT NULL DEFAULT 0, parked INTEGER NOT NULL DEFAULT 0,
    doubted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (job, campaign)
) WITHOUT ROWID;
CREATE INDEX lines_open ON lines (campaign, op, job) WHERE fresh + old + lent + parked > 0;
CREATE TABLE tallies (
    job INTEGER NOT NULL, outcome INTEGER NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (job, outcome, reason)
) WITHOUT ROWID;
"""
_TRIGGERS = (
    """
CREATE TRIGGER count_lines AFTER UPDATE OF state, batch, doubts ON rows
WHEN NEW.state <> OLD.state OR NEW.batch IS NOT OLD.batch OR (NEW.doubts > 0) <> (OLD.doubts > 0)
BEGIN
    UPDATE lines SET
        fresh = fresh + (NEW.state = 0 AND NEW.batch IS NULL) - (OLD.state = 0 AND OLD.batch IS NULL),
        old = old + (NEW.state = 0 AND NEW.batch IS NOT NULL) - (OLD.state = 0 AND OLD.batch IS NOT NULL),
        lent = lent + (NEW.state = 1) - (OLD.state = 1),
        parked = parked + (NEW.state = 2) - (OLD.state = 2),
        doubted = doubted + (NEW.state < 2 AND NEW.doubts > 0) - (OLD.state < 2 AND OLD.doubts > 0)
    WHERE job = NEW.id >> 32 AND campaign = NEW.campaign;
END
""",
    """
CREATE TRIGGER count_doubts AFTER UPDATE OF doubts ON rows WHEN NEW.doubts > 0 AND OLD.doubts = 0
BEGIN
    UPDATE jobs SET doubted = doubted + 1 WHERE n = NEW.id >> 32;
END
""",
    """
CREATE TRIGGER count_ends AFTER UPDATE OF state ON rows WHEN NEW.state > 1 AND OLD.state < 2
BEGIN
    INSERT INTO tallies VALUES (NEW.id >> 32, NEW.outcome, coalesce(NEW.reason, ''), 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END
""",
    """
CREATE TRIGGER uncount_ends AFTER UPDATE OF state ON rows WHEN NEW.state < 2 AND OLD.state > 1
BEGIN
    UPDATE tallies SET n = n - 1
    WHERE job = OLD.id >> 32 AND outcome = OLD.outcome AND reason = coalesce(OLD.reason, '');
END
""",
)

_SECOND = """
ALTER TABLE rows ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rows_refused ON rows (campaign, phone) WHERE refused > 0;
ALTER TABLE lines ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lines ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE lines ADD COLUMN answered INTEGER NOT NULL DEFAULT 0
"""
"""Rows of batches that were refused as a whole; POSTs, the server's time and answered rows by campaign."""

Step = Callable[[sqlite3.Connection], None]


def _first(connection: sqlite3.Connection) -> None:
    for statement in (*_TABLES.split(";\n"), *_TRIGGERS):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _second(connection: sqlite3.Connection) -> None:
    for statement in _SECOND.split(";\n"):
        connection.execute(statement)


_THIRD = (
    """
CREATE TABLE work (
    job INTEGER NOT NULL, owner INTEGER NOT NULL, since REAL NOT NULL, until REAL, PRIMARY KEY (job, owner)
) WITHOUT ROWID
""",
    "ALTER TABLE owners ADD COLUMN pid INTEGER",
    "ALTER TABLE owners ADD COLUMN host TEXT",
    "ALTER TABLE owners ADD COLUMN since REAL",
    "ALTER TABLE gates ADD COLUMN status INTEGER",
    "ALTER TABLE jobs ADD COLUMN idempotent INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE jobs ADD COLUMN requeued INTEGER NOT NULL DEFAULT 0",
)
_SUPPRESSED = (
    "UPDATE rows SET outcome = :suppressed WHERE outcome = :invalid AND reason = 'suppressed'",
    """INSERT INTO tallies SELECT job, :suppressed, reason, n FROM tallies
    WHERE outcome = :invalid AND reason = 'suppressed' ON CONFLICT DO UPDATE SET n = n + excluded.n""",
    "DELETE FROM tallies WHERE outcome = :invalid AND reason = 'suppressed'",
)


def _third(connection: sqlite3.Connection) -> None:
    for statement in _THIRD:
        connection.execute(statement)
    # the first versions kept rows that must not be called among the invalid ones
    kinds = {"suppressed": OUTCOMES.index(Outcome.SUPPRESSED), "invalid": OUTCOMES.index(Outcome.INVALID)}
    for statement in _SUPPRESSED:
        connection.execute(statement, kinds)


STEPS: tuple[Step, ...] = (_first, _second, _third)
"""Each makes a file of the next version; a file's version is how many were taken."""


def version_of(connection: sqlite3.Connection, name: str, steps: Sequence[Step] = STEPS) -> int:
    """Give the version of the file ``name``, or raise if it is not ours, or newer than we are."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    marked: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if marked != APPLICATION_ID and (marked or version or tables):
        raise OutboxError(
            f"outbox {name}: the file belongs to another program; nothing was changed", reason="foreign"
        )
    if version > len(steps):
        raise OutboxError(
            f"outbox {name}: a newer version of this package made the file; upgrade it. Nothing was changed",
            reason="newer",
        )
    return version


def migrate(connection: sqlite3.Connection, name: str, steps: Sequence[Step] = STEPS) -> None:
    """Bring the file ``name`` to our version, in the transaction that is open."""
    version = version_of(connection, name, steps)
    for step in steps[version:]:
        step(connection)
    if version < len(steps):
        connection.execute(f"PRAGMA user_version = {len(steps)}")
