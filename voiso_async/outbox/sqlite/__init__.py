"""An outbox in one SQLite file, for any number of processes of one machine."""

from voiso_async.outbox.sqlite.outbox import SqliteOutbox

__all__ = ["SqliteOutbox"]
