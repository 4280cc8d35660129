"""Stands in for the thread of an outbox: its work is done on the loop, so that virtual time waits for it."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from voiso_async.errors import OutboxError
from voiso_async.outbox import SqliteOutbox

__all__ = ["LoopThread"]

HALF = 0.001
"""Seconds until a piece of work is done, and again until its result is there: it may be cancelled in both."""


class LoopThread:
    """Does one piece of work after the other; once it has died nothing is done any more.

    A ``prompt`` one has done its work before its caller goes on: only the result takes its time.
    """

    def __init__(self, *, prompt: bool = False) -> None:
        self._prompt = prompt
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._open: set[Future[Any]] = set()
        self._at_work = False
        self._died = False

    @classmethod
    def under(cls, outbox: SqliteOutbox, *, prompt: bool = False) -> "LoopThread":
        """Take the place of an outbox's thread before its first use."""
        outbox._thread._executor = thread = cls(prompt=prompt)  # type: ignore[assignment]
        return thread

    def submit(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._died:
            _tell_of_death(future)
            return future
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        self._waiting.append((future, partial(work, *args, **kwargs)))
        if not self._at_work:
            self._begin()
        return future

    def shutdown(self, *, wait: bool) -> None:
        """Nothing more comes; what was begun is done by the loop."""

    def die(self) -> None:
        """End in the middle of whatever it does: nobody hears what came of it."""
        self._died = True
        self._waiting.clear()
        for future in list(self._open):
            _tell_of_death(future)

    def _begin(self) -> None:
        self._at_work = bool(self._waiting)
        if self._at_work and self._prompt:
            self._do()
        elif self._at_work:
            asyncio.get_running_loop().call_later(HALF, self._do)

    def _do(self) -> None:
        if self._died:
            return
        future, work = self._waiting.popleft()
        if not future.set_running_or_notify_cancel():
            self._begin()
            return
        try:
            deliver = partial(future.set_result, work())
        except BaseException as error:  # noqa: BLE001 - as a thread would
            deliver = partial(future.set_exception, error)
        asyncio.get_running_loop().call_later(HALF, self._done, deliver)

    def _done(self, deliver: Callable[[], None]) -> None:
        if not self._died:
            deliver()
            self._begin()


def _tell_of_death(future: "Future[Any]") -> None:
    """Let whoever waits go on: in truth nobody would be left to wait."""
    future.set_result((None, OutboxError("its process has died", reason="closed")))
