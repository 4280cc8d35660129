"""An event loop whose clock jumps: when nothing is ready, the time of the next timer is now."""

import asyncio
import math
import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DEADLOCK_SECONDS = 60.0


class _JumpingSelector(selectors.DefaultSelector):
    """Adds the timeout to its own clock instead of waiting for it."""

    now = 0.0
    until = math.inf
    rounds_left = math.inf

    def select(self, timeout: float | None = None) -> Any:
        self.rounds_left -= 1
        if self.now > self.until or self.rounds_left < 0:
            raise AssertionError("it hangs: the loop goes round without an end")
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            events = super().select(DEADLOCK_SECONDS)
            if not events:
                raise RuntimeError("every task waits and no timer is set: a lost wake-up or a deadlock")
            return events
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    @contextmanager
    def bounded(self, seconds: float, rounds: int) -> Iterator[None]:
        """Fail if it takes longer, whatever the tasks wait for."""
        self._jumping.until, self._jumping.rounds_left = self.time() + seconds, rounds
        try:
            yield
        finally:
            self._jumping.until = self._jumping.rounds_left = math.inf
