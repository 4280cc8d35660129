"""Linked pages: every odd form is met, and the token never leaves its origin."""

from typing import Any

import pytest
from client_calls import everything_shown
from raw_server import RawServer, answer
from talkdesk_stage import QUICK, calls, client_of, odd

from voiso_async import ConfigurationError, PaginationError, ResponseError
from voiso_async.convert import encode
from voiso_async.pages import LinkPages
from voiso_async.paginator import Paginator
from voiso_async.sandbox import Sandbox, Status
from voiso_async.talkdesk import CampaignUser, TalkdeskClient
from voiso_async.talkdesk.pages import HalPages, hal_page_of
from voiso_async.wire import Request, Response

IDS = [f"u-{number}" for number in range(250)]
TOKEN_ANSWER = answer(body={"access_token": "canary-token-77", "token_type": "Bearer", "expires_in": 599})


@pytest.fixture
def campaign(voiso_sandbox: Sandbox) -> str:
    return voiso_sandbox.talkdesk.add_campaign(user_ids=IDS).id


async def test_five_thousand_users_come_once_and_in_order(voiso_sandbox: Sandbox) -> None:
    ids = [f"u-{number}" for number in range(5000)]
    large = voiso_sandbox.talkdesk.add_campaign(user_ids=ids)
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.campaigns.users(large.id).collect(strict=True)
    assert ids == [user.id for user in found]
    assert (5000, False, 50) == (found.total, found.drifted, len(calls(voiso_sandbox)))


@pytest.mark.parametrize("form", ["absolute", "relative", "bare", "docs", "foreign"])
async def test_every_form_of_the_link_is_followed_to_the_end(
    voiso_sandbox: Sandbox, campaign: str, form: str
) -> None:
    odd(voiso_sandbox, next_link=form)
    async with client_of(voiso_sandbox) as talkdesk:
        assert IDS == [user.id async for user in talkdesk.campaigns.users(campaign)]
        pages = [len(page) async for page in talkdesk.campaigns.users(campaign, page_size=60).pages()]
    assert [60, 60, 60, 60, 10] == pages
    assert 8 == len(calls(voiso_sandbox))


@pytest.mark.row(165)
async def test_row_165_the_other_host_sees_neither_a_request_nor_the_token(
    voiso_sandbox: Sandbox, campaign: str
) -> None:
    async with RawServer(answer()) as other:
        odd(voiso_sandbox, next_link="foreign", foreign=f"http://127.0.0.1:{other.port}")
        async with client_of(voiso_sandbox) as talkdesk:
            assert 250 == len(await talkdesk.campaigns.users(campaign).collect())
        odd(voiso_sandbox, foreign=f"http://127.0.0.1:{other.port}/other")
        async with client_of(voiso_sandbox) as talkdesk:
            with pytest.raises(PaginationError) as caught:
                await talkdesk.campaigns.users(campaign).collect()
        assert "foreign_link" == caught.value.reason
    assert (0, []) == (other.connections, other.requests)


@pytest.mark.parametrize("form", ["docs_elsewhere", "wrong_scheme", "wrong_port"])
@pytest.mark.row(165)
async def test_row_165_a_link_that_leads_away_is_an_error_after_the_first_page(
    voiso_sandbox: Sandbox, campaign: str, form: str
) -> None:
    odd(voiso_sandbox, next_link=form)
    async with client_of(voiso_sandbox) as talkdesk:
        items = aiter(talkdesk.campaigns.users(campaign))
        assert IDS[:100] == [(await anext(items)).id for _ in range(100)]
        with pytest.raises(PaginationError) as caught:
            await anext(items)
    assert ("foreign_link", 1) == (caught.value.reason, len(calls(voiso_sandbox)))
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "link",
    [
        "https://user:pw@elsewhere.example.net/campaigns/c1/users?page=2",
        "https://elsewhere.example.net/campaigns/c1/users/../users?page=2",
        "https://elsewhere.example.net/campaigns/c2/users?page=2",
        "ftp://elsewhere.example.net/campaigns/c1/users?page=2",
        "javascript:alert(1)",
        "https:\\\\elsewhere.example.net/campaigns/c1/users?page=2",
        "https://elsewhere.example.net:bad/campaigns/c1/users?page=2",
        "/campaigns/c1/users?page=2\nHost: elsewhere.example.net",
        "https://[elsewhere/campaigns/c1/users?page=2",
        "/campaigns/c1/%75sers?page=2",
        "/campaigns/c1/users?page=2".ljust(2084, "x"),
    ],
)
@pytest.mark.row(165)
async def test_row_165_a_hostile_link_is_not_followed(link: str) -> None:
    body = {"total": 9, "_embedded": {"users": [{"id": "u1"}]}, "_links": {"next": {"href": link}}}
    async with (
        RawServer(answer(body=body)) as api,
        RawServer(TOKEN_ANSWER) as issuer,
        TalkdeskClient(
            base_url=f"http://127.0.0.1:{api.port}",
            token_url=f"http://127.0.0.1:{issuer.port}/oauth/token",
            client_id="client",
            client_secret="secret",
            retry=QUICK,
        ) as talkdesk,
    ):
        with pytest.raises(PaginationError) as caught:
            await talkdesk.campaigns.users("c1").collect()
    assert ("foreign_link", 1) == (caught.value.reason, len(api.requests))
    assert "canary-token-77" not in everything_shown(caught.value, __file__)
    assert "elsewhere" not in str(caught.value)


@pytest.mark.parametrize("form", ["self", "cycle"])
@pytest.mark.row(165)
async def test_row_165_a_link_that_leads_back_is_a_loop_while_more_is_promised(
    voiso_sandbox: Sandbox, campaign: str, form: str
) -> None:
    odd(voiso_sandbox, next_link=form, other_total=999)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(PaginationError) as caught:
            await talkdesk.campaigns.users(campaign).collect()
    assert "loop" == caught.value.reason
    assert len(calls(voiso_sandbox)) <= 3


@pytest.mark.parametrize(("form", "total", "found"), [("self", -1, 100), ("cycle", -1, 250), ("cycle", 250, 250)])
async def test_a_link_that_leads_back_is_the_end_where_no_more_is_promised(
    voiso_sandbox: Sandbox, campaign: str, form: str, total: int, found: int
) -> None:
    odd(voiso_sandbox, next_link=form, other_total=total)
    async with client_of(voiso_sandbox) as talkdesk:
        assert found == len(await talkdesk.campaigns.users(campaign).collect())


@pytest.mark.parametrize("form", ["null", "blank", "templated", "none"])
async def test_no_link_is_the_end_and_what_is_missing_shows(
    voiso_sandbox: Sandbox, campaign: str, form: str
) -> None:
    odd(voiso_sandbox, next_link=form)
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.campaigns.users(campaign).collect()
        assert (100, 250, True) == (len(found), found.total, found.drifted)
        with pytest.raises(PaginationError):
            await talkdesk.campaigns.users(campaign).collect(strict=True)


async def test_page_numbers_and_totals_that_contradict_the_links_are_not_believed(
    voiso_sandbox: Sandbox, campaign: str
) -> None:
    odd(voiso_sandbox, other_page=6, other_total=54, misspelt=True)
    async with client_of(voiso_sandbox) as talkdesk:
        assert IDS == [user.id async for user in talkdesk.campaigns.users(campaign)]


async def test_users_that_stand_on_two_pages_come_once(voiso_sandbox: Sandbox, campaign: str) -> None:
    odd(voiso_sandbox, overlap=7)
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.campaigns.users(campaign).collect()
    assert (IDS, True) == ([user.id for user in found], found.drifted)


@pytest.mark.parametrize("embedded", ["always", "filled"])
async def test_an_empty_campaign_has_no_users(voiso_sandbox: Sandbox, embedded: str) -> None:
    odd(voiso_sandbox, embedded=embedded)
    empty = voiso_sandbox.talkdesk.add_campaign()
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.campaigns.users(empty.id).collect(strict=True)
        assert await talkdesk.campaigns.users(empty.id).first() is None
    assert ([], 0) == (found, found.total)


async def test_a_page_that_hides_its_items_is_no_empty_page(voiso_sandbox: Sandbox, campaign: str) -> None:
    odd(voiso_sandbox, embedded="never")
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(ResponseError) as caught:
            await talkdesk.campaigns.users(campaign)
    assert ("$._embedded.users", 1) == (caught.value.path, len(calls(voiso_sandbox)))


async def test_a_page_that_fails_is_asked_for_again(voiso_sandbox: Sandbox, campaign: str) -> None:
    voiso_sandbox.faults.add(Status(503), path=r"/talkdesk/campaigns/.+", times=2)
    async with client_of(voiso_sandbox) as talkdesk:
        assert 250 == len(await talkdesk.campaigns.users(campaign).collect(concurrency=4))
    assert 5 == len(calls(voiso_sandbox))


async def test_a_listing_that_goes_on_for_ever_ends() -> None:
    asked: list[str] = []

    async def send(request: Request) -> Response:
        asked.append(request.target)
        page = {
            "_embedded": {"users": [{"id": str(len(asked))}]},
            "_links": {"next": {"href": f"?p={len(asked)}"}},
        }
        return Response(status=200, body=encode(page))

    listing = Request.to("GET", "/campaigns/{id}/users", {"id": "c1"})
    steps = HalPages(LinkPages(listing, base_url="https://api.example.com"))
    with pytest.raises(PaginationError) as caught:
        await Paginator(send, steps, hal_page_of(CampaignUser, "users")).collect()
    assert ("endless", 1000) == (caught.value.reason, len(asked))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"_embedded": []}',
        b'{"_embedded": {"users": {}}}',
        b'{"_embedded": {"users": [3]}}',
        b'{"_embedded": {"users": [{"id": 3}]}}',
        b'{"_embedded": {"users": [{}]}}',
        b'{"_embedded": {"users": []}, "_links": {"next": {"href": 3}}}',
        b"<html>",
    ],
)
def test_a_page_that_cannot_be_read_is_an_error(body: bytes) -> None:
    request = Request.to("GET", "/campaigns/{id}/users", {"id": "c1"})
    with pytest.raises(ResponseError):
        hal_page_of(CampaignUser, "users")(Response(status=200, body=body), request)


@pytest.mark.parametrize("size", [0, 101, True, "20", 2.0, None])
async def test_a_page_size_that_cannot_be_is_refused_at_once(voiso_sandbox: Sandbox, size: Any) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(ConfigurationError):
            talkdesk.campaigns.users("c1", page_size=size)
    assert [] == voiso_sandbox.history


@pytest.mark.parametrize("campaign_id", ["../users", "3?x", "3#y", "%2e%2e", "3/users", "", None, -1, "é", "a b"])
@pytest.mark.row(189)
async def test_row_189_a_hostile_id_is_refused_at_once(voiso_sandbox: Sandbox, campaign_id: Any) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        for call in (talkdesk.campaigns.get, talkdesk.campaigns.pause, talkdesk.users.get):
            with pytest.raises(ConfigurationError):
                await call(campaign_id)
        with pytest.raises(ConfigurationError):
            talkdesk.campaigns.users(campaign_id)
    assert [] == voiso_sandbox.history
