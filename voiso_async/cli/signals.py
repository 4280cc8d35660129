"""SIGINT and SIGTERM as cancellations: what they end is said where it runs."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import anyio

SIGNALLED = 128
"""A shell reports the end by signal n as 128 + n: 130 after Ctrl-C, 143 after SIGTERM."""

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Each signal cancels the innermost stoppable step; ``number`` is the first that came.

    ``advice`` is what to do when signals end the command before it can say so itself.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.advice: str = ""
        self._steps: list[anyio.CancelScope] = []
        self._taken = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in CAUGHT:
            with suppress(NotImplementedError):  # Windows: there Ctrl-C ends asyncio.run itself
                loop.add_signal_handler(number, self._take, number)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in CAUGHT:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
                if self._taken:  # it leaves as it was asked to: a later one must not spoil the end
                    signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Run a step that the next signal ends."""
        with anyio.CancelScope() as step:
            self._steps.append(step)
            try:
                yield
            finally:
                self._steps.remove(step)

    def answered(self) -> None:
        """Forget the signals: the command has ended as they asked, and as it is meant to."""
        self.number = None

    def _take(self, number: int) -> None:
        self.number, self._taken = self.number or number, True
        if self._steps:
            self._steps[-1].cancel()
