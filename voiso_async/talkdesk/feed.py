"""The caller's records, any iterable or async iterable, read no further ahead than one request."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from anyio.lowlevel import checkpoint

from voiso_async.ingest.source import open_source

__all__ = ["Feed", "Records"]

Records = Iterable[Any] | AsyncIterable[Any]

BURST = 200
"""Records read between two looks at the event loop: about two milliseconds of work."""


class Feed:
    """Give records one by one; ``None`` from ``next`` means that a slow source keeps the rest waiting.

    ``ended`` is set by the source's end. What the source raises passes through.
    """

    def __init__(self, records: Records) -> None:
        self.ended: bool = False
        self._coming: asyncio.Task[tuple[Any] | None] | None = None
        self._given = 0
        self._sync, self._async = open_source(records, one="record")

    async def next(self, patience: float | None) -> tuple[Any] | None:
        """The next record, in a tuple; ``None`` at the end, or after ``patience`` seconds without one."""
        self._given += 1
        if self._given % BURST == 0:
            await checkpoint()
        if self._async is None:
            for record in self._sync or ():
                return (record,)
            self.ended = True
            return None
        return await self._from_async(self._async, patience)

    async def _from_async(self, records: AsyncIterator[Any], patience: float | None) -> tuple[Any] | None:
        """Wait in a task beside, so that a wait that is given up for now does not break the source."""
        if self._coming is None:
            self._coming = asyncio.create_task(_pulled(records), name="voiso records")
            self._coming.add_done_callback(_seen)
        await asyncio.wait({self._coming}, timeout=patience)
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        found = coming.result()
        self.ended = found is None
        return found

    async def aclose(self) -> None:
        """Stop waiting for the source."""
        self.ended = True
        if self._coming is not None:
            coming, self._coming = self._coming, None
            coming.cancel()
            await asyncio.wait({coming})


def _seen(coming: "asyncio.Task[tuple[Any] | None]") -> None:
    """Take note of an error that nobody may wait for any more."""
    if not coming.cancelled():
        coming.exception()


async def _pulled(records: AsyncIterator[Any]) -> tuple[Any] | None:
    async for record in records:
        return (record,)
    return None
