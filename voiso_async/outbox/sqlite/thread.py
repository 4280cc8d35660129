"""The one thread in which an outbox uses its file, so that the event loop never waits for a disk."""

import asyncio
import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from voiso_async.errors import ForkedError, OutboxError, UsageError, VoisoError
from voiso_async.outbox.sqlite.database import Database
from voiso_async.outbox.sqlite.faults import Damaged, fault_of

P = ParamSpec("P")
T = TypeVar("T")
Work = Future[tuple[T | None, VoisoError | None]]
"""Work that was handed to the thread: its result, or what went wrong."""


class DatabaseThread:
    """Open the db on the first use, and work on it one piece after the other."""

    def __init__(self, name: str, opening: Callable[[], Database]) -> None:
        self._name = name
        self._opening = opening
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="voiso outbox")
        self._database: Database | None = None
        self._pid = os.getpid()
        self._closing: Work[None] | None = None
        self.busy: threading.Lock = threading.Lock()
        _WORKERS.add(self)

    @property
    def opened(self) -> bool:
        """Whether the file is open, in this process, and nobody has asked to close it."""
        return self._database is not None and self._pid == os.getpid() and self._closing is None

    def ensure_usable(self) -> None:
        """Raise before any I/O if it is closed, or another process's."""
        if self._pid != os.getpid():
            raise ForkedError("the outbox was made before this process was forked; make a new one here")
        if self._closing is not None:
            raise OutboxError(f"outbox {self._name}: it is closed; make a new one", reason="closed")

    def begin(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> "Work[T]":
        """Have this done, whether or not anybody waits for it."""
        self.ensure_usable()
        return self._executor.submit(self._guarded, work, args, kwargs)

    async def do(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have this done and wait for it; if it has not been begun by a cancellation, it never is."""
        begun = self.begin(work, *args, **kwargs)
        del args, kwargs
        try:
            return await result_of(begun)
        except asyncio.CancelledError:
            begun.cancel()
            raise

    async def take(self, work: Callable[[Database], T], undo: Callable[[Database, T], None]) -> T:
        """Have something taken in hand; if nobody waits for it any more, it is put back before anything else."""
        handover = _Handover(work, undo)
        begun = self.begin(handover.take)
        try:
            return await result_of(begun)
        except asyncio.CancelledError:
            if not begun.cancel() and handover.leave():
                with contextlib.suppress(OutboxError, UsageError):  # closed: then everything is put back
                    self.begin(handover.put_back)
            raise

    async def close(self, last: Callable[[Database], None]) -> None:
        """Finish what was begun, say ``farewell``, leave the file, end the thread."""
        if self._pid != os.getpid():
            return
        if self._closing is None:
            self._closing = self._executor.submit(self._guarded, last, (), {}, closing=True)
            self._executor.shutdown(wait=False)
        await result_of(self._closing)

    def abandon(self) -> None:
        """Let go without a farewell: nobody closed it."""
        self._executor.shutdown(wait=True)
        if self._database is not None:
            self._database.abandon()

    def after_fork(self) -> None:
        """In the child: the thread is gone, the locks are the parent's."""
        self.busy = threading.Lock()
        if self._database is not None:
            self._database.forget()

    def _guarded(
        self, work: Callable[..., Any], args: Any, kwargs: Any, *, closing: bool = False
    ) -> tuple[Any, VoisoError | None]:
        with self.busy:
            try:
                if closing:
                    self._leave(work)
                    return None, None
                if self._database is None:
                    self._database = self._opening()
                return work(self._database, *args, **kwargs), None
            except VoisoError as error:
                return None, error.with_traceback(None)
            except (sqlite3.Error, OSError, Damaged) as error:
                return None, fault_of(error, self._name)

    def _leave(self, last: Callable[[Database], None]) -> None:
        if self._database is None:
            return
        db, self._database = self._database, None
        try:
            last(db)
            db.leave()
        finally:
            db.abandon()


class _Handover(Generic[T]):
    """What was taken in hand on its way from the thread to its caller, who may have gone meanwhile."""

    def __init__(self, work: Callable[[Database], T], undo: Callable[[Database, T], None]) -> None:
        self._work = work
        self._undo = undo
        self._lock = threading.Lock()
        self._left = False
        self._taken: list[T] = []

    def take(self, db: Database) -> T:
        """Take it, in the thread, and put it back at once if the caller went while this was done."""
        taken = self._work(db)
        with self._lock:
            self._taken.append(taken)
            left = self._left
        if left:
            self.put_back(db)
        return taken

    def leave(self) -> bool:
        """Wait no longer; say whether something was taken already."""
        with self._lock:
            self._left = True
            return bool(self._taken)

    def put_back(self, db: Database) -> None:
        """Undo what was done."""
        self._undo(db, self._taken[0])


_WORKERS: "weakref.WeakSet[DatabaseThread]" = weakref.WeakSet()
_HELD: list[DatabaseThread] = []


def _before_fork() -> None:
    """Nothing is half written while the process is copied: a child that ends would roll it back."""
    _HELD.extend(_WORKERS)
    for worker in _HELD:
        worker.busy.acquire()


def _after_fork_in_parent() -> None:
    while _HELD:
        _HELD.pop().busy.release()


def _after_fork_in_child() -> None:
    while _HELD:
        _HELD.pop().after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )


async def result_of(begun: "Work[T]") -> T:
    """Wait for what was begun; it goes on if this is cancelled. An error holds none of the data in its frames."""
    value, fault = await asyncio.shield(asyncio.wrap_future(begun))
    if fault is None:
        return value  # type: ignore[return-value]
    del begun, value
    raise fault
