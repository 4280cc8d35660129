"""The gate of a campaign: it gives slots, each the right to send one POST."""

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from voiso_async._structs import Struct
from voiso_async.events import logger
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult, Submission


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """What a lane would send in its next slot, as of now.

    ``retry_rows`` are rows of earlier slots that go again. An outbox may add up to ``max_rows`` rows of
    ``operation`` (and of one job, if ``job_id`` is given), of at most ``max_bytes`` together, for ``submission``.
    """

    operation: Operation
    retry_rows: Sequence[Row] = ()
    submission: Submission | None = None
    max_rows: int = 0
    max_bytes: int = 0
    job_id: str | None = None


class Slot(Protocol):
    """The right to send one POST to one campaign.

    ``rows`` are rows that an outbox has claimed for it. If ``is_retry``, they are a batch without a usable answer:
    they go alone and in this order. ``doubts`` are phones among them that such an attempt may have brought to the
    campaign, ``refused`` those of batches that were refused as a whole.
    """

    @property
    def rows(self) -> "Sequence[Row]":
        """Rows that an outbox has claimed for this slot."""
        ...

    @property
    def is_retry(self) -> bool:
        """Whether ``rows`` are a batch that was sent before."""
        ...

    @property
    def doubts(self) -> frozenset[str]:
        """Phones of ``rows`` that an attempt without a usable answer once carried, in whatever job."""
        ...

    @property
    def refused(self) -> frozenset[str]:
        """Phones of ``rows`` that a batch refused as a whole once carried, in whatever job."""
        ...

    def in_time(self) -> bool:
        """Whether a POST begun now would end before the lease does."""
        ...

    def attempt_ended(self) -> None:
        """Note that the attempt is over: the cooldown counts from now."""
        ...

    async def release(
        self, results: Iterable[RowResult], hold: float | None, attempt: Attempt | None = None
    ) -> None:
        """End the slot and close the gate for the cooldown, or for ``hold`` seconds if longer.

        A ``hold`` of ``None`` says that nothing was sent. An outbox first commits the results, and the doubts of
        the other rows of the slot, which stay with the lane. NOT_SENT requeues a row, UNKNOWN parks it.
        """
        ...


class ClaimSource(Protocol):
    """Who fills the slots of a lane."""

    def claim_request(self) -> ClaimRequest:
        """Say what would go now."""
        ...


class Gate(Protocol):
    """Where a lane gets its slots."""

    async def acquire(self, campaign: int, source: ClaimSource) -> Slot:
        """Wait until this lane may write; the source is asked each time that the gate might be open."""
        ...

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known now."""
        ...


RECHECK = 1.0
"""Seconds after which a waiter asks again at the latest: a closed event loop sends no wake-up."""


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
    """The gate of one campaign in this process: its holder, when it opens, and who waits."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may release a slot while this thread is in here
        self._holder: _Waiter | None = None
        self._open_at = float("-inf")
        self._queue: list[_Waiter] = []

    def join(self, waiter: _Waiter) -> None:
        """Enter the queue."""
        with self._lock:
            self._queue.append(waiter)

    def leave(self, waiter: _Waiter) -> None:
        """Leave the queue, and wake the next."""
        with self._lock:
            if waiter in self._queue:
                self._queue.remove(waiter)
            self._wake_next()

    def admit(self, waiter: _Waiter, now: float, recovery: float) -> float:
        """Let the first of the queue in (0), or say how many seconds to wait before asking again.

        Waiters whose event loop is paused are passed over. A holder keeps the gate until its loop is closed; then
        nobody knows when its POST ends, so the gate opens after ``caution`` seconds.
        """
        with self._lock:
            if self._holder is not None and self._holder.closed():
                self._holder = None
                self._open_at = max(self._open_at, now + recovery)
            # A paused loop cannot send, so it must not keep those waiting whose loop runs: it is passed over, not
            # removed.
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
        """Forget a holder and waiters of the parent process, after a fork."""
        self._lock = threading.RLock()
        self._queue.clear()
        if self._holder is not None:
            self._holder = None
            self._open_at = max(self._open_at, open_at)

    def _wake_next(self) -> None:
        """Wake the first whose event loop runs, and those before it, which ask once theirs runs again."""
        for waiter in self._queue.copy():
            waiter.wake()
            if not waiter.paused():
                break


async def _pause(wakes: asyncio.Event, seconds: float) -> None:
    """Wait until woken, at most so long; anyio's scopes would keep the task's event loop alive for ever."""
    timer = asyncio.get_running_loop().call_later(seconds, wakes.set)
    try:
        await wakes.wait()
    finally:
        timer.cancel()
    wakes.clear()


# One gate for each campaign of an address, whatever client or event loop uses it: the vendor's pace is per
# campaign.
_GATES: dict[tuple[str, int], GateState] = {}
_GATES_LOCK = threading.Lock()
_COOLDOWN_AFTER_FORK = 2.0


def _state_of(origin: str, campaign: int) -> GateState:
    with _GATES_LOCK:
        gate = _GATES.get((origin, campaign))
        if gate is None:
            gate = _GATES[origin, campaign] = GateState()
        return gate


def _after_fork() -> None:
    # A forked child inherits gates whose holders and waiters live in the parent, and locks that a thread of the
    # parent may have held. It starts with new locks and empty queues. A POST of the parent may be in flight or may
    # just have ended, so each gate that was held opens only after a cooldown.
    global _GATES_LOCK  # noqa: PLW0603 - another thread of the parent may have held it
    _GATES_LOCK = threading.Lock()
    for gate in _GATES.values():
        gate.forget_holder(time.monotonic() + _COOLDOWN_AFTER_FORK)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class LocalGate:
    """A gate in the memory of this process, shared by all clients of one address.

    It opens ``early`` by so many seconds for an outbox, which claims rows meanwhile and then waits for the rest.
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
        self._recovery = max(cooldown, doubt_backoff)
        self._clock = clock
        self._early = early

    async def acquire(self, campaign: int, source: ClaimSource | None = None) -> "LocalSlot":
        """Wait, in order of arrival, until this lane may write."""
        gate, wakes = _state_of(self._origin, campaign), asyncio.Event()
        waiter, warned = _Waiter(wakes), False
        gate.join(waiter)
        try:
            while wait := gate.admit(waiter, self._clock() + self._early, self._recovery):
                if gate.blocked and not warned:
                    logger.warning("campaign %d waits for an event loop that rests: run or close it", campaign)
                    warned = True
                await _pause(wakes, wait)
        except BaseException:
            gate.leave(waiter)
            raise
        if source is not None:
            source.claim_request()  # decide now what goes: the slot is this lane's
        return LocalSlot(gate, waiter, self._cooldown, self._clock)

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens."""
        return _state_of(self._origin, campaign).opens_in(self._clock())


class LocalSlot:
    """A slot of a gate in memory; its release never waits, so no cancellation can keep the gate."""

    def __init__(self, gate: GateState, waiter: _Waiter, cooldown: float, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._waiter = waiter
        self._cooldown = cooldown
        self._clock = clock
        self._ended_at: float | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """None: no outbox is behind this gate."""
        return ()

    @property
    def is_retry(self) -> bool:
        """Never."""
        return False

    @property
    def doubts(self) -> frozenset[str]:
        """None: the lane itself remembers them."""
        return frozenset()

    @property
    def refused(self) -> frozenset[str]:
        """None: the lane itself remembers them."""
        return frozenset()

    def in_time(self) -> bool:
        """Always: a slot has no lease within a process."""
        return True

    def attempt_ended(self) -> None:
        """Note that the attempt is over."""
        self._ended_at = self._clock()

    async def release(
        self,
        results: Iterable[RowResult],  # noqa: ARG002 - nothing is stored here
        hold: float | None,
        attempt: Attempt | None = None,  # noqa: ARG002
    ) -> None:
        """Close the gate for the cooldown or longer; leave it as it was if nothing was sent."""
        self.release_now(hold)

    def release_now(self, hold: float | None) -> None:
        """Release it at once, from any thread."""
        if hold is None:
            self._gate.release(self._waiter, None)
            return
        # The cooldown counts from the end of the POST, not from now: committing the outcomes may have taken a
        # while.
        ended = self._clock() if self._ended_at is None else self._ended_at
        self._gate.release(self._waiter, ended + max(self._cooldown, hold))
