"""Tokens: one for any number of tasks, renewed in time and once after a 401, and errors in their own words."""

import asyncio
from typing import Any

import pytest
from attrs import evolve
from raw_server import RawServer, answer, closed_port
from talkdesk_stage import QUICK, TOKEN, calls, client_of, tokens

from voiso_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConnectError,
    Event,
    RedirectError,
    ResponseError,
    ServerError,
    VoisoError,
)
from voiso_async.sandbox import Html, Refuse, Sandbox, Stall, Status
from voiso_async.talkdesk import TalkdeskClient
from voiso_async.talkdesk.oauth import ClientCredentials, ClientSecret
from voiso_async.wire import Response

REFUSED = Response(status=401)


class Ticking:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def credentials(sandbox: Sandbox, **options: Any) -> ClientCredentials:
    identity = ClientSecret(sandbox.talkdesk.client_id, sandbox.talkdesk.client_secret)
    return ClientCredentials(f"{sandbox.talkdesk_url}/oauth/token", identity, **options)


async def test_fifty_tasks_at_once_fetch_one_token(voiso_sandbox: Sandbox) -> None:
    campaign = voiso_sandbox.talkdesk.add_campaign(name="Spring")
    async with client_of(voiso_sandbox) as talkdesk:
        found = await asyncio.gather(*(talkdesk.campaigns.get(campaign.id) for _ in range(50)))
    assert {"Spring"} == {one.name for one in found}
    assert (1, 50) == (tokens(voiso_sandbox), len(calls(voiso_sandbox)))
    assert all(one.key_right for one in voiso_sandbox.history if one.path != TOKEN)
    assert not any(one.key_elsewhere for one in voiso_sandbox.history)


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [
        (599, 539),
        (120, 60),
        (119, 59.5),
        (2, 1),
        (3600.5, 3540.5),
        (None, 539),
        (0, 539),
        (-5, 539),
        ("600", 539),
        (True, 539),
    ],
)
async def test_a_token_is_renewed_before_it_ends(voiso_sandbox: Sandbox, expires_in: Any, good_for: float) -> None:
    voiso_sandbox.talkdesk.rules = evolve(voiso_sandbox.talkdesk.rules, expires_in=expires_in)
    clock = Ticking()
    auth = credentials(voiso_sandbox, clock=clock)
    first = await auth.headers()
    clock.now += good_for - 0.01
    assert first == await auth.headers()
    clock.now += 0.02
    assert first != await auth.headers()
    assert 2 == tokens(voiso_sandbox)


async def test_after_a_401_the_token_is_renewed_once_for_all(voiso_sandbox: Sandbox) -> None:
    campaign = voiso_sandbox.talkdesk.add_campaign(name="Spring")
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.campaigns.get(campaign.id)
        voiso_sandbox.talkdesk.revoke()
        await asyncio.gather(*(talkdesk.campaigns.pause(campaign.id) for _ in range(20)))
    assert 2 == tokens(voiso_sandbox)
    assert 4 >= sum(one.status == 401 for one in voiso_sandbox.history)


async def test_only_the_token_that_was_refused_is_dropped(voiso_sandbox: Sandbox) -> None:
    auth = credentials(voiso_sandbox)
    await auth.headers()

    async def late() -> None:
        await auth.headers()
        given.set()
        await renewed.wait()
        assert await auth.renew(REFUSED)  # its token is gone already: the new one stays

    given, renewed = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(late())
    await given.wait()
    assert await auth.renew(REFUSED)
    fresh = await auth.headers()
    renewed.set()
    await task
    assert fresh == await auth.headers()
    assert 2 == tokens(voiso_sandbox)


async def test_a_second_401_is_final() -> None:
    token = answer(body={"access_token": "t-1", "token_type": "Bearer", "expires_in": 599})
    no = answer(401, {"code": "0530004", "message": "The token is invalid"})
    async with RawServer(no) as api, RawServer(token) as issuer, raw_client(api, issuer) as talkdesk:
        with pytest.raises(AuthenticationError, match=r"not even a fresh one") as caught:
            await talkdesk.campaigns.get("c1")
    assert (2, 2) == (len(api.requests), len(issuer.requests))
    assert ("0530004", "refused") == (caught.value.code, caught.value.proof)


def raw_client(api: RawServer, issuer: RawServer, **options: Any) -> TalkdeskClient:
    return TalkdeskClient(
        base_url=f"http://127.0.0.1:{api.port}",
        token_url=f"http://127.0.0.1:{issuer.port}/oauth/token",
        client_id="client",
        client_secret="secret",
        retry=QUICK,
        **options,
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"error": "unauthorized", "error_description": "no such client"}, AuthenticationError, "no such"),
        (400, {"error": "invalid_request", "error_description": "bad scope"}, BadRequestError, "bad scope"),
        (400, {"error": "invalid_request"}, BadRequestError, "invalid_request"),
        (403, b"<html>", APIError, "403"),
        (502, b"<html>", ServerError, "502"),
        (307, b"", RedirectError, "not followed"),
        (200, b"", ResponseError, "not JSON"),
        (200, b"[]", ResponseError, r"\$\.access_token"),
        (200, {"token_type": "Bearer"}, ResponseError, r"\$\.access_token"),
        (200, {"access_token": 3}, ResponseError, r"\$\.access_token"),
        (200, {"access_token": "two words"}, ResponseError, r"\$\.access_token"),
        (200, {"access_token": "x\r\nHost: y"}, ResponseError, r"\$\.access_token"),
        (200, {"access_token": "x" * 8001}, ResponseError, r"\$\.access_token"),
        (200, {"access_token": "abc", "token_type": "opaque"}, ResponseError, r"\$\.token_type"),
        (200, {"access_token": "abc", "token_type": None}, ResponseError, r"\$\.token_type"),
    ],
)
async def test_a_token_that_cannot_be_had_is_told_in_its_own_words(
    status: int, body: Any, kind: type[VoisoError], words: str
) -> None:
    headers = {"Location": "https://elsewhere.example.net/oauth/token"}
    token = answer(status, body, headers)
    async with RawServer(answer()) as api, RawServer(token) as issuer, raw_client(api, issuer) as talkdesk:
        with pytest.raises(kind, match=words) as caught:
            await talkdesk.campaigns.pause("c1")
    assert str(caught.value).startswith("POST /oauth/token")
    assert ("not_sent", []) == (caught.value.proof, api.requests)


async def test_the_vendors_word_is_the_code() -> None:
    body = {"error": "unauthorized", "error_description": "client 44 1632 960 123 is unknown"}
    token = answer(401, body)
    async with RawServer(answer()) as api, RawServer(token) as issuer, raw_client(api, issuer) as talkdesk:
        with pytest.raises(AuthenticationError, match="takes some minutes") as caught:
            await talkdesk.users.get("u1")
    assert "unauthorized" == caught.value.code
    assert "1632" not in str(caught.value)


async def test_a_token_endpoint_that_is_not_there() -> None:
    async with RawServer(answer()) as api:
        talkdesk = TalkdeskClient(
            base_url=f"http://127.0.0.1:{api.port}",
            token_url=f"http://127.0.0.1:{await closed_port()}/oauth/token",
            client_id="client",
            client_secret="secret",
            retry=QUICK,
        )
        async with talkdesk:
            with pytest.raises(ConnectError) as caught:
                await talkdesk.campaigns.get("c1")
    assert ("not_sent", "refused", []) == (caught.value.proof, caught.value.reason, api.requests)


@pytest.mark.parametrize("fault", [Status(503), Html(502), Status(429), Refuse()])
async def test_a_token_is_asked_for_again_before_any_request(voiso_sandbox: Sandbox, fault: Any) -> None:
    """Nothing was sent, so that even a request that must not be repeated goes on."""
    voiso_sandbox.faults.add(fault, path=TOKEN, times=3)
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.record_lists.create("Spring")
    assert (4, ["POST /talkdesk/record-lists"]) == (tokens(voiso_sandbox), calls(voiso_sandbox))


async def test_each_task_gets_its_own_error(voiso_sandbox: Sandbox) -> None:
    async with client_of(voiso_sandbox, client_secret="wrong") as talkdesk:
        errors = await asyncio.gather(*(talkdesk.campaigns.get("c1") for _ in range(4)), return_exceptions=True)
    assert 1 == tokens(voiso_sandbox)
    assert 4 == len({id(error) for error in errors})
    assert all(isinstance(error, AuthenticationError) and error.__context__ is None for error in errors)


async def test_a_task_that_leaves_does_not_take_the_token_from_the_others(voiso_sandbox: Sandbox) -> None:
    campaign = voiso_sandbox.talkdesk.add_campaign(name="Spring")
    asked = asyncio.Event()

    def note(event: Event) -> None:
        if "oauth" in str(event):
            asked.set()

    async with client_of(voiso_sandbox, on_event=note) as talkdesk:
        first = asyncio.create_task(talkdesk.campaigns.get(campaign.id))
        second = asyncio.create_task(talkdesk.campaigns.get(campaign.id))
        await asked.wait()
        first.cancel()
        assert "Spring" == (await second).name
        with pytest.raises(asyncio.CancelledError):
            await first
    assert 1 == tokens(voiso_sandbox)


async def test_closing_ends_a_token_request_under_way(voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(Stall(), path=TOKEN)
    asked = asyncio.Event()
    talkdesk = client_of(voiso_sandbox, on_event=lambda _: asked.set())
    waiting = asyncio.create_task(talkdesk.campaigns.get("c1"))
    await asked.wait()
    await talkdesk.aclose()
    with pytest.raises(ClientClosedError):
        await waiting
    await talkdesk.aclose()
    with pytest.raises(ClientClosedError):
        await talkdesk.campaigns.get("c1")


async def test_scopes_are_asked_for_and_a_missing_one_is_named(voiso_sandbox: Sandbox) -> None:
    async with client_of(voiso_sandbox, scopes=["campaigns:read"]) as talkdesk:
        await talkdesk.campaigns.list()
        with pytest.raises(APIError, match=r"scope users:read, or the account is not enrolled") as caught:
            await talkdesk.users.list()
    assert ("0040003", 403) == (caught.value.code, caught.value.status)
    async with client_of(voiso_sandbox, scopes=["campaigns:read", "coffee:make"]) as talkdesk:
        with pytest.raises(AuthenticationError, match="not granted"):
            await talkdesk.campaigns.list()
