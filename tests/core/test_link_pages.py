"""Links are followed within the listing only: the credentials go where they lead."""

from typing import Any

import pytest
from attrs import frozen

from voiso_async.errors import PaginationError, ResponseError
from voiso_async.pages import LinkPages, Page
from voiso_async.paginator import Paginator
from voiso_async.talkdesk.pages import hal_link
from voiso_async.wire import Request

BASE = "https://api.example.com"
PATH = "/campaigns/c-1/users"
LISTING = Request.to("GET", "/campaigns/{id}/users", {"id": "c-1"}, params=[("page", "1"), ("per_page", "2")])


@frozen
class Item:
    id: str


def page(*ids: str, link: str | None = None, total: int | None = None) -> Page[Item]:
    return Page(items=tuple(map(Item, ids)), next_link=link, total=total)


class LinkServer:
    """Answers each target with its page, and writes down what it was asked."""

    def __init__(self, *pages: Page[Item], base_url: str = BASE) -> None:
        self.pages, self.base_url = list(pages), base_url
        self.asked: list[str] = []

    async def __call__(self, request: Request) -> Page[Item]:
        self.asked.append(request.target)
        return self.pages[len(self.asked) - 1]

    def paginator(self) -> Paginator[Item]:
        return Paginator(self, LinkPages(LISTING, base_url=self.base_url), lambda answer, _: answer)


@pytest.mark.parametrize(
    "link",
    [
        f"{BASE}{PATH}?page=2&per_page=2",
        f"https://API.example.com:443{PATH}?page=2&per_page=2#top",
        f"//api.example.com{PATH}?page=2&per_page=2",
        f"{PATH}?page=2&per_page=2",
        "users?page=2&per_page=2",
        "./users?page=2&per_page=2",
        "?page=2&per_page=2",
    ],
)
async def test_a_link_within_the_listing_is_followed(link: str) -> None:
    server = LinkServer(page("a", "b", link=link, total=3), page("c", total=3))
    listing = await server.paginator().collect(strict=True)
    assert ["a", "b", "c"] == [item.id for item in listing]
    assert [f"{PATH}?page=1&per_page=2", f"{PATH}?page=2&per_page=2"] == server.asked


async def test_a_cursor_goes_back_as_it_came() -> None:
    link = "?cursor=a%2Bb%2F%3D%3D&blank=&word=%C3%A9"
    server = LinkServer(page("a", link=link), page("b"))
    await server.paginator().collect()
    assert f"{PATH}{link}" == server.asked[1]


@pytest.mark.row(165)
@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example.net{PATH}?page=2",
        f"https://api.example.com.example.net{PATH}?page=2",
        f"https://api.example.com:8443{PATH}?page=2",
        f"http://api.example.com{PATH}?page=2",
        f"ftp://api.example.com{PATH}?page=2",
        f"https://user:pw@api.example.com{PATH}?page=2",
        f"https://@api.example.com{PATH}?page=2",
        f"https://api.example.com@evil.example.net{PATH}?page=2",
        f"//evil.example.net{PATH}?page=2",
        f"///evil.example.net{PATH}?page=2",
        f"\\\\evil.example.net{PATH}?page=2",
        f"https:\\\\evil.example.net{PATH}?page=2",
        f"https://api.example.com:bad{PATH}?page=2",
        f"https://[api.example.com{PATH}?page=2",
        "javascript:alert(1)",
        "file:///etc/hosts",
        "../users?page=2",
        "../../other/users?page=2",
        "/campaigns/c-2/users?page=2",
        "/campaigns/c-1/users/?page=2",
        "/campaigns/c-1/%75sers?page=2",
        f"{PATH}?page=2\nHost: evil.example.net",
        f"{PATH}?page=2 ",
        f"{PATH}?page=é",
        f"{PATH}?cursor=%ff",
        f"{PATH}?x=".ljust(2084, "x"),
    ],
)
async def test_row_165_a_link_that_leads_away_is_an_error_and_nothing_is_requested(link: str) -> None:
    server = LinkServer(page("a", "b", link=link))
    items = aiter(server.paginator())
    assert ["a", "b"] == [(await anext(items)).id for _ in range(2)]
    with pytest.raises(PaginationError) as caught:
        await anext(items)
    assert ("foreign_link", "GET /campaigns/{id}/users") == (caught.value.reason, caught.value.request)
    assert "evil" not in str(caught.value)
    assert 1 == len(server.asked)


@pytest.mark.row(165)
async def test_row_165_a_link_of_the_greatest_length_is_followed() -> None:
    server = LinkServer(page("a", link=f"{PATH}?x=".ljust(2083, "x")), page("b"))
    assert 2 == len(await server.paginator().collect())


async def test_awaiting_the_first_page_does_not_look_at_its_link() -> None:
    server = LinkServer(page("a", link="https://evil.example.net/"))
    first = await server.paginator()
    assert (["a"], None) == ([item.id for item in first], first.offset)


@pytest.mark.row(165)
@pytest.mark.parametrize(
    "link", ["?page=1&per_page=2", "?per_page=2&page=1", f"{BASE}:443{PATH}?page=1&per_page=2#x"]
)
async def test_row_165_a_link_to_itself_is_a_loop(link: str) -> None:
    server = LinkServer(page("a", "b", link=link, total=5))
    with pytest.raises(PaginationError) as caught:
        await server.paginator().collect()
    assert "loop" == caught.value.reason
    assert 1 == len(server.asked)


@pytest.mark.row(165)
async def test_row_165_a_link_to_an_earlier_page_is_a_loop() -> None:
    server = LinkServer(
        page("a", link="?page=2"), page("b", link="?page=3"), page("c", link="?page=2"), page("never")
    )
    with pytest.raises(PaginationError) as caught:
        await server.paginator().collect()
    assert "loop" == caught.value.reason
    assert 3 == len(server.asked)


async def test_a_link_back_is_the_end_once_everything_was_listed() -> None:
    server = LinkServer(page("a", "b", link="?page=2", total=3), page("c", link="?page=2", total=3))
    assert ["a", "b", "c"] == [item.id for item in await server.paginator().collect(strict=True)]


async def test_new_links_to_the_same_items_are_a_stall() -> None:
    server = LinkServer(page("a", link="?page=2", total=9), page("a", link="?page=3", total=9), page("never"))
    with pytest.raises(PaginationError) as caught:
        await server.paginator().collect()
    assert "stalled" == caught.value.reason


async def test_an_empty_page_ends_a_listing_that_promises_no_more() -> None:
    server = LinkServer(page("a", link="?page=2", total=1), page(link="?page=3", total=1), page("never"))
    assert ["a"] == [item.id for item in await server.paginator().collect()]


async def test_an_empty_page_does_not_end_a_listing_that_promises_more() -> None:
    server = LinkServer(page("a", link="?page=2", total=2), page(link="?page=3", total=2), page("b", total=2))
    assert ["a", "b"] == [item.id for item in await server.paginator().collect(strict=True)]


async def test_endless_empty_pages_are_a_stall() -> None:
    server = LinkServer(*(page(link=f"?page={number}", total=9) for number in range(2, 50)))
    with pytest.raises(PaginationError) as caught:
        await server.paginator().collect()
    assert "stalled" == caught.value.reason
    assert len(server.asked) <= 5


async def test_a_repeated_id_comes_once_and_shows_as_drift() -> None:
    server = LinkServer(page("a", "b", link="?page=2"), page("b", "c"))
    listing = await server.paginator().collect()
    assert (["a", "b", "c"], True) == ([item.id for item in listing], listing.drifted)


async def test_links_cannot_be_read_ahead() -> None:
    server = LinkServer(page("a", link="?page=2", total=2), page("b", total=2))
    assert ["a", "b"] == [item.id for item in await server.paginator().collect(concurrency=8)]
    assert 2 == len(server.asked)
    assert not LinkPages(LISTING, base_url=BASE).fits(page("a"), None)


async def test_first_takes_the_first_item_behind_empty_pages() -> None:
    server = LinkServer(page(link="?page=2", total=1), page("a", total=1))
    assert Item("a") == await server.paginator().first()


async def test_an_error_between_links_comes_as_itself_without_a_place() -> None:
    async def refuse(_: Request) -> Page[Item]:
        raise ResponseError("unreadable")

    paginator = Paginator(refuse, LinkPages(LISTING, base_url=BASE), lambda answer, _: answer)
    with pytest.raises(ResponseError) as caught:
        await paginator
    assert not hasattr(caught.value, "__notes__")


async def test_a_base_with_a_path_is_part_of_the_listing() -> None:
    base = "http://127.0.0.1:8080/prefix"
    server = LinkServer(page("a", link=f"/prefix{PATH}?page=2"), page("b"), base_url=base)
    await server.paginator().collect()
    assert f"{PATH}?page=2" == server.asked[1]
    server = LinkServer(page("a", link=f"{PATH}?page=2"), base_url=base)
    with pytest.raises(PaginationError):
        await server.paginator().collect()


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ({"_links": {"next": {"href": "?page=2"}}}, "?page=2"),
        ({"_links": {"next": {"href": " ?page=2 "}}}, "?page=2"),
        ({"_links": {"next": {"href": "?page={n}", "templated": True}}}, None),
        ({"_links": {"next": {"href": "?page=2", "templated": False}}}, "?page=2"),
        ({"_links": {"next": {"href": " "}}}, None),
        ({"_links": {"next": {"href": None}}}, None),
        ({"_links": {"next": {}}}, None),
        ({"_links": {"next": None}}, None),
        ({"_links": {"next": "?page=2"}}, None),
        ({"_links": {"self": {"href": "?page=2"}}}, None),
        ({"_links": []}, None),
        ({}, None),
    ],
)
def test_the_link_of_a_hal_page(body: Any, link: str | None) -> None:
    assert link == hal_link(body, LISTING)


def test_a_link_of_a_wrong_type_is_not_taken_for_the_end() -> None:
    with pytest.raises(ResponseError) as caught:
        hal_link({"_links": {"next": {"href": 3}}}, LISTING)
    assert ("$._links.next.href", "str") == (caught.value.path, caught.value.expected)
