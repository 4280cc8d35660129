"""A listing is read whole, no id twice, and always ends; what cannot be believed is told."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from listing_server import LISTING, ListingServer, honest, ids_of

from voiso_async.errors import APIError, ConfigurationError, PaginationError, ResponseError, ServerError
from voiso_async.models import Campaign
from voiso_async.pages import OffsetPages, Page, page_of
from voiso_async.paginator import Paginator
from voiso_async.wire import Request, Response


async def listed(paginator: Paginator[Campaign]) -> list[int]:
    return [campaign.id async for campaign in paginator]


async def test_awaiting_gives_the_first_page_in_one_request() -> None:
    server = ListingServer(250)
    page = await server.paginator()
    assert (list(range(1, 101)), 250, 0, False) == (ids_of(page), page.total, page.offset, page.drifted)
    assert (100, 1, 100) == (len(page), page[0].id, page[-1].id)
    assert [(100, 0)] == server.asked


async def test_awaiting_an_empty_listing_gives_an_empty_page() -> None:
    page = await ListingServer(0).paginator()
    assert (0, 0) == (len(page), page.total)


async def test_the_request_of_the_listing_is_kept_and_limit_and_offset_are_added() -> None:
    seen: list[Request] = []

    async def send(request: Request) -> Response:
        seen.append(request)
        return Response(status=200, body=b'{"campaigns": [], "metadata": {"total": 0}}')

    await Paginator(send, OffsetPages(LISTING, page_size=20, offset=40), page_of(Campaign, "campaigns"))
    assert "/campaigns?status=active&limit=20&offset=40" == seen[0].target
    assert ("GET", "/campaigns", "campaigns.read") == (seen[0].method, seen[0].route, seen[0].scope)


@pytest.mark.parametrize(
    ("count", "asked"),
    [
        pytest.param(0, [0], id="empty"),
        pytest.param(1, [0], id="one"),
        pytest.param(9, [0], id="short page"),
        pytest.param(10, [0, 10], id="a full page never ends the listing"),
        pytest.param(11, [0, 10], id="one more"),
        pytest.param(25, [0, 10, 20], id="three pages"),
    ],
)
async def test_every_item_comes_once_in_order(count: int, asked: list[int]) -> None:
    server = ListingServer(count)
    assert list(range(1, count + 1)) == await listed(server.paginator(page_size=10))
    assert [(10, offset) for offset in asked] == server.asked


async def test_pages_skip_the_empty_end_and_know_their_place() -> None:
    pages = [page async for page in ListingServer(20).paginator(page_size=10).pages()]
    assert [(10, 0), (10, 10)] == [(len(page), page.offset) for page in pages]


async def test_a_listing_may_begin_further_on() -> None:
    listing = await ListingServer(25).paginator(page_size=10, offset=20).collect(concurrency=4)
    assert ([21, 22, 23, 24, 25], 25, False) == (ids_of(listing), listing.total, listing.drifted)


async def test_a_listing_that_begins_beyond_the_end_is_empty_without_drift() -> None:
    listing = await ListingServer(5).paginator(offset=20).collect()
    assert ([], False) == (ids_of(listing), listing.drifted)


@pytest.mark.row(157)
@pytest.mark.parametrize("total", ["honest", "missing"])
async def test_row_157_a_server_that_gives_less_than_asked_is_read_by_what_it_gives(total: str) -> None:
    server = ListingServer(120, cap=50)
    assert list(range(1, 121)) == await listed(server.paginator())
    assert [(100, 0), (100, 50), (100, 100)] == server.asked


@pytest.mark.row(157)
async def test_row_157_a_short_page_in_the_middle_costs_nothing_if_the_total_says_more() -> None:
    server = ListingServer(25, before=lambda number: setattr(server, "cap", 3 if number == 1 else 10))
    assert list(range(1, 26)) == await listed(server.paginator(page_size=10))
    assert [0, 10, 13, 23] == [offset for _, offset in server.asked]


@pytest.mark.row(156)
@pytest.mark.parametrize("total", ["missing", None, -1, 0, 7, 10**12, lambda number: 30 + number])
async def test_row_156_a_total_that_cannot_be_believed_loses_nothing(total: Any) -> None:
    server = ListingServer(25, total=total)
    assert list(range(1, 26)) == await listed(server.paginator(page_size=10))
    assert len(server.asked) <= 4


@pytest.mark.row(156)
@pytest.mark.parametrize("total", [0, 7, 10**12, lambda number: 30 + number])
async def test_row_156_a_total_that_does_not_add_up_shows_as_drift(total: Any) -> None:
    server = ListingServer(25, total=total)
    assert (await server.paginator(page_size=10).collect()).drifted


@pytest.mark.row(156)
@pytest.mark.parametrize("total", ["missing", None, -1])
async def test_row_156_no_total_is_no_drift(total: Any) -> None:
    listing = await ListingServer(25, total=total).paginator(page_size=10).collect(strict=True)
    assert (25, None, False) == (len(listing), listing.total, listing.drifted)


@pytest.mark.row(156)
@pytest.mark.parametrize("total", ["25", 25.0, True, [25]])
async def test_row_156_a_total_of_a_wrong_type_cannot_be_read(total: Any) -> None:
    with pytest.raises(ResponseError) as caught:
        await ListingServer(25, total=total).paginator()
    assert ("$.metadata.total", "int", "GET /campaigns") == (
        caught.value.path,
        caught.value.expected,
        caught.value.request,
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "$"),
        (b"null", "$"),
        (b'{"metadata": {"total": 0}}', "$.campaigns"),
        (b'{"campaigns": null}', "$.campaigns"),
        (b'{"campaigns": {"id": 1}}', "$.campaigns"),
        (b'{"campaigns": [null]}', "$.campaigns[0]"),
        (b'{"campaigns": [{"id": 1}, {"id": "2"}]}', "$.campaigns[1].id"),
        (b'{"campaigns": [], "metadata": []}', "$.metadata"),
        (b"<html>", "$"),
    ],
)
async def test_a_page_of_another_shape_cannot_be_read(body: bytes, path: str) -> None:
    async def send(_: Request) -> Response:
        return Response(status=200, body=body)

    with pytest.raises(ResponseError) as caught:
        await Paginator(send, OffsetPages(LISTING), page_of(Campaign, "campaigns"))
    assert path == caught.value.path


async def test_a_page_without_metadata_is_read() -> None:
    async def send(_: Request) -> Response:
        return Response(status=200, body=b'{"campaigns": [{"id": 1}]}')

    paginator = Paginator(send, OffsetPages(LISTING), page_of(Campaign, "campaigns"))
    assert [1] == await listed(paginator)
    assert (await paginator).total is None


@pytest.mark.row(154)
async def test_row_154_an_item_inserted_before_the_offset_repeats_no_id() -> None:
    server = ListingServer(25, before=lambda number: server.ids.insert(0, 99) if number == 1 else None)
    listing = await server.paginator(page_size=10).collect()
    assert (list(range(1, 26)), True, 26) == (ids_of(listing), listing.drifted, listing.total)


@pytest.mark.row(154)
async def test_row_154_strict_mode_raises_at_the_first_page_that_shows_the_change() -> None:
    server = ListingServer(25, before=lambda number: server.ids.insert(0, 99) if number == 1 else None)
    with pytest.raises(PaginationError) as caught:
        await server.paginator(page_size=10).collect(strict=True)
    assert ("drift", 10) == (caught.value.reason, caught.value.offset)
    assert 2 == len(server.asked)


@pytest.mark.row(154)
async def test_row_154_an_item_inserted_while_the_total_stays_shows_by_the_repeat() -> None:
    server = ListingServer(
        25, total="missing", before=lambda number: server.ids.insert(0, 99) if number == 1 else None
    )
    drifted = [page.drifted async for page in server.paginator(page_size=10).pages()]
    assert [False, True, True] == drifted


@pytest.mark.row(154)
async def test_row_154_insertions_between_pages_of_one_do_not_stall_the_loop() -> None:
    server = ListingServer(5, before=lambda number: server.ids.insert(0, 100 + number) if number < 3 else None)
    listing = await server.paginator(page_size=1).collect()
    assert {1, 2, 3, 4, 5} <= set(ids_of(listing))
    assert listing.drifted


@pytest.mark.row(155)
async def test_row_155_an_item_deleted_before_the_offset_shows_by_the_total() -> None:
    server = ListingServer(25, before=lambda number: server.ids.pop(0) if number == 1 else None)
    listing = await server.paginator(page_size=10).collect()
    assert (24, True) == (len(listing), listing.drifted)


@pytest.mark.row(155)
async def test_row_155_items_deleted_by_the_loop_itself_show_as_drift() -> None:
    server = ListingServer(25)
    drifted = False
    async for page in server.paginator(page_size=10).pages():
        drifted = page.drifted
        for item in page:
            server.ids.remove(item.id)
    assert drifted


@pytest.mark.row(155)
async def test_row_155_strict_mode_raises_where_the_end_does_not_add_up() -> None:
    server = ListingServer(25, total=30)
    with pytest.raises(PaginationError, match="changed while it was read") as caught:
        await server.paginator(page_size=10).collect(strict=True)
    assert ("drift", "GET /campaigns") == (caught.value.reason, caught.value.request)


@pytest.mark.row(158)
@pytest.mark.parametrize("total", [250, "missing", None])
async def test_row_158_a_server_that_ignores_the_offset_is_found_out_after_one_page(total: Any) -> None:
    server = ListingServer(250, total=total, ignores_offset=True)
    items = aiter(server.paginator())
    assert list(range(1, 101)) == [(await anext(items)).id for _ in range(100)]
    with pytest.raises(PaginationError) as caught:
        await anext(items)
    assert ("stalled", 100) == (caught.value.reason, caught.value.offset)
    assert [(100, 0), (100, 100)] == server.asked


@pytest.mark.row(158)
async def test_row_158_a_changing_total_excuses_a_server_that_ignores_the_offset_three_times() -> None:
    server = ListingServer(250, total=lambda number: 1000 + number, ignores_offset=True)
    with pytest.raises(PaginationError) as caught:
        await listed(server.paginator())
    assert "stalled" == caught.value.reason
    assert len(server.asked) == 5


async def test_a_server_that_repeats_its_last_page_beyond_the_end_is_read_without_drift() -> None:
    server = ListingServer(20, clamps_offset=True)
    listing = await server.paginator(page_size=10).collect(strict=True)
    assert (list(range(1, 21)), False) == (ids_of(listing), listing.drifted)
    assert [0, 10, 20] == [offset for _, offset in server.asked]


async def test_an_id_repeated_within_a_page_comes_once() -> None:
    listing = await ListingServer([1, 2, 2, 3]).paginator().collect()
    assert ([1, 2, 3], True) == (ids_of(listing), listing.drifted)


@pytest.mark.row(160)
@pytest.mark.parametrize("page_size", [0, 101, -1, True, "20", 20.0, None])
def test_row_160_a_page_size_that_cannot_be_is_refused_before_anything_is_sent(page_size: Any) -> None:
    with pytest.raises(
        ConfigurationError, match="page_size must be a whole number from 1 to 100; nothing was sent"
    ):
        OffsetPages(LISTING, page_size=page_size)


@pytest.mark.row(160)
@pytest.mark.parametrize("offset", [-1, True, "0", 1.5])
def test_row_160_an_offset_that_cannot_be_is_refused_before_anything_is_sent(offset: Any) -> None:
    with pytest.raises(ConfigurationError, match="offset must be a whole number at least 0"):
        OffsetPages(LISTING, offset=offset)


@pytest.mark.row(162)
async def test_row_162_an_error_on_page_seven_comes_after_six_hundred_items_and_says_where() -> None:
    def refuse(number: int) -> None:
        if number == 6:
            raise ServerError("out of order", status=500, request="GET /campaigns")

    server = ListingServer(1000, before=refuse)
    items = aiter(server.paginator())
    assert list(range(1, 601)) == [(await anext(items)).id for _ in range(600)]
    with pytest.raises(ServerError) as caught:
        await anext(items)
    assert ["while listing at offset=600"] == caught.value.__notes__


@pytest.mark.row(162)
async def test_row_162_the_loop_can_go_on_where_the_error_was() -> None:
    def refuse(number: int) -> None:
        if number == 1:
            raise ServerError("out of order", status=500)

    server = ListingServer(25, before=refuse)
    items = aiter(server.paginator(page_size=10))
    found = [(await anext(items)).id for _ in range(10)]
    with pytest.raises(ServerError):
        await anext(items)
    found += [campaign.id async for campaign in items]
    assert list(range(1, 26)) == found


@pytest.mark.row(163)
async def test_row_163_ten_thousand_pages_keep_no_page_in_memory() -> None:
    server = ListingServer(10_000)
    gc.collect()
    async for page in server.paginator(page_size=1).pages():
        last = page
    assert (10_000, 9_999) == (last[0].id, last.offset)
    assert sum(isinstance(thing, Campaign) for thing in gc.get_objects()) < 10


@pytest.mark.row(164)
async def test_row_164_two_loops_over_one_paginator_are_independent() -> None:
    paginator = ListingServer(25).paginator(page_size=10)
    pairs = []
    async for one in paginator:
        async for other in paginator:
            pairs.append((one.id, other.id))
            if other.id == one.id:
                break
    assert 25 * 26 // 2 == len(pairs)
    assert list(range(1, 26)) == await listed(paginator)


@pytest.mark.row(122)
async def test_row_122_a_loop_left_early_leaves_nothing_behind() -> None:
    server = ListingServer(250)
    before = asyncio.all_tasks()
    async for _ in server.paginator():
        break
    gc.collect()
    await asyncio.sleep(0)
    assert before == asyncio.all_tasks()
    assert [(100, 0)] == server.asked


async def test_first_asks_for_one_item() -> None:
    server = ListingServer(250)
    campaign = await server.paginator().first()
    assert campaign == Campaign(id=1)
    assert [(1, 0)] == server.asked


async def test_first_of_nothing_is_none() -> None:
    assert await ListingServer(0).paginator().first() is None


async def test_a_paginator_names_its_request_only() -> None:
    assert "Paginator(GET /campaigns)" == repr(ListingServer(1).paginator())


def test_a_page_is_a_sequence_of_its_items() -> None:
    page = Page(items=(Campaign(id=1), Campaign(id=2)), total=2)
    assert [1, 2] == ids_of(page)
    assert (2, 2, True) == (len(page), page[1].id, bool(page))
    assert not Page(items=())


def refusing(status: int, past: int) -> Callable[[ListingServer], Callable[[int], None]]:
    """Let a server refuse every page that begins at ``past`` or behind it."""

    def before(server: ListingServer) -> Callable[[int], None]:
        def check(number: int) -> None:
            if server.asked[number][1] >= past:
                raise APIError("no such page", status=status)

        return check

    return before


@pytest.mark.parametrize("status", [400, 404, 416])
@pytest.mark.parametrize("total", [honest, "missing"])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_refusal_past_the_end_ends_the_listing(status: int, total: Any, concurrency: int) -> None:
    """A listing of exactly n pages asks for one more, because a total may lie."""
    server = ListingServer(30, total=total)
    server.before = refusing(status, 30)(server)
    listing = await server.paginator(page_size=10).collect(concurrency=concurrency)
    assert list(range(1, 31)) == ids_of(listing)
    assert (10, 30) in server.asked
    assert (None if total == "missing" else True, False) == (listing.complete, listing.drifted)


@pytest.mark.parametrize("status", [400, 404, 416])
async def test_a_refusal_before_the_end_is_an_error(status: int) -> None:
    server = ListingServer(30)
    server.before = refusing(status, 20)(server)
    with pytest.raises(APIError):
        await server.paginator(page_size=10).collect()
    server.before = refusing(status, 0)(server)
    with pytest.raises(APIError):
        await server.paginator(page_size=10)


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500])
async def test_another_refusal_past_the_end_is_an_error(status: int) -> None:
    server = ListingServer(30)
    server.before = refusing(status, 30)(server)
    with pytest.raises(APIError):
        await server.paginator(page_size=10).collect()


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_cap_without_a_total_is_walked_on_by_the_length_it_gives(concurrency: int) -> None:
    server = ListingServer(120, cap=50, total="missing")
    listing = await server.paginator().collect(concurrency=concurrency)
    assert list(range(1, 121)) == ids_of(listing)
    assert [(100, 0), (100, 50), (100, 100)] == server.asked
    assert (None, None) == (listing.total, listing.complete), "nobody knows whether there are more"


async def test_a_listing_says_whether_it_is_complete() -> None:
    assert True is (await ListingServer(25).paginator(page_size=10).collect()).complete
    assert False is (await ListingServer(25).paginator(page_size=10).collect(limit=5)).complete
    assert False is (await ListingServer(25, total=30).paginator(page_size=10).collect()).complete
    assert None is (await ListingServer(0, total="missing").paginator().collect()).complete
