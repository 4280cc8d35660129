"""A listing in memory, with the weaknesses of real servers."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio.lowlevel

from voiso_async.convert import encode
from voiso_async.models import Campaign
from voiso_async.pages import OffsetPages, page_of
from voiso_async.paginator import Paginator
from voiso_async.wire import Request, Response

LISTING = Request.to("GET", "/campaigns", params=[("status", "active")], scope="campaigns.read")

honest = object()


class ListingServer:
    """Answers ``limit`` and ``offset`` over ``ids`` and records the requests.

    ``cap`` is the most it gives, ``total`` what it claims (or a function of the request's number, from 0),
    ``ignores_offset`` makes every page the first, ``clamps_offset`` repeats the last page beyond the end,
    ``before`` is called with the request's number and may change ``ids`` or raise.
    """

    def __init__(
        self,
        ids: int | Sequence[int],
        *,
        cap: int = 100,
        total: Any = honest,
        ignores_offset: bool = False,
        clamps_offset: bool = False,
        before: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.ids = list(range(1, ids + 1)) if isinstance(ids, int) else list(ids)
        self.cap, self.total, self.before = cap, total, before
        self.ignores_offset, self.clamps_offset = ignores_offset, clamps_offset
        self.asked: list[tuple[int, int]] = []
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, request: Request) -> Response:
        number = len(self.asked)
        query = {name: int(text) for name, text in request.params if name != "status"}
        self.asked.append((query["limit"], query["offset"]))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.lowlevel.checkpoint()
            self.before(number)
            return Response(status=200, body=encode(self._page(number, query["limit"], query["offset"])))
        finally:
            self.in_flight -= 1

    def _page(self, number: int, limit: int, offset: int) -> dict[str, Any]:
        if self.ignores_offset:
            offset = 0
        if self.clamps_offset:
            offset = min(offset, max(len(self.ids) - min(limit, self.cap), 0))
        shown = self.ids[offset : offset + min(limit, self.cap)]
        page: dict[str, Any] = {"campaigns": [{"id": identity} for identity in shown]}
        total = self.total(number) if callable(self.total) else self.total
        if total is honest:
            total = len(self.ids)
        return page if total == "missing" else page | {"metadata": {"total": total}}

    def paginator(self, page_size: int = 100, offset: int = 0) -> Paginator[Campaign]:
        step = OffsetPages(LISTING, page_size=page_size, offset=offset)
        return Paginator(self, step, page_of(Campaign, "campaigns"))


def ids_of(items: Any) -> list[int]:
    return [item.id for item in items]
