"""Which fault the next matching request gets."""

import re
from typing import Protocol

from aiohttp import web
from attrs import define

from voiso_async.sandbox.handler import RequestHandler


class Fault(Protocol):
    """Replaces the usual processing of one request."""

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        """Process the request and return what to send."""
        ...


@define
class _Entry:
    fault: Fault
    method: str | None
    path: re.Pattern[str] | None
    remaining: float

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and (self.path is None or bool(self.path.fullmatch(path)))


class Faults:
    """A queue: each request takes the first fault that matches it."""

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
        """Apply ``fault`` to the next ``times`` matching requests; ``math.inf`` for all of them.

        ``path`` is below ``/api/v4`` and may be a regular expression, which must match the whole path.
        ``times`` defaults to the fault's own ``times``, or 1.
        """
        count = getattr(fault, "times", 1) if times is None else times
        self._entries.append(_Entry(fault, method, None if path is None else re.compile(path), count))

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request, or None, and use it up."""
        for entry in self._entries:
            if entry.matches(method, path):
                entry.remaining -= 1
                if entry.remaining <= 0:
                    self._entries.remove(entry)
                return entry.fault
        return None

    def clear(self) -> None:
        """Remove every fault that no request has taken."""
        self._entries.clear()
