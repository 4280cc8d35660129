"""The caller's leads, any iterable or async iterable, read no further ahead than two batches."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

import anyio

from voiso_async.errors import ConfigurationError, SourceError
from voiso_async.ingest.call import Call

__all__ = ["Leads", "Source"]

Leads = Iterable[Any] | AsyncIterable[Any]

BURST = 200
"""Leads read between two looks at the event loop: about two milliseconds of work."""
FIRST_BURST = 20
"""Leads that every source may read at once; for more it waits its turn, or many sources would hold the loop."""


class Source:
    """Read leads into a call, as far as the call has room, and tell the lane.

    Sources that share a ``turnstile`` read their bursts one after the other, and the event loop goes on between.
    """

    def __init__(self, leads: Leads, turnstile: anyio.Lock) -> None:
        self._turnstile = turnstile
        self._sync: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        self._leads_read = 0
        if isinstance(leads, AsyncIterable):
            self._async = aiter(leads)
        elif isinstance(leads, Iterable) and not isinstance(leads, str | bytes | Mapping):
            self._sync = iter(leads)
        else:
            raise ConfigurationError(
                f"leads must be an iterable or async iterable of leads, not {type(leads).__name__}: "
                "put a single lead into a list; nothing was sent"
            )

    async def feed(self, call: Call, offer: Callable[[Call], None]) -> None:
        """Read whenever the call has room, until it has ended."""
        while not call.ended:
            if call.full:
                await call.change()
            else:
                await self.read(call, offer)

    async def read(self, call: Call, offer: Callable[[Call], None]) -> None:
        """Read until the call is full or the source ends; what it raises becomes a ``SourceError``."""
        try:
            if self._sync is not None:
                await self._read_sync(self._sync, call, offer)
            elif self._async is not None:
                await self._read_async(self._async, call, offer)
        except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
            failure = SourceError(
                f"the source of leads raised {type(error).__name__}; what had been sent is in .report"
            )
            failure.__cause__ = error
            call.error = call.error or failure
            call.leave()
        finally:
            call.reading = False
            offer(call)

    async def _read_sync(self, leads: Iterator[Any], call: Call, offer: Callable[[Call], None]) -> None:
        call.reading = True
        for lead in leads:
            call.read(lead)
            self._leads_read += 1
            if self._burst_is_over:
                offer(call)
                await self._turn()
            if call.full or call.ended:
                return
        call.end()

    async def _read_async(self, leads: AsyncIterator[Any], call: Call, offer: Callable[[Call], None]) -> None:
        """Read in a scope that a stop can cancel: the next lead may be long in coming."""
        with anyio.CancelScope() as scope:
            call.reading_in(scope)
            try:
                while not (call.full or call.ended):
                    call.read(await anext(leads))
                    offer(call)
                    self._leads_read += 1
                    if self._burst_is_over:
                        await self._turn()
            except StopAsyncIteration:
                call.end()
            finally:
                call.reading_in(None)

    @property
    def _burst_is_over(self) -> bool:
        return self._leads_read % BURST == 0 or self._leads_read == FIRST_BURST

    async def _turn(self) -> None:
        """Let everything else that is ready go first, and the sources that came before."""
        await self._turnstile.acquire()  # looks at the event loop, also where nobody else waits
        self._turnstile.release()
