"""The open file of an outbox: its connection, transactions in short, and who we are in it."""

import contextlib
import os
import platform
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define

from voiso_async.convert import decode, encode
from voiso_async.errors import OutboxError
from voiso_async.outbox.limits import OutboxLimits
from voiso_async.outbox.sqlite.faults import decodes, is_busy
from voiso_async.outbox.sqlite.presence import HAVE_LOCKS, Presence, is_present
from voiso_async.outbox.sqlite.schema import migrate, version_of

PATIENCE = 20.0
"""Seconds to wait for the locks of others, whose transactions are short."""
OLDEST_SQLITE = (3, 35, 0)
_PRAGMAS = (
    "journal_mode = TRUNCATE",
    "synchronous = FULL",
    "secure_delete = ON",
    "foreign_keys = OFF",
    "temp_store = MEMORY",
    "cache_size = -8000",
    "trusted_schema = OFF",
)
_OPENING = threading.Lock()
"""Closing a file that was just made would drop the locks of a connection made in between."""


def as_json(value: Any) -> str:
    """Write a list for ``json_each``: one parameter, and one step of SQLite, for many rows."""
    return encode(value).decode()


@define
class Clock:
    """What time it is."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Database:
    """One connection to the file, used in one thread.

    ``turns`` are the fences of our open turns, ``loading`` the jobs that we load, ``owed`` the rows that lanes
    let go and that are not back in line yet, ``working`` how often we were told that we work on a job, by its id.
    Many rows are read in one step, as JSON: each step gives up the interpreter's lock, and a busy event loop is
    slow to give it back.
    """

    def __init__(self, path: Path, account: str, clock: Clock, lease: float, limits: OutboxLimits) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise OutboxError("this Python comes with an SQLite older than 3.35; use a newer one", reason="denied")
        self.path = path
        self._clock = clock
        self.limits: OutboxLimits = limits
        self.lease = lease
        self.slots: set[tuple[int, int]] = set()
        self.loading: set[int] = set()
        self.pending_release: set[int] = set()
        self.working: Counter[str | None] = Counter()
        self._connection = _connected(path)
        self._presence: Presence | None = None
        try:
            self._prepare(account)
        except BaseException:
            self.abandon()
            raise

    @property
    def me(self) -> int:
        """Our number among the owners."""
        return self._presence.n if self._presence else 0

    def clock(self) -> float:
        """Seconds on a clock that never jumps, and is the same in every process of this machine."""
        return self._clock.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._clock.wall()

    def run(self, sql: str, *values: Any, **named: Any) -> int:
        """Run a statement, whose values stand in their order or are all named; say how many rows it changed."""
        return self._connection.execute(sql, named or values).rowcount

    def row(self, sql: str, *values: Any) -> Any:
        """Give the first row, or ``None``."""
        cursor = self._connection.execute(sql, values)
        try:
            return cursor.fetchone()
        finally:
            cursor.close()

    def value(self, sql: str, *values: Any) -> Any:
        """Give the first column of the first row, or ``None``."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def shrink(self, pages: int) -> None:
        """Give at most so many free pages back to the file system, outside a transaction."""
        self._connection.executescript(
            f"PRAGMA incremental_vacuum({pages})"
        )  # execute() would stop after one page

    def listed(self, sql: str, *values: Any) -> list[Any]:
        """Give the list that a statement with ``json_group_array`` makes."""
        found = self.value(sql, *values)
        return [] if found is None else _listed(found)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read from one state of the file."""
        self.run("BEGIN")
        try:
            yield
        finally:
            self._end()

    @contextlib.contextmanager
    def writing(self, patience: float = PATIENCE) -> Iterator[None]:
        """Write all or nothing; a commit that only a lock hinders is repeated."""
        self._patiently("BEGIN IMMEDIATE", patience)
        try:
            yield
            self._patiently("COMMIT", patience)
        finally:
            self._end()

    def present(self, owner: int) -> bool:
        """Whether an owner of rows or gates is alive."""
        if owner == self.me:
            return True
        if HAVE_LOCKS:
            return is_present(self.path, owner)
        seen = self.value("SELECT seen FROM owners WHERE n = ?", owner)
        return seen is not None and 0 <= self.clock() - seen <= self.lease

    def note_presence(self) -> None:
        """Say that we are alive, for those who cannot ask the OS."""
        if not HAVE_LOCKS:
            self.run("UPDATE owners SET seen = ? WHERE n = ?", self.clock(), self.me)

    def leave(self) -> None:
        """Take our name off, and say of all we worked on that we left it as we should."""
        with self.writing():
            self.run("UPDATE work SET until = ? WHERE owner = ? AND until IS NULL", self.wall(), self.me)
            self.run("DELETE FROM owners WHERE n = ?", self.me)

    def abandon(self) -> None:
        """Close the file; whoever finds rows of ours takes them back."""
        self._connection.close()
        if self._presence is not None:
            self._presence.leave()

    def forget(self) -> None:
        """Let go, in a forked child, of what belongs to the parent."""
        if self._presence is not None:
            self._presence.forget()

    def _end(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _patiently(self, sql: str, patience: float) -> None:
        until = time.monotonic() + patience
        while True:
            try:
                self._connection.execute(sql)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > until:
                    raise
            else:
                return

    def _prepare(self, account: str) -> None:
        self.row("PRAGMA busy_timeout = 5000")
        with self.reading():
            self._check_length()
            version = version_of(self._connection, self.path.name)
        if not version:
            self._patiently("PRAGMA auto_vacuum = INCREMENTAL", PATIENCE)
        for pragma in _PRAGMAS:
            self._patiently(f"PRAGMA {pragma}", PATIENCE)
        if self.value("PRAGMA journal_mode") != "truncate":
            raise OutboxError(
                f"outbox {self.path.name}: another program keeps it in another journal mode; nothing was changed",
                reason="in_use",
            )
        with self.writing():
            migrate(self._connection, self.path.name)
            self._check_account(account)
            self._presence = Presence(self.path)
            self.run(
                "INSERT INTO owners (n, seen, pid, host, since) VALUES (?, ?, ?, ?, ?)",
                *(self.me, self.clock(), os.getpid(), platform.node(), self.wall()),
            )

    def _check_length(self) -> None:
        """A file that was cut is damaged, even if what is left makes sense."""
        pages, page = self.value("PRAGMA page_count"), self.value("PRAGMA page_size")
        size = self.path.stat().st_size
        if size < pages * page or (size and not pages):
            raise OutboxError(
                f"outbox {self.path.name}: it is shorter than it says, or none of ours; nothing was changed: "
                "restore it from a backup",
                reason="corrupt" if pages else "foreign",
            )

    def _check_account(self, account: str) -> None:
        self.run("INSERT INTO meta VALUES ('account', ?) ON CONFLICT DO NOTHING", account)
        if self.value("SELECT value FROM meta WHERE name = 'account'") != account:
            raise OutboxError(
                f"outbox {self.path.name}: it was made for another account label; nothing was changed",
                reason="mismatch",
            )


@decodes
def _listed(text: Any) -> list[Any]:
    return list(decode(text.encode()))


def _connected(path: Path) -> sqlite3.Connection:
    with _OPENING:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            _tighten(path)
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)


def _tighten(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise IsADirectoryError
    if mode & 0o077:
        with contextlib.suppress(PermissionError):  # another user's, who shares it with us
            path.chmod(0o600)
