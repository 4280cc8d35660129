"""The caller's leads, any iterable or async iterable, read no further ahead than two batches."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import anyio

from voiso_async.errors import ConfigurationError, SourceError, VoisoError
from voiso_async.ingest.submission import LeadSubmission

T = TypeVar("T")

Leads = Iterable[Any] | AsyncIterable[Any]
Iterated = tuple[Iterator[Any] | None, AsyncIterator[Any] | None]

BURST = 200
"""Leads read between two looks at the event loop: about two milliseconds of work."""
FIRST_BURST = 20
"""Leads that every source may read at once; for more it waits its turn, or many sources would hold the loop."""


def open_source(leads: Leads, *, one: str = "lead", rest: str = "nothing was sent") -> Iterated:
    """Begin to iterate what a caller gives, in one way or the other."""
    try:
        if isinstance(leads, AsyncIterable):
            return None, aiter(leads)
        if isinstance(leads, Iterable) and not isinstance(leads, str | bytes | Mapping):
            return iter(leads), None
    except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
        failure: VoisoError = SourceError(
            f"the source of {one}s raised {type(error).__name__} when it was opened; {rest}"
        )
        failure.__cause__ = error
    else:
        failure = ConfigurationError(
            f"{one}s must be an iterable or async iterable of {one}s, not {type(leads).__name__}: "
            f"put a single {one} into a list; {rest}"
        )
    raise failure


class Source:
    """Read leads into a call, as far as the call has room, and tell the lane.

    Sources that share a ``turnstile`` read their bursts one after the other, and the event loop goes on between.
    """

    def __init__(self, leads: Leads, turnstile: asyncio.Lock) -> None:
        self._read_lock = turnstile
        self._leads_read = 0
        self._sync, self._async = open_source(leads)

    async def feed(self, call: LeadSubmission, offer: Callable[[LeadSubmission], None]) -> None:
        """Read whenever the call has room, until it has ended."""
        while not call.eof:
            if call.capacity:
                await self.read(call, offer)
            else:
                await call.change()

    async def read(self, call: LeadSubmission, offer: Callable[[LeadSubmission], None]) -> None:
        """Read until the call is full or the source ends; what it raises becomes a ``SourceError``."""
        try:
            if self._sync is not None:
                await self._read_sync(self._sync, call, offer)
            elif self._async is not None:
                await self._read_async(self._async, call, offer)
        except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
            call.error = call.error or source_error(error, "what had been sent is in .report")
            call.cancel()
        finally:
            call.reading = False
            offer(call)

    async def _read_sync(
        self, leads: Iterator[Any], call: LeadSubmission, offer: Callable[[LeadSubmission], None]
    ) -> None:
        call.reading = True
        while (room := call.capacity) and not call.eof:
            burst = self._burst
            read = self._read_some(leads, min(room, burst), call)
            if read < min(room, burst):
                call.close()
            elif read == burst:
                offer(call)
                await self._yield_to_others()

    def _read_some(self, leads: Iterator[Any], most: int, call: LeadSubmission) -> int:
        """Read so many leads and part with them, so that none is held while others have their turn."""
        found: list[Any] = []
        try:
            found.extend(islice(leads, most))
        finally:
            self._add(call, found)
        return len(found)

    async def _read_async(
        self, leads: AsyncIterator[Any], call: LeadSubmission, offer: Callable[[LeadSubmission], None]
    ) -> None:
        """Read in a scope that a stop can cancel: the next lead may be long in coming."""

        def give(found: list[Any]) -> None:
            self._add(call, found)
            offer(call)

        with anyio.CancelScope() as scope:
            call.set_source_scope(scope)
            try:
                while (room := call.capacity) and not call.eof:
                    if await read_chunk(leads, min(room, self._burst), give):
                        call.close()
                    else:
                        await self._yield_to_others()
            finally:
                call.set_source_scope(None)

    def _add(self, call: LeadSubmission, found: list[Any]) -> None:
        self._leads_read += len(found)
        call.add(found)

    @property
    def _burst(self) -> int:
        """How many leads may be read before the next look at the event loop."""
        return (
            BURST - self._leads_read % BURST if self._leads_read >= FIRST_BURST else FIRST_BURST - self._leads_read
        )

    async def _yield_to_others(self) -> None:
        """Let everything else that is ready go first, and the sources that came before."""
        async with self._read_lock:
            await asyncio.sleep(0)


class BufferedSource(AsyncIterator[T]):
    """An async source that holds leads ready, which need not be asked for one by one."""

    @abstractmethod
    def get_nowait(self, most: int) -> Sequence[T]:
        """Give leads that can be had without waiting."""


def source_error(error: BaseException, certain: str, *, what: str = "leads") -> SourceError:
    """Name what a caller's source raised; only our own errors are quoted, as others may hold personal data."""
    said = f": {error}" if isinstance(error, VoisoError) else ""
    failure = SourceError(f"the source of {what} raised {type(error).__name__}{said}; {certain}")
    failure.__cause__ = error
    return failure


async def read_chunk(leads: AsyncIterator[Any], most: int, give: Callable[[list[Any]], None]) -> bool:
    """Read so many leads, and give those together for which the event loop did not have to turn.

    Says whether the source has ended. Whatever cuts the reading short, what was read has been given.
    """
    found: list[Any] = []
    turn: asyncio.Handle | None = None

    def turned() -> None:
        nonlocal turn
        turn = None
        hand_over()

    def hand_over() -> None:
        if found:
            given = found.copy()
            found.clear()
            give(given)

    try:
        while most > 0:
            found.append(await anext(leads))
            ready = leads.get_nowait(most - 1) if isinstance(leads, BufferedSource) else ()
            found.extend(ready)
            most -= 1 + len(ready)
            if turn is None:  # the first one was waited for
                hand_over()
                turn = asyncio.get_running_loop().call_soon(turned)
    except StopAsyncIteration:
        return True
    finally:
        if turn is not None:
            turn.cancel()
        hand_over()
    return False
