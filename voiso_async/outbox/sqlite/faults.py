"""What SQLite and the system say, as an OutboxError that holds none of the data."""

import errno
import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from voiso_async.errors import OutboxError, ResponseError

P = ParamSpec("P")
T = TypeVar("T")

_UNREADABLE = (ResponseError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)

_NOTHING_LOST = "what was stored before is untouched"
_REASONS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("full", f"the disk is full; {_NOTHING_LOST}: make room, then go on"),
    sqlite3.SQLITE_READONLY: ("read_only", "the file or its folder cannot be written; nothing was changed"),
    sqlite3.SQLITE_CORRUPT: ("corrupt", "the file is damaged; nothing is sent from it: restore it from a backup"),
    sqlite3.SQLITE_NOTADB: ("foreign", "the file is no outbox, or its beginning is damaged; nothing was changed"),
    sqlite3.SQLITE_CANTOPEN: ("denied", "the file or its folder cannot be opened; nothing was changed"),
    sqlite3.SQLITE_PERM: ("denied", "the file may not be used; nothing was changed"),
    sqlite3.SQLITE_BUSY: ("in_use", "another program kept the file locked; nothing was changed: try again"),
    sqlite3.SQLITE_LOCKED: ("in_use", "another program kept the file locked; nothing was changed: try again"),
    sqlite3.SQLITE_IOERR: ("io", f"the disk failed or a limit was reached; {_NOTHING_LOST}"),
}
_ERRNOS = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EACCES: sqlite3.SQLITE_CANTOPEN,
    errno.EPERM: sqlite3.SQLITE_PERM,
    errno.ENAMETOOLONG: sqlite3.SQLITE_CANTOPEN,
}


class Damaged(Exception):  # noqa: N818 - it is what the file is
    """A value in the file is none that we stored; the text says which, and never shows it."""


def decodes(read: Callable[P, T]) -> Callable[P, T]:
    """Let a function that does nothing but decode values of the file raise ``Damaged`` where it cannot.

    The cause is named by its class alone: its text may quote the value.
    """

    @wraps(read)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except _UNREADABLE as error:
            fault = Damaged(f"{read.__name__.strip('_')}: {type(error).__name__}")
        raise fault

    return guarded


def whole(value: Any) -> int:
    """Give a number of the file, which must be a whole one."""
    if type(value) is not int:
        raise Damaged(f"a number is a {type(value).__name__}")
    return value


def real(value: Any) -> float:
    """Give a number of the file, whole or not."""
    if type(value) not in (int, float):
        raise Damaged(f"a number is a {type(value).__name__}")
    return float(value)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether only a lock of somebody else stood in the way."""
    return _code(error) == sqlite3.SQLITE_BUSY


def fault_of(error: Exception, name: str) -> OutboxError:
    """Name what went wrong with the outbox in the file ``name``; the cause is kept, without its frames."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return OutboxError(f"outbox {name}: its folder does not exist", reason="missing")
    if isinstance(error, IsADirectoryError):
        return OutboxError(f"outbox {name}: a folder, or no ordinary file, has its name", reason="missing")
    if isinstance(error, Damaged):
        code = sqlite3.SQLITE_CORRUPT
    elif isinstance(error, OSError):
        code = _ERRNOS.get(error.errno or 0, sqlite3.SQLITE_IOERR)
    else:
        code = _code(error)
    reason, text = _REASONS.get(code, _REASONS[sqlite3.SQLITE_IOERR])
    fault = OutboxError(f"outbox {name}: {text}", reason=reason)
    if not isinstance(error, OSError):  # its text holds the whole path
        fault.__cause__ = error.with_traceback(None)  # its frames hold rows
    return fault


def _code(error: Exception) -> int:
    """The primary code; statements are our own, so that one which fails by itself met a damaged file."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT}:
        return sqlite3.SQLITE_CORRUPT
    return int(code) & 0xFF
