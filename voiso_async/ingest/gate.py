"""The lane's one port: a door that gives turns, each the right to send one POST."""

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from voiso_async.events import logger
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult, Submission
from voiso_async.values import Struct


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """What a lane would send in its next turn, as it stands when the turn comes.

    ``again`` are rows of earlier turns that go once more. Up to ``room`` durable rows of one ``operation`` (and
    one ``job``, if given), of at most ``max_bytes`` together, may ride along: they are lent to ``owner``.
    """

    operation: Operation
    retry_rows: Sequence[Row] = ()
    submission: Submission | None = None
    max_rows: int = 0
    max_bytes: int = 0
    job_id: str | None = None


class Slot(Protocol):
    """The right to send one POST to one campaign.

    ``rows`` are durable rows that ride along. If ``repeats``, they are a batch whose answer was lost: they go
    alone and in this order. ``doubts`` are phones among them that a lost answer may have brought to the campaign,
    ``refused`` those that a batch carried which was refused as a whole.
    """

    @property
    def rows(self) -> "Sequence[Row]":
        """Durable rows lent for this turn."""
        ...

    @property
    def is_retry(self) -> bool:
        """Whether ``rows`` are an old batch."""
        ...

    @property
    def doubts(self) -> frozenset[str]:
        """Phones of ``rows`` that a lost answer once carried, in whatever job."""
        ...

    @property
    def refused(self) -> frozenset[str]:
        """Phones of ``rows`` that a batch refused as a whole once carried, in whatever job."""
        ...

    def in_time(self) -> bool:
        """Whether a POST begun now would end before anybody else may take the turn for abandoned."""
        ...

    def attempt_ended(self) -> None:
        """Note that the attempt is over: the cooldown counts from now."""
        ...

    async def release(
        self, results: Iterable[RowResult], hold: float | None, carried: Attempt | None = None
    ) -> None:
        """End the turn and shut the gate for the cooldown, or ``hold`` if longer; ``None`` if nothing was sent.

        A durable turn writes down the results first, and of its other rows the doubts they have by now: those stay
        with the lane. A result of NOT_SENT puts a row back in line, one of UNKNOWN parks it.
        """
        ...


class Gate(Protocol):
    """Where a lane asks for its turns."""

    async def acquire(self, campaign: int, wish: Callable[[], ClaimRequest]) -> Slot:
        """Wait until this lane may write; ``wish`` is asked as often as the gate might open."""
        ...

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known now."""
        ...


RECHECK = 1.0
"""How long to wait at most before asking again: nobody tells when an event loop is closed."""


class _Waiter:
    """One lane at a gate, woken from whatever thread.

    It keeps no event loop alive: one that was dropped and never closed would hold the gate for ever.
    """

    def __init__(self, wakes: asyncio.Event) -> None:
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._wakes = weakref.ref(wakes)

    def closed(self) -> bool:
        """Whether its event loop has ended; one that only rests may have a POST in flight, and goes on later."""
        loop = self._loop()
        return loop is None or loop.is_closed()

    def paused(self) -> bool:
        """Whether its event loop is not running now."""
        loop = self._loop()
        return loop is None or not loop.is_running()

    def wake(self) -> None:
        """Let it ask again."""
        loop, wakes = self._loop(), self._wakes()
        if loop is not None and wakes is not None:
            with suppress(RuntimeError):  # closed: admit() forgets it
                loop.call_soon_threadsafe(wakes.set)


class GateState:
    """One campaign's gate: the holder, the time it opens, and the queue before it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may end a turn while this thread is in here
        self._holder: _Waiter | None = None
        self._open_at = float("-inf")
        self._queue: list[_Waiter] = []

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

    def admit(self, waiter: _Waiter, now: float, caution: float) -> float:
        """Let the first in the queue through (0), or say how many seconds to wait before asking again.

        The first is the first whose event loop runs: nothing of those that rest is in flight. A holder keeps the
        gate until its loop is closed; then nobody knows when its POST ends, so the gate opens after ``caution``.
        """
        with self._lock:
            if self._holder is not None and self._holder.closed():
                self._holder = None
                self._open_at = max(self._open_at, now + caution)
            self._queue = [one for one in self._queue if not one.closed()]
            first = next((one for one in self._queue if not one.paused()), waiter)
            if self._holder is not None or first is not waiter:
                return RECHECK
            if now < self._open_at:
                return self._open_at - now
            self._queue = [one for one in self._queue if one is not waiter]
            self._holder = waiter
            return 0.0

    def release(self, waiter: _Waiter, open_at: float | None) -> None:
        """Give the gate back; ``None`` leaves its opening time as it was."""
        with self._lock:
            if self._holder is waiter:
                self._holder = None
            if open_at is not None:
                self._open_at = max(self._open_at, open_at)
            self._wake_next()

    @property
    def blocked(self) -> bool:
        """Whether the holder's event loop would have to run for the gate to open."""
        holder = self._holder
        return holder is not None and holder.paused()

    def opens_in(self, now: float) -> float:
        """Seconds until the gate opens; 0 while a POST is in flight or nothing is to be waited for."""
        return max(0.0, self._open_at - now)

    def forget_holder(self, open_at: float) -> None:
        """Forget what belonged to another process; its POST may just have ended."""
        self._lock = threading.RLock()
        self._queue.clear()
        if self._holder is not None:
            self._holder = None
            self._open_at = max(self._open_at, open_at)

    def _wake_next(self) -> None:
        """Wake the first whose event loop runs, and those before it, which ask when theirs goes on."""
        for waiter in self._queue.copy():
            waiter.wake()
            if not waiter.paused():
                break


async def _pause(wakes: asyncio.Event, seconds: float) -> None:
    """Wait until woken, at most so long; a scope of anyio's would keep the task's event loop alive for ever."""
    timer = asyncio.get_running_loop().call_later(seconds, wakes.set)
    try:
        await wakes.wait()
    finally:
        timer.cancel()
    wakes.clear()


_GATES: dict[tuple[str, int], GateState] = {}
_GATES_LOCK = threading.Lock()
_COOLDOWN_AFTER_FORK = 2.0  # contract 6.3


def _state_of(origin: str, campaign: int) -> GateState:
    with _GATES_LOCK:
        gate = _GATES.get((origin, campaign))
        if gate is None:
            gate = _GATES[origin, campaign] = GateState()
        return gate


def _after_fork() -> None:
    global _GATES_LOCK  # noqa: PLW0603 - another thread of the parent may have held it
    _GATES_LOCK = threading.Lock()
    for gate in _GATES.values():
        gate.forget_holder(time.monotonic() + _COOLDOWN_AFTER_FORK)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class LocalGate:
    """The door kept in this process's memory.

    It opens ``early`` by so many seconds for one who has work to do before, and then waits for ``opens_in``.
    A server that may still be at work on a POST whose event loop was closed is left alone for ``doubt_backoff``.
    """

    def __init__(
        self,
        origin: str,
        cooldown: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        early: float = 0.0,
        doubt_backoff: float = 0.0,
    ) -> None:
        self._origin = origin
        self._cooldown = cooldown
        self._caution = max(cooldown, doubt_backoff)
        self._clock = clock
        self._early = early

    async def acquire(self, campaign: int, wish: Callable[[], ClaimRequest] | None = None) -> "LocalSlot":
        """Wait, in order of arrival, until this lane may write."""
        gate, wakes = _state_of(self._origin, campaign), asyncio.Event()
        waiter, told = _Waiter(wakes), False
        gate.join(waiter)
        try:
            while wait := gate.admit(waiter, self._clock() + self._early, self._caution):
                if gate.blocked and not told:
                    logger.warning("campaign %d waits for an event loop that rests: run or close it", campaign)
                    told = True
                await _pause(wakes, wait)
        except BaseException:
            gate.leave(waiter)
            raise
        if wish is not None:
            wish()
        return LocalSlot(gate, waiter, self._cooldown, self._clock)

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens."""
        return _state_of(self._origin, campaign).opens_in(self._clock())


class LocalSlot:
    """A turn at a gate in memory; closing it never waits, so no cancellation can keep the gate."""

    def __init__(self, gate: GateState, waiter: _Waiter, cooldown: float, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._waiter = waiter
        self._cooldown = cooldown
        self._clock = clock
        self._ended_at: float | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """No rows are kept here."""
        return ()

    @property
    def is_retry(self) -> bool:
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

    def attempt_ended(self) -> None:
        """Note that the attempt is over."""
        self._ended_at = self._clock()

    async def release(
        self,
        results: Iterable[RowResult],  # noqa: ARG002 - nothing is written down here
        hold: float | None,
        carried: Attempt | None = None,  # noqa: ARG002
    ) -> None:
        """Give the gate back: shut for the cooldown or longer, or as it was if nothing was sent."""
        self.release_now(hold)

    def release_now(self, hold: float | None) -> None:
        """Give the gate back at once, from whatever thread."""
        if hold is None:
            self._gate.release(self._waiter, None)
            return
        ended = self._clock() if self._ended_at is None else self._ended_at
        self._gate.release(self._waiter, ended + max(self._cooldown, hold))
