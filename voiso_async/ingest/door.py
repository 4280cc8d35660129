"""The door of a lane: who may write leads to a campaign now.

One flag and one number per campaign, shared by everything in this process: two clients, two event loops and two
runs after each other keep one POST at a time and the cooldown between them (contract 6.3).
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import anyio

from voiso_async.ingest.row import Carried, Row, RowResult
from voiso_async.ingest.turn import Wish

__all__ = ["Gate", "LocalDoor", "LocalTurn"]

FOREIGN_PAUSE = 1.0
"""How long to wait at most before looking again whether a holder in another event loop is still alive."""


class _Waiter:
    """One lane waiting at a gate, woken from whatever thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def alive(self) -> bool:
        """Whether somebody would hear the waking."""
        return self._loop.is_running()

    def here(self) -> bool:
        """Whether it waits in the running loop."""
        return self._loop is asyncio.get_running_loop()

    def wake(self) -> None:
        """Let it ask again."""
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # its loop has been closed: admit() passes it over
            return

    async def pause(self, seconds: float) -> None:
        """Wait until woken, at most so long."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        self._event.clear()


class Gate:
    """One campaign's gate: the holder, the time it opens, and the queue before it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: _Waiter | None = None
        self._open_at = float("-inf")
        self._queue: deque[_Waiter] = deque()

    def join(self, waiter: _Waiter) -> None:
        """Stand in the queue."""
        with self._lock:
            self._queue.append(waiter)

    def leave(self, waiter: _Waiter) -> None:
        """Leave the queue; whoever stands behind is told."""
        with self._lock:
            if waiter in self._queue:
                self._queue.remove(waiter)
            self._wake_next()

    def admit(self, waiter: _Waiter, now: float, cooldown: float) -> float:
        """Let the first in the queue through (0), or say how many seconds to wait before asking again."""
        with self._lock:
            self._forget_the_dead(now, cooldown)
            if waiter not in self._queue:  # its loop rested, and was taken for dead
                self._queue.append(waiter)
            if self._holder is not None:
                return float("inf") if self._holder.here() else FOREIGN_PAUSE
            if self._queue[0] is not waiter:
                return float("inf") if self._queue[0].here() else FOREIGN_PAUSE
            if now < self._open_at:
                return self._open_at - now
            self._holder = self._queue.popleft()
            return 0.0

    def release(self, waiter: _Waiter, open_at: float | None) -> None:
        """Give the gate back; ``None`` leaves its opening time as it was."""
        with self._lock:
            if self._holder is waiter:
                self._holder = None
            if open_at is not None:
                self._open_at = max(self._open_at, open_at)
            self._wake_next()

    def opens_in(self, now: float) -> float:
        """Seconds until the gate opens; 0 while a POST is in flight or nothing is to be waited for."""
        return max(0.0, self._open_at - now)

    def forget_holder(self, open_at: float) -> None:
        """Forget what belonged to another process or a dead loop; its POST may just have ended."""
        self._lock = threading.Lock()
        self._queue.clear()
        if self._holder is not None:
            self._holder = None
            self._open_at = max(self._open_at, open_at)

    def _forget_the_dead(self, now: float, cooldown: float) -> None:
        while self._queue and not self._queue[0].alive():
            self._queue.popleft()
        if self._holder is not None and not self._holder.alive():
            self._holder = None
            self._open_at = max(self._open_at, now + cooldown)

    def _wake_next(self) -> None:
        if self._queue:
            self._queue[0].wake()


_GATES: dict[tuple[str, int], Gate] = {}
_GATES_LOCK = threading.Lock()
_COOLDOWN_AFTER_FORK = 2.0  # contract 6.3


def _gate_of(origin: str, campaign: int) -> Gate:
    with _GATES_LOCK:
        return _GATES.setdefault((origin, campaign), Gate())


def _after_fork() -> None:
    global _GATES_LOCK  # noqa: PLW0603 - another thread of the parent may have held it
    _GATES_LOCK = threading.Lock()
    for gate in _GATES.values():
        gate.forget_holder(time.monotonic() + _COOLDOWN_AFTER_FORK)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class LocalDoor:
    """The door kept in this process's memory.

    It opens ``early`` by so many seconds for one who has work to do before, and then waits for ``opens_in``.
    """

    def __init__(
        self,
        origin: str,
        cooldown: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        early: float = 0.0,
    ) -> None:
        self._origin = origin
        self._cooldown = cooldown
        self._clock = clock
        self._early = early

    async def open(self, campaign: int, wish: Callable[[], Wish] | None = None) -> "LocalTurn":
        """Wait, in order of arrival, until this lane may write."""
        gate, waiter = _gate_of(self._origin, campaign), _Waiter()
        gate.join(waiter)
        try:
            while wait := gate.admit(waiter, self._clock() + self._early, self._cooldown):
                await waiter.pause(wait)
        except BaseException:
            gate.leave(waiter)
            raise
        if wish is not None:
            wish()
        return LocalTurn(gate, waiter, self._cooldown, self._clock)

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens."""
        return _gate_of(self._origin, campaign).opens_in(self._clock())


class LocalTurn:
    """A turn at a gate in memory; closing it never waits, so no cancellation can keep the gate."""

    def __init__(self, gate: Gate, waiter: _Waiter, cooldown: float, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._waiter = waiter
        self._cooldown = cooldown
        self._clock = clock
        self._landed_at: float | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """No rows are kept here."""
        return ()

    @property
    def repeats(self) -> bool:
        """No batch is kept here."""
        return False

    @property
    def doubts(self) -> frozenset[str]:
        """The lane itself remembers doubts."""
        return frozenset()

    @property
    def refused(self) -> frozenset[str]:
        """Refusals too."""
        return frozenset()

    def in_time(self) -> bool:
        """Nobody takes a turn away within a process."""
        return True

    def landed(self) -> None:
        """Note that the attempt is over."""
        self._landed_at = self._clock()

    async def close(
        self,
        results: Iterable[RowResult],  # noqa: ARG002 - nothing is written down here
        hold: float | None,
        carried: Carried | None = None,  # noqa: ARG002
    ) -> None:
        """Give the gate back: shut for the cooldown or longer, or as it was if nothing was sent."""
        self.shut(hold)

    def shut(self, hold: float | None) -> None:
        """Give the gate back at once, from whatever thread."""
        if hold is None:
            self._gate.release(self._waiter, None)
            return
        ended = self._clock() if self._landed_at is None else self._landed_at
        self._gate.release(self._waiter, ended + max(self._cooldown, hold))
