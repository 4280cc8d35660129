"""The loop over pages: awaited for the first page, iterated for every item, collected for a list.

It takes ``send`` and ``read`` and knows nothing of the session. There is no task between two pages and no scope
open across them, so a loop may be left at any time; pages are read in parallel inside ``collect`` only.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

import anyio

from voiso_async._structs import replace
from voiso_async.errors import APIError, PaginationError
from voiso_async.pages import HasId, Page, Step, check_whole_number
from voiso_async.wire import Request

MOST_CONCURRENCY = 32
PAST_END = frozenset({400, 404, 416})
"""Statuses by which servers refuse a page behind the last one."""
STALE_PAGES = 3
"""So many pages in a row may hold nothing new, while the listing visibly changes, before it is given up."""

T = TypeVar("T", bound=HasId)

Fetch = Callable[[Step], Awaitable[Page[T]]]
Prefetched = dict[Step, Page[T] | Exception]


class Listing(list[T]):
    """A list of records; ``total`` is the server's last count, ``drifted`` that it changed while it was read.

    ``complete`` is true if the server's total confirms that these are all, and false if there are others or the
    listing changed. It is ``None`` if the server gave no total: then nobody knows whether there are others.
    """

    def __init__(
        self,
        items: Iterable[T] = (),
        *,
        total: int | None = None,
        drifted: bool = False,
        complete: bool | None = None,
    ) -> None:
        super().__init__(items)
        self.total = total
        self.drifted = drifted
        self.complete = complete


class Paginator(Generic[T]):
    """A listing that has not been read yet.

    ::

        page = await paginator                 # the first page
        async for item in paginator: ...       # every item, afresh for each loop
        items = await paginator.collect(concurrency=8)

    No id comes twice, which costs the memory of the ids seen, and every loop ends. A server that refuses a page
    past the end (400, 404, 416) has ended the listing. Any other error that breaks a loop carries a note with the
    offset it stopped at; calling ``anext`` again asks for the same page again.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Any]],
        step: Step,
        read: Callable[[Any, Request], Page[T]],
    ) -> None:
        self._send = send
        self._step = step
        self._read = read

    def __repr__(self) -> str:
        return f"Paginator({self._step.request})"

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._first_page().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.pages())

    def pages(self) -> AsyncIterator[Page[T]]:
        """Iterate the pages that hold anything new; each tells whether the listing has ``drifted``."""
        return _Walk(self._fetch, self._step)

    async def first(self) -> T | None:
        """Give the first item, or ``None`` if there is none."""
        async for page in _Walk(self._fetch, self._step.sample()):
            return page[0]
        return None

    async def collect(self, limit: int | None = None, *, concurrency: int = 1, strict: bool = False) -> Listing[T]:
        """Read every page, or as many as ``limit`` items need, and keep the order.

        Up to ``concurrency`` pages (1 to 32) are read at a time once the first has told the total. What came out
        otherwise than foreseen is dropped and read again, one page after the other. ``strict`` makes a listing
        that changed while it was read a ``PaginationError``.
        """
        if limit is not None:
            check_whole_number("limit", limit, 0)
        check_whole_number("concurrency", concurrency, 1, MOST_CONCURRENCY)
        walk = _Walk(self._fetch, self._step)
        found: list[T] = []
        while limit is None or len(found) < limit:
            page = await walk.turn()
            if strict and walk.drifted:
                raise walk.drift_error()
            if page is None:
                break
            if not found and concurrency > 1:
                await walk.prefetch(page, limit, concurrency)
            found.extend(page)
        cut = limit is not None and len(found) >= limit
        return Listing(
            found[:limit], total=walk.total, drifted=walk.drifted, complete=False if cut else walk.complete
        )

    async def _fetch(self, step: Step) -> Page[T]:
        try:
            request = step.request
            return self._read(await self._send(request), request)
        except Exception as error:
            if step.offset is not None:
                error.add_note(f"while listing at offset={step.offset}")
            raise

    async def _first_page(self) -> Page[T]:
        page = await _Walk(self._fetch, self._step).turn()
        return Page(items=()) if page is None else page


class _Items(AsyncIterator[T]):
    """The items of the pages, one by one."""

    def __init__(self, pages: AsyncIterator[Page[T]]) -> None:
        self._pages = pages
        self._left: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._left:
                return item
            self._left = iter(await anext(self._pages))


class _Walk(AsyncIterator[Page[T]]):
    """One run through the pages: what was seen, and whether it can be believed."""

    def __init__(self, fetch: Fetch[T], step: Step) -> None:
        self.total: int | None = None
        self.drifted = False
        self._fetch = fetch
        self._step = step
        self._start = step.offset or 0
        self._page: Page[Any] | None = None
        self._seen: set[str] = set()
        self._stale = 0
        self._over = False
        self._prefetched: Prefetched[T] = {}

    async def __anext__(self) -> Page[T]:
        while (page := await self.turn()) is not None:
            if page:
                return page
        raise StopAsyncIteration

    async def turn(self) -> Page[T] | None:
        """Give the next page without the ids seen before, or ``None`` at the end."""
        step = self._next_step()
        page = None if step is None else await self._page_at(step)
        if step is None or page is None:
            self._over = True
            self.drifted |= self.total is not None and len(self._seen) != self._promised
            return None
        return self._accept(step, page)

    @property
    def complete(self) -> bool | None:
        """Whether the total confirms that all was read; ``None`` without a total."""
        return None if self.total is None else not self.drifted and len(self._seen) == self._promised

    async def prefetch(self, page: Page[T], most: int | None, concurrency: int) -> None:
        """Read what the first page foretells, ``concurrency`` pages at a time, until one is not as foreseen."""
        steps = self._step.ahead(page, most)
        arrived = set(self._seen)

        async def read_on() -> None:
            for step in steps:
                try:
                    page = self._prefetched[step] = await self._fetch(step)
                except Exception as error:  # noqa: BLE001 - raised by the walk when it comes to this place
                    self._prefetched[step] = error
                    steps.close()
                    return
                if not self._is_as_predicted(step, page, arrived):
                    steps.close()
                arrived.update(_ids(page))

        async with anyio.create_task_group() as group:
            for _ in range(concurrency):
                group.start_soon(read_on)

    def drift_error(self) -> PaginationError:
        """Make the error of strict mode."""
        return _fault(self._step, "the listing changed while it was read", "drift")

    @property
    def _promised(self) -> int:
        return max((self.total or 0) - self._start, 0)

    async def _page_at(self, step: Step) -> Page[T] | None:
        """Read a page; ``None`` if the server refuses it because it lies past the end."""
        try:
            page = self._take_prefetched(step)
            return await self._fetch(step) if page is None else page
        except APIError as error:
            if error.status not in PAST_END or not self._is_past_end(step):
                raise
        return None

    def _is_past_end(self, step: Step) -> bool:
        """Tell whether all that was promised has been read; without a total a full page may be the last one."""
        if self._page is None:
            return False
        return step.offset is not None if self.total is None else len(self._seen) >= self._promised

    def _next_step(self) -> Step | None:
        if self._page is None:
            return self._step
        return None if self._over else self._step.after(self._page)

    def _take_prefetched(self, step: Step) -> Page[T] | None:
        page = self._prefetched.pop(step, None)
        if isinstance(page, Exception):
            raise page
        if page is None or self._is_as_predicted(step, page, self._seen):
            return page
        self._prefetched.clear()
        return None

    def _is_as_predicted(self, step: Step, page: Page[T], seen: set[str]) -> bool:
        return step.fits(page, self.total) and _all_new(_ids(page), seen)

    def _fresh(self, page: Page[T]) -> tuple[T, ...]:
        """The items not seen before; usually all of them."""
        ids = _ids(page)
        if _all_new(ids, self._seen):
            self._seen.update(ids)
            return page.items
        return tuple(item for key, item in zip(ids, page, strict=True) if self._is_new(key))

    def _is_new(self, key: str) -> bool:
        known = key in self._seen
        self._seen.add(key)
        return not known

    def _accept(self, step: Step, page: Page[T]) -> Page[T]:
        fresh = self._fresh(page)
        changed = None not in (self.total, page.total) and self.total != page.total
        if not fresh and step.after(page) is not None:
            self._doubt(step, page, permanent=bool(page) and not changed)
        self._step, self._page = step, _placeholder(page)
        self._stale = 0 if fresh else self._stale
        self.drifted |= changed or (len(fresh) < len(page) and not self._over)
        self.total = self.total if page.total is None else page.total
        return replace(page, items=fresh, offset=step.offset, drifted=self.drifted)

    def _doubt(self, step: Step, page: Page[T], *, permanent: bool) -> None:
        """Judge a page without a new id that is not the last: some servers repeat themselves at the end."""
        self._stale += 1
        complete = step.is_short(page) if self.total is None else len(self._seen) >= self._promised
        if page and complete:
            self._over = True
        elif permanent or self._stale > STALE_PAGES:
            raise _fault(step, "a page holds nothing but what was listed before", "stalled")


def _ids(page: Page[T]) -> list[str]:
    return [str(item.id) for item in page]  # compared as text


def _placeholder(page: Page[Any]) -> Page[Any]:
    """What the next step asks of a page, so that its items are held no longer than their reader holds them."""
    return replace(page, items=(None,) * len(page))


def _all_new(ids: list[str], seen: set[str]) -> bool:
    return seen.isdisjoint(ids) and len(set(ids)) == len(ids)


def _fault(step: Step, message: str, reason: str) -> PaginationError:
    return PaginationError(message, request=step.request.name, offset=step.offset, reason=reason)
