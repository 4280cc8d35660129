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

AnyLeads = Iterable[Any] | AsyncIterable[Any]
Iterated = tuple[Iterator[Any] | None, AsyncIterator[Any] | None]

BURST = 200
"""Leads read before the event loop runs again: about two milliseconds of work."""
FIRST_BURST = 20
"""Leads that every source may read at once; for more it waits for the lock, or many would hold the loop."""


def open_source(leads: AnyLeads, *, one: str = "lead", rest: str = "nothing was sent") -> Iterated:
    """Begin to iterate what a caller gives: as an iterator or as an async iterator."""
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
    """Read leads into a submission, as far as it has capacity, and tell its lane.

    Sources that share a ``read_lock`` read their bursts one after the other, and the event loop runs in between.
    """

    def __init__(self, leads: AnyLeads, read_lock: asyncio.Lock) -> None:
        self._read_lock = read_lock
        self._leads_read = 0
        self._sync, self._async = open_source(leads)

    async def feed(self, submission: LeadSubmission) -> None:
        """Read whenever the submission has capacity, until it has ended."""
        while not submission.eof:
            if submission.capacity:
                await self.read(submission)
            else:
                await submission.change()

    async def read(self, submission: LeadSubmission) -> None:
        """Read until the submission is full or the source ends; what it raises becomes a ``SourceError``."""
        try:
            if self._sync is not None:
                await self._read_sync(self._sync, submission)
            elif self._async is not None:
                await self._read_async(self._async, submission)
        # What the source gave before it raised is rows already, and is sent or resolved like any other.
        except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
            submission.error = submission.error or source_error(error, "what had been sent is in .report")
            submission.cancel()
        finally:
            submission.reading = False
            submission.notify()

    async def _read_sync(self, leads: Iterator[Any], submission: LeadSubmission) -> None:
        submission.reading = True
        while (capacity := submission.capacity) and not submission.eof:
            burst = self._burst
            read = self._read_some(leads, min(capacity, burst), submission)
            if read < min(capacity, burst):
                submission.close()
            elif read == burst:
                submission.notify()
                await self._yield_to_others()

    def _read_some(self, leads: Iterator[Any], most: int, submission: LeadSubmission) -> int:
        """Read up to ``most`` leads without keeping references across an await."""
        found: list[Any] = []
        try:
            found.extend(islice(leads, most))
        finally:
            self._add(submission, found)
        return len(found)

    async def _read_async(self, leads: AsyncIterator[Any], submission: LeadSubmission) -> None:
        """Read in a scope that ``fail()`` can cancel: the next lead may be long in coming."""

        def add(found: list[Any]) -> None:
            self._add(submission, found)
            submission.notify()

        with anyio.CancelScope() as scope:
            submission.set_source_scope(scope)
            try:
                while (capacity := submission.capacity) and not submission.eof:
                    if await read_chunk(leads, min(capacity, self._burst), add):
                        submission.close()
                    else:
                        await self._yield_to_others()
            finally:
                submission.set_source_scope(None)

    def _add(self, submission: LeadSubmission, found: list[Any]) -> None:
        self._leads_read += len(found)
        submission.add(found)

    @property
    def _burst(self) -> int:
        """How many leads may be read before the event loop runs again."""
        return (
            BURST - self._leads_read % BURST if self._leads_read >= FIRST_BURST else FIRST_BURST - self._leads_read
        )

    async def _yield_to_others(self) -> None:
        """Let everything else that is ready run first, and the sources that came before."""
        # Through one lock: with 200 sources each burst alone is short, but all of them in one turn of the loop are
        # not.
        async with self._read_lock:
            await asyncio.sleep(0)


class BufferedSource(AsyncIterator[T]):
    """An async source that has leads in memory: they need not be awaited one by one."""

    @abstractmethod
    def get_nowait(self, most: int) -> Sequence[T]:
        """Give up to ``most`` leads that can be had without waiting."""


def source_error(error: BaseException, certain: str, *, what: str = "leads") -> SourceError:
    """Name what a caller's source raised; only our own errors are quoted, as others may hold personal data."""
    said = f": {error}" if isinstance(error, VoisoError) else ""
    failure = SourceError(f"the source of {what} raised {type(error).__name__}{said}; {certain}")
    failure.__cause__ = error
    return failure


async def read_chunk(leads: AsyncIterator[Any], most: int, give: Callable[[list[Any]], None]) -> bool:
    """Read up to ``most`` leads, and give those together that came without a run of the event loop in between.

    A lead that has come is given before the next one is waited for, which may be long in coming. Says whether the
    source has ended. Whatever cuts the reading short, what was read has been given.
    """
    found: list[Any] = []
    handle: asyncio.Handle | None = None

    def loop_runs() -> None:
        nonlocal handle
        handle = None
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
            if handle is None:  # the first one was waited for
                hand_over()
                handle = asyncio.get_running_loop().call_soon(loop_runs)
    except StopAsyncIteration:
        return True
    finally:
        if handle is not None:
            handle.cancel()
        hand_over()
    return False
