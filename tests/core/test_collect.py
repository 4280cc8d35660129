"""``collect`` gives what a plain loop gives, in the same order, however many pages it reads at a time."""

import asyncio
import pickle
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listing_server import ListingServer, ids_of

from voiso_async.errors import ConfigurationError, PaginationError, ServerError
from voiso_async.models import Campaign
from voiso_async.paginator import Listing


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8, 32])
async def test_pages_read_in_parallel_come_in_order(concurrency: int) -> None:
    server = ListingServer(255)
    listing = await server.paginator(page_size=10).collect(concurrency=concurrency)
    assert (list(range(1, 256)), 255, False) == (ids_of(listing), listing.total, listing.drifted)
    assert sorted({*range(0, 260, 10)}) == sorted(offset for _, offset in server.asked)
    assert min(concurrency, 25) == server.most_in_flight


async def test_a_slow_page_does_not_change_the_order() -> None:
    server = ListingServer(40)

    async def slowly(request: Any) -> Any:
        answer = await server(request)
        await asyncio.sleep(0.02 if ("offset", "10") in request.params else 0)
        return answer

    paginator = server.paginator(page_size=10)
    paginator._send = slowly
    assert list(range(1, 41)) == ids_of(await paginator.collect(concurrency=4))


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    ("limit", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3), (250, 25), (300, 26), (10**9, 26)]
)
async def test_limit_reads_no_page_more_than_it_needs(limit: int, requests: int, concurrency: int) -> None:
    server = ListingServer(250)
    listing = await server.paginator(page_size=10).collect(limit, concurrency=concurrency)
    assert list(range(1, min(limit, 250) + 1)) == ids_of(listing)
    assert requests == len(server.asked)


async def test_limit_is_no_drift() -> None:
    listing = await ListingServer(250).paginator().collect(limit=150, concurrency=2, strict=True)
    assert (150, 250, False) == (len(listing), listing.total, listing.drifted)


@pytest.mark.parametrize("arguments", [{"limit": -1}, {"limit": True}, {"limit": "5"}, {"limit": 1.5}])
async def test_a_limit_that_cannot_be_is_refused_before_anything_is_sent(arguments: Any) -> None:
    server = ListingServer(250)
    with pytest.raises(ConfigurationError, match="limit must be a whole number at least 0"):
        await server.paginator().collect(**arguments)
    assert [] == server.asked


@pytest.mark.parametrize("concurrency", [0, 33, -1, True, "4", None])
async def test_a_concurrency_that_cannot_be_is_refused_before_anything_is_sent(concurrency: Any) -> None:
    server = ListingServer(250)
    with pytest.raises(ConfigurationError, match="concurrency must be a whole number from 1 to 32"):
        await server.paginator().collect(concurrency=concurrency)
    assert [] == server.asked


async def test_without_a_total_nothing_is_read_ahead() -> None:
    server = ListingServer(250, total="missing")
    assert 250 == len(await server.paginator(page_size=10).collect(concurrency=8))
    assert 1 == server.most_in_flight


async def test_a_server_that_gives_less_than_asked_is_read_ahead_by_what_it_gives() -> None:
    server = ListingServer(200, cap=50)
    assert list(range(1, 201)) == ids_of(await server.paginator().collect(concurrency=8))
    assert [0, 50, 100, 150, 200] == sorted(offset for _, offset in server.asked)


async def test_the_empty_page_after_a_full_last_one_is_read_ahead_too() -> None:
    server = ListingServer(40)
    assert list(range(1, 41)) == ids_of(await server.paginator(page_size=10).collect(concurrency=4))
    assert [0, 10, 20, 30, 40] == [offset for _, offset in server.asked]
    assert server.most_in_flight == 4


async def test_a_total_far_too_high_costs_at_most_the_pages_in_flight() -> None:
    server = ListingServer(25, total=10**12)
    listing = await server.paginator(page_size=10).collect(concurrency=8)
    assert (list(range(1, 26)), True) == (ids_of(listing), listing.drifted)
    assert len(server.asked) <= 3 + 2 * 8


async def test_a_server_that_ignores_the_offset_is_found_out_by_the_pages_in_flight() -> None:
    server = ListingServer(250, total=10**12, ignores_offset=True)
    with pytest.raises(PaginationError) as caught:
        await server.paginator(page_size=10).collect(concurrency=8)
    assert ("stalled", 10) == (caught.value.reason, caught.value.offset)
    assert len(server.asked) <= 2 + 2 * 8


async def test_a_page_that_is_short_before_the_end_is_read_again_with_all_later_ones() -> None:
    server = ListingServer(60, before=lambda number: setattr(server, "cap", 4 if number == 3 else 10))
    listing = await server.paginator(page_size=10).collect(concurrency=5)
    assert (list(range(1, 61)), False) == (ids_of(listing), listing.drifted)
    offsets = [offset for _, offset in server.asked]
    assert [0, 10, 20, 30, 40, 50, 60] == offsets[:7]
    assert [30, 40, 50, 60] == offsets[7:]


async def test_a_page_that_shows_another_total_is_read_again_with_all_later_ones_and_told() -> None:
    server = ListingServer(60, before=lambda number: server.ids.append(99) if number == 3 else None)
    listing = await server.paginator(page_size=10).collect(concurrency=5)
    assert ([*range(1, 61), 99], 61, True) == (ids_of(listing), listing.total, listing.drifted)
    assert [30, 40, 50, 60] == [offset for _, offset in server.asked[7:]]


async def test_a_page_that_repeats_an_id_is_read_again_and_told() -> None:
    """The total stays: one item was inserted before the offset, another was deleted at the end."""

    def mutate(number: int) -> None:
        if number == 3:
            server.ids.insert(0, 99)
            server.ids.pop()

    server = ListingServer(60, before=mutate)
    listing = await server.paginator(page_size=10).collect(concurrency=5)
    assert (list(range(1, 60)), True) == (ids_of(listing), listing.drifted)


async def test_strict_raises_for_drift_found_in_parallel() -> None:
    server = ListingServer(60, before=lambda number: server.ids.pop(0) if number == 3 else None)
    with pytest.raises(PaginationError) as caught:
        await server.paginator(page_size=10).collect(concurrency=5, strict=True)
    assert ("drift", 30) == (caught.value.reason, caught.value.offset)


async def test_an_error_in_a_page_read_ahead_comes_as_itself_with_its_offset() -> None:
    def refuse(number: int) -> None:
        if number == 3:
            raise ServerError("out of order", status=500)

    server = ListingServer(1000, before=refuse)
    with pytest.raises(ServerError) as caught:
        await server.paginator(page_size=10).collect(concurrency=4)
    assert ["while listing at offset=30"] == caught.value.__notes__
    assert len(server.asked) <= 4 + 4
    assert 0 == server.in_flight


async def test_of_several_errors_the_one_that_a_plain_loop_meets_is_raised() -> None:
    def refuse(number: int) -> None:
        if number >= 2:
            raise ServerError(f"refusal {number}", status=500)

    with pytest.raises(ServerError, match="refusal 2") as caught:
        await ListingServer(1000, before=refuse).paginator(page_size=10).collect(concurrency=8)
    assert ["while listing at offset=20"] == caught.value.__notes__


async def test_cancelling_leaves_no_task_behind() -> None:
    server = ListingServer(1000)
    entered = asyncio.Event()

    async def stall(request: Any) -> Any:
        if len(server.asked) >= 3:
            entered.set()
            await asyncio.sleep(3600)
        return await server(request)

    paginator = server.paginator(page_size=10)
    paginator._send = stall
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(paginator.collect(concurrency=8))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert before == asyncio.all_tasks()


async def test_a_deadline_around_collect_is_honoured() -> None:
    async def stall(_: Any) -> Any:
        await asyncio.sleep(3600)

    paginator = ListingServer(1).paginator()
    paginator._send = stall
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await paginator.collect(concurrency=4)


def test_a_listing_is_a_list_that_can_be_pickled() -> None:
    listing = Listing([Campaign(id=1)], total=7, drifted=True)
    twin = pickle.loads(pickle.dumps(listing))  # noqa: S301 - our own bytes
    assert [Campaign(id=1)] == listing == twin
    assert (Listing, 7, True) == (type(twin), twin.total, twin.drifted)
    assert ([], None, False) == (Listing(), Listing().total, Listing().drifted)


def gather(server: ListingServer, page_size: int, concurrency: int) -> Listing[Campaign]:
    return asyncio.run(server.paginator(page_size=page_size).collect(concurrency=concurrency))


SIZES = st.integers(1, 12)
COUNTS = st.integers(0, 60)


@given(count=COUNTS, page_size=SIZES, cap=SIZES, concurrency=st.integers(1, 8))
def test_an_honest_server_is_read_alike_by_any_number_of_readers(
    *, count: int, page_size: int, cap: int, concurrency: int
) -> None:
    server = ListingServer(count, cap=cap)
    listing = gather(server, page_size, concurrency)
    assert (list(range(1, count + 1)), count, False) == (ids_of(listing), listing.total, listing.drifted)
    assert len(server.asked) <= count // min(page_size, cap) + 2


TOTALS = st.sampled_from(["missing", None, -1, 0]) | st.integers(0, 100)


@given(count=COUNTS, page_size=SIZES, concurrency=st.integers(2, 8), total=TOTALS, data=st.data())
def test_a_server_with_a_false_total_is_read_alike_by_any_number_of_readers(
    *, count: int, page_size: int, concurrency: int, total: Any, data: st.DataObject
) -> None:
    cap = data.draw(st.integers(1, page_size))
    alone, together = (ListingServer(count, cap=cap, total=total) for _ in range(2))
    plain, parallel = gather(alone, page_size, 1), gather(together, page_size, concurrency)
    assert plain == parallel
    assert (plain.total, plain.drifted) == (parallel.total, parallel.drifted)
    if cap == page_size:
        assert list(range(1, count + 1)) == ids_of(plain)


def inserted(server: ListingServer, place: int, fresh: int) -> None:
    server.ids.insert(place % (len(server.ids) + 1), fresh)


def deleted(server: ListingServer, place: int, _: int) -> None:
    if server.ids:
        server.ids.pop(place % len(server.ids))


def swapped(server: ListingServer, place: int, _: int) -> None:
    if server.ids:
        server.ids.append(server.ids.pop(place % len(server.ids)))


CHANGES = st.dictionaries(
    st.integers(0, 20), st.tuples(st.sampled_from([inserted, deleted, swapped]), st.integers(0, 60)), max_size=6
)
WILD_TOTALS = st.lists(TOTALS | st.just(10**9), min_size=1, max_size=4)
CAPS = st.lists(SIZES, min_size=1, max_size=4)


@given(
    count=COUNTS,
    page_size=SIZES,
    caps=CAPS,
    changes=CHANGES,
    totals=st.none() | WILD_TOTALS,
    ignores=st.booleans(),
    clamps=st.booleans(),
    concurrency=st.integers(1, 8),
)
def test_whatever_a_server_does_no_id_comes_twice_and_the_loop_ends(
    *,
    count: int,
    page_size: int,
    caps: list[int],
    changes: dict[int, Any],
    totals: list[Any] | None,
    ignores: bool,
    clamps: bool,
    concurrency: int,
) -> None:
    def before(number: int) -> None:
        server.cap = caps[number % len(caps)]
        if number in changes:
            change, place = changes[number]
            change(server, place, 1000 + number)

    server = ListingServer(count, ignores_offset=ignores, clamps_offset=clamps, before=before)
    if totals is not None:
        server.total = lambda number: totals[number % len(totals)]
    try:
        found = ids_of(gather(server, page_size, concurrency))
    except PaginationError as error:
        found = []
        assert error.reason == "stalled"  # noqa: PT017 - either result is right
    assert len(found) == len(set(found))
    assert set(found) <= {*range(1, count + 1), *range(1000, 1021)}
    assert len(server.asked) <= 4 * (count + len(changes)) + 2 * concurrency + 5
