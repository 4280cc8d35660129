"""What a client makes of a server in trouble, over real HTTP; and nothing it says shows the key."""

import asyncio
import logging
import math
from typing import Any

import pytest
from client_calls import CALLS, ONCE, PHONE, SHORT, Call, client_of, everything_shown, wire
from sandbox_caller import eventually

from voiso_async import (
    AuthenticationError,
    LanePolicy,
    RateLimitError,
    RedirectError,
    ResponseError,
    RetryPolicy,
    ServerError,
    VoisoClient,
    VoisoError,
)
from voiso_async.sandbox import (
    ALL_SCOPES,
    ApplyThenClose,
    Drip,
    Garbage,
    GzipBomb,
    Html,
    Huge,
    Json,
    Redirect,
    Refuse,
    Sandbox,
    Stall,
    Status,
    Truncate,
    WrongType,
)

CANARY = "canary-key-7f3a9c"


@pytest.fixture
def sandbox(voiso_sandbox: Sandbox) -> Sandbox:
    voiso_sandbox.add_user(id=1)
    voiso_sandbox.add_campaign(id=3, name="Summer", user_ids=[1], leads=["441632960101"])
    return voiso_sandbox


@pytest.mark.parametrize(
    "fault",
    [Status(503), Status(500), Status(429), Status(408), Refuse(), ApplyThenClose(), Truncate(5), Garbage()],
    ids=repr,
)
async def test_a_read_survives_trouble_that_passes(sandbox: Sandbox, fault: Any) -> None:
    sandbox.faults.add(fault, times=2)
    async with client_of(sandbox) as voiso:
        assert 3 == (await voiso.campaigns.get(3)).id
    assert ["GET /campaigns/3"] * 3 == wire(sandbox)


async def test_trouble_that_does_not_pass_ends_after_the_last_attempt(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(503), times=math.inf)
    async with client_of(sandbox, retry=RetryPolicy(max_attempts=3, base_delay=0.001)) as voiso:
        with pytest.raises(ServerError, match=r"^GET /campaigns/3 -> 503: "):
            await voiso.campaigns.get(3)
    assert 3 == len(sandbox.history)


async def test_a_retry_after_holds_other_requests_too(sandbox: Sandbox) -> None:
    """Invariant 11; reads, state calls and leads alike."""
    sandbox.faults.add(Status(429, headers={"Retry-After": "1"}))
    async with client_of(sandbox) as voiso:
        first = asyncio.create_task(voiso.campaigns.get(3))
        await eventually(lambda: sandbox.history and sandbox.history[0].ended)
        await asyncio.sleep(SHORT)
        view = voiso.with_options(timeout=5)
        await asyncio.gather(
            first,
            view.users.list().first(),
            voiso.campaigns.pause(3),
            asyncio.ensure_future(voiso.leads.add(3, [PHONE])),
        )
    ended = sandbox.history[0].ended
    assert ended is not None
    assert 5 == len(sandbox.history)
    assert all(exchange.began - ended >= 0.99 for exchange in sandbox.history[1:])


@pytest.mark.row(46)
async def test_a_retry_after_that_is_too_long_is_raised_at_once(sandbox: Sandbox) -> None:
    """Acceptance row 46."""
    sandbox.faults.add(Status(429, headers={"Retry-After": "86400"}))
    async with client_of(sandbox) as voiso:
        with pytest.raises(RateLimitError) as caught:
            await voiso.campaigns.get(3)
    assert 86400 == caught.value.retry_after
    assert 1 == len(sandbox.history)


async def test_a_500_on_a_start_is_not_repeated(sandbox: Sandbox) -> None:
    sandbox.campaigns[3].status = "paused"
    sandbox.faults.add(Status(500), times=math.inf, method="POST")
    async with client_of(sandbox) as voiso:
        with pytest.raises(ServerError):
            await voiso.campaigns.start(3)
    assert ["POST /campaigns/3/start", "GET /campaigns/3"] == wire(sandbox)


@pytest.mark.row(58)
async def test_a_page_instead_of_an_answer_is_unreadable_and_not_quoted(sandbox: Sandbox) -> None:
    """Acceptance row 58."""
    sandbox.faults.add(Html(), times=math.inf)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ResponseError) as caught:
            await voiso.campaigns.list()
    assert ("content_type", "GET /campaigns") == (caught.value.reason, caught.value.request)
    assert not any(word in everything_shown(caught.value, skip=__file__) for word in ("doctype", "sign in"))


@pytest.mark.row(59)
async def test_right_json_of_another_content_type_is_accepted(sandbox: Sandbox) -> None:
    """Acceptance row 59."""
    sandbox.faults.add(WrongType())
    async with client_of(sandbox) as voiso:
        assert 3 == (await voiso.campaigns.get(3)).id


@pytest.mark.row(72, 73)
@pytest.mark.parametrize("fault", [Huge(), GzipBomb(64 * 1024 * 1024)], ids=["endless", "bomb"])
async def test_an_answer_that_is_too_big_is_not_read_to_its_end(sandbox: Sandbox, fault: Any) -> None:
    """Acceptance rows 72 and 73."""
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ResponseError) as caught:
            await voiso.campaigns.get(3)
    assert "too_big" == caught.value.reason


@pytest.mark.row(53, 191)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(sandbox: Sandbox, code: int) -> None:
    """Acceptance rows 53 and 191."""
    async with Sandbox() as other, client_of(sandbox) as voiso:
        sandbox.faults.add(Redirect(code, f"{other.url}/api/v4/campaigns/3?token=secret"), times=2)
        for call in (voiso.campaigns.get, voiso.campaigns.pause):
            with pytest.raises(RedirectError, match=r"redirect to http://.* not followed") as caught:
                await call(3)
            assert "secret" not in str(caught.value)
        assert [] == other.history
    assert 2 == len(sandbox.history)


@pytest.mark.row(21)
async def test_a_late_answer_is_never_given_to_the_next_request(sandbox: Sandbox) -> None:
    """Acceptance row 21."""
    sandbox.faults.add(Drip(0.05, head=True))
    async with client_of(sandbox, timeout=0.3, retry=ONCE) as voiso:
        with pytest.raises(VoisoError):
            await voiso.campaigns.get(3)
        assert 1 == (await voiso.users.list())[0].id
    assert len({exchange.connection for exchange in sandbox.history}) == 2


TROUBLE = [
    Status(400, {"error": f"what is {CANARY}?"}),
    Status(401, {"errors": {CANARY: [CANARY]}}),
    Status(403, headers={"X-Echo": f"Bearer {CANARY}"}),
    Status(404, f"<p>{CANARY}"),
    Status(409, {"error": {"message": f"Authorization: Bearer {CANARY}"}}),
    Status(418, CANARY),
    Status(500, {"error": CANARY}, {"Set-Cookie": f"a={CANARY}"}),
    Json({"error": "Forbidden"}),
    Redirect(307, f"https://{CANARY}.example.com/{CANARY}"),
    Html(),
    Garbage(),
    Refuse(),
    Truncate(3),
    Stall(),
]


@pytest.mark.row(194, 195)
@pytest.mark.parametrize(
    "fault", TROUBLE, ids=lambda fault: type(fault).__name__ + str(getattr(fault, "code", ""))
)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_the_key_is_in_nothing_that_an_error_shows(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, call: Call, fault: Any
) -> None:
    """Acceptance rows 194 and 195: not with every local variable, nor in a debug log, nor when it is echoed."""
    sandbox.keys[CANARY] = set(ALL_SCOPES)
    sandbox.faults.add(fault, times=math.inf)
    asyncio.get_running_loop().set_debug(True)
    voiso = impatient(sandbox)
    with caplog.at_level(logging.DEBUG):
        result = await result_of(call, voiso)
        await voiso.aclose(grace=0)
    shown = everything_shown(result, skip=__file__) if isinstance(result, VoisoError) else repr(result)
    assert CANARY not in shown
    assert CANARY not in caplog.text
    assert sandbox.history
    assert all(one.key_right and one.authorization_count == 1 for one in sandbox.history)
    assert not any(one.key_elsewhere for one in sandbox.history)


async def result_of(call: Call, voiso: VoisoClient) -> Any:
    try:
        return await call(voiso)
    except VoisoError as error:
        return error


def impatient(sandbox: Sandbox) -> VoisoClient:
    """A client that gives everything up at once."""
    lane = LanePolicy(cooldown=0, doubt_backoff=0, doubt_attempts=1, busy_for=0, unsent_for=0, post_timeout=0.2)
    return VoisoClient(CANARY, base_url=sandbox.url, retry=ONCE, lane=lane, timeout=0.2)


async def test_a_wrong_key_is_told_what_to_check(sandbox: Sandbox) -> None:
    async with VoisoClient(CANARY, base_url=sandbox.url) as voiso:
        with pytest.raises(AuthenticationError, match="VOISO_API_KEY"):
            await voiso.campaigns.get(3)
    assert 1 == len(sandbox.history)
