"""The faults that wait for their requests."""

import re
from typing import Protocol

from aiohttp import web
from attrs import define

from voiso_async.sandbox.visit import Visit

__all__ = ["Fault", "Faults"]


class Fault(Protocol):
    """Takes the place of the ordinary treatment of one request."""

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Treat the request; what is returned is sent."""
        ...


@define
class _Entry:
    fault: Fault
    method: str | None
    path: re.Pattern[str] | None
    left: float

    def fits(self, method: str, path: str) -> bool:
        return self.method in (None, method) and (self.path is None or bool(self.path.fullmatch(path)))


class Faults:
    """A queue: each request takes the first fault that fits it."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str | re.Pattern[str] | None = None,
        times: float | None = None,
    ) -> None:
        """Let the next ``times`` fitting requests meet ``fault``; ``math.inf`` for every one from now on.

        ``path`` is below ``/api/v4`` and may be a regular expression, which must fit the whole path.
        ``times`` is 1, unless the fault has a number of its own.
        """
        count = getattr(fault, "times", 1) if times is None else times
        self._entries.append(_Entry(fault, method, None if path is None else re.compile(path), count))

    def take(self, method: str, path: str) -> Fault | None:
        """Give the fault for this request, if there is one."""
        for entry in self._entries:
            if entry.fits(method, path):
                entry.left -= 1
                if entry.left <= 0:
                    self._entries.remove(entry)
                return entry.fault
        return None

    def clear(self) -> None:
        """Forget every fault that has not happened."""
        self._entries.clear()
