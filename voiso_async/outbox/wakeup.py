"""A bell that tells every waiter, in whatever loop and from whatever thread, that something has changed."""

import asyncio
import threading

import anyio


class Wakeup:
    """Rung once, it wakes those who wait; if nobody does, the next does not wait at all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = False
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def set(self) -> None:
        """Wake everybody."""
        with self._lock:
            waiting, self._waiting = self._waiting, set()
            self._rung = not waiting
        for loop, event in waiting:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # its loop has been closed
                continue

    def clear(self) -> None:
        """Forget what has rung: the caller is about to look."""
        with self._lock:
            self._rung = False

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self._rung:
                self._rung = False
                return
            self._waiting.add(waiter)
        try:
            with anyio.move_on_after(seconds):
                await waiter[1].wait()
        finally:
            with self._lock:
                self._waiting.discard(waiter)
