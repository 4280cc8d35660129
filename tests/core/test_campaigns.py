"""Campaigns over real HTTP: listed, read, started, paused, stopped, and waited for."""

import asyncio
import math
from typing import Any

import pytest
from attrs import evolve
from client_calls import ONCE, QUICK, client_of, wire
from raw_server import closed_port
from sandbox_caller import eventually

from voiso_async import (
    CampaignStatus,
    CampaignStrategy,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    NotFoundError,
    PermissionDeniedError,
    ResponseError,
    ServerError,
    TransportError,
    VoisoClient,
    VoisoError,
)
from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    Campaign,
    CloseAfterHeaders,
    Delay,
    Html,
    Json,
    Refuse,
    Sandbox,
    Status,
    Truncate,
)

ACTIONS = ("start", "pause", "stop")
every_action = pytest.mark.parametrize("action", ACTIONS)

HOSTILE_IDS = [
    "../users",
    "3?x",
    "3#y",
    "%2e%2e",
    "3/leads",
    "3/",
    "",
    " 3",
    "3\n",
    "٣",
    "+3",
    "3.0",
    "abc",
    -1,
    0,
    True,
    3.0,
    None,
    b"3",
    10**400,
    "9" * 400,
]


@pytest.fixture
def sandbox(voiso_sandbox: Sandbox) -> Sandbox:
    voiso_sandbox.add_user(id=1)
    voiso_sandbox.add_campaign(id=3, name="Summer renewals", user_ids=[1], leads=["441632960101"])
    return voiso_sandbox


def campaign_in(sandbox: Sandbox, status: str) -> Campaign:
    sandbox.campaigns[3].status = status
    return sandbox.campaigns[3]


async def act(voiso: VoisoClient, action: str, campaign_id: Any = 3) -> Any:
    return await getattr(voiso.campaigns, action)(campaign_id)


# Listed


@pytest.mark.parametrize(
    ("filters", "query", "found"),
    [
        ({}, {}, [3, 4, 5, 6]),
        ({"name": "summer"}, {"name": "summer"}, [3, 6]),
        ({"name": "r & r?#%"}, {"name": "r & r?#%"}, [5]),
        ({"status": "paused"}, {"status": "paused"}, [4, 5]),
        ({"status": CampaignStatus.PAUSED}, {"status": "paused"}, [4, 5]),
        ({"strategy": CampaignStrategy.SIMPLE}, {"strategy": "simple"}, [4]),
        ({"method": "file"}, {"method": "file"}, [6]),
        ({"live": True}, {"live": "true"}, [3, 4, 5]),
        ({"live": False}, {"live": "false"}, [6]),
        ({"name": "summer", "live": True}, {"name": "summer", "live": "true"}, [3]),
        ({"name": None, "live": None}, {}, [3, 4, 5, 6]),
    ],
)
async def test_every_filter_reaches_the_server(
    sandbox: Sandbox, filters: Any, query: Any, found: list[int]
) -> None:
    sandbox.add_campaign(id=4, name="Winter", status="paused", strategy="simple")
    sandbox.add_campaign(id=5, name="R & R?#%", status="paused")
    sandbox.add_campaign(id=6, name="Old summer", live=False, method="file")
    async with client_of(sandbox) as voiso:
        assert found == [campaign.id async for campaign in voiso.campaigns.list(**filters)]
    assert {"limit": "100", "offset": "0"} | query == dict(sandbox.history[0].query)


@pytest.mark.parametrize(
    "filters", [{"name": 1.5}, {"name": "\ud800"}, {"name": b"a"}, {"status": ["active", "paused"]}, {"live": {}}]
)
async def test_a_filter_that_cannot_be_written_is_refused_at_once(sandbox: Sandbox, filters: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match=f"^{next(iter(filters))} must be"):
            voiso.campaigns.list(**filters)
    assert [] == sandbox.history


@pytest.mark.row(160)
@pytest.mark.parametrize("page_size", [0, 101, -1, True, "20", 1.0, None])
async def test_a_page_size_that_cannot_be_is_refused_at_once(sandbox: Sandbox, page_size: Any) -> None:
    """Acceptance row 160."""
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match="page_size"):
            voiso.campaigns.list(page_size=page_size)
    assert [] == sandbox.history


@pytest.mark.parametrize(("page_size", "requests"), [(100, 3), (50, 6), (99, 3)])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_250_campaigns_come_in_order(
    sandbox: Sandbox, page_size: int, requests: int, concurrency: int
) -> None:
    for number in range(4, 253):
        sandbox.add_campaign(id=number)
    async with client_of(sandbox) as voiso:
        found = await voiso.campaigns.list(page_size=page_size).collect(concurrency=concurrency)
    assert list(range(3, 253)) == [campaign.id for campaign in found]
    assert (250, False) == (found.total, found.drifted)
    assert requests <= len(sandbox.history) <= requests + 1


async def test_awaiting_a_list_reads_one_page(sandbox: Sandbox) -> None:
    sandbox.add_campaign(id=4)
    async with client_of(sandbox) as voiso:
        page = await voiso.campaigns.list(page_size=1)
    assert (1, 2, 3) == (len(page), page.total, page[0].id)
    assert 1 == len(sandbox.history)


async def test_a_key_without_the_scope_is_told_which_one_it_needs(sandbox: Sandbox) -> None:
    sandbox.keys[sandbox.key] = {"users.read"}
    async with client_of(sandbox) as voiso:
        with pytest.raises(PermissionDeniedError, match=r"campaigns\.read"):
            await voiso.campaigns.list()
        with pytest.raises(PermissionDeniedError, match=r"campaigns\.manage"):
            await voiso.campaigns.pause(3)


# Read


async def test_one_campaign_comes_with_its_full_configuration(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        campaign = await voiso.campaigns.get("3")
    assert (3, "Summer renewals", CampaignStatus.ACTIVE) == (campaign.id, campaign.name, campaign.status)
    assert campaign.dial_level_override is not None
    assert 1.2 == campaign.dial_level_override.value
    assert ["GET /campaigns/3"] == wire(sandbox)


async def test_a_campaign_may_hold_what_nobody_has_heard_of(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, forward_compat=True, show_live=True)
    campaign_in(sandbox, "resting")
    async with client_of(sandbox) as voiso:
        campaign = await voiso.campaigns.get(3)
    assert ("resting", "orbital", True) == (campaign.status, campaign.strategy, campaign.live)
    assert isinstance(campaign.status, CampaignStatus)
    assert {"deep": [1, None, "two"]} == campaign.extra["unheard_of"]


async def test_an_unknown_campaign_is_not_found(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(NotFoundError, match=r"^GET /campaigns/4 -> 404: Not found"):
            await voiso.campaigns.get(4)
    assert 1 == len(sandbox.history)


@pytest.mark.parametrize("answer", [[], "3", None, {"campaign": []}, {"campaign": {"name": "x"}}, {"id": "3"}])
async def test_an_answer_that_is_no_campaign_is_unreadable(sandbox: Sandbox, answer: Any) -> None:
    sandbox.faults.add(Json(answer))
    async with client_of(sandbox) as voiso:
        with pytest.raises(ResponseError, match=r"^GET /campaigns/3: "):
            await voiso.campaigns.get(3)


# Started, paused, stopped


@pytest.mark.parametrize("rules", [{}, {"state_wrapped": True}], ids=["bare", "wrapped"])
@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("start", "paused", "active"), ("pause", "active", "paused"), ("stop", "active", "stopped")],
)
async def test_a_state_call_gives_the_campaign_in_either_envelope(
    sandbox: Sandbox, action: str, before: str, after: str, rules: Any
) -> None:
    campaign = campaign_in(sandbox, before)
    sandbox.rules = evolve(sandbox.rules, **rules)
    async with client_of(sandbox) as voiso:
        answer = await act(voiso, action)
    assert (3, after, after) == (answer.id, answer.status, campaign.status)
    assert [f"POST /campaigns/3/{action}"] == wire(sandbox)
    assert b"" == sandbox.history[0].body


async def test_a_state_call_may_answer_201_with_little_more_than_a_status(sandbox: Sandbox) -> None:
    """Contract 12.1 and 12.7."""
    sandbox.faults.add(Json({"id": 3, "status": "auto_paused", "name": None}, status=201))
    async with client_of(sandbox) as voiso:
        campaign = await voiso.campaigns.start(3)
    assert (3, "auto_paused", None) == (campaign.id, campaign.status, campaign.name)
    assert 1 == len(sandbox.history)


@pytest.mark.parametrize(("action", "state"), [("start", "active"), ("pause", "paused"), ("stop", "completed")])
async def test_a_state_that_forbids_it_is_a_conflict(sandbox: Sandbox, action: str, state: str) -> None:
    campaign = campaign_in(sandbox, state)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConflictError) as caught:
            await act(voiso, action)
    assert (409, "refused") == (caught.value.status, caught.value.proof)
    assert f"while {state}" in caught.value.fields["status"][0]
    assert state == campaign.status
    assert 1 == len(sandbox.history)


@pytest.mark.parametrize("missing", ["users", "leads"])
async def test_a_start_without_users_or_leads_says_what_is_missing(sandbox: Sandbox, missing: str) -> None:
    campaign = campaign_in(sandbox, "draft")
    (campaign.user_ids if missing == "users" else campaign.leads).clear()
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConflictError, match=f"{missing} is missing"):
            await voiso.campaigns.start(3)


@every_action
@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 422])
async def test_a_refused_state_call_is_sent_once_and_looked_at_never(
    sandbox: Sandbox, action: str, status: int
) -> None:
    sandbox.faults.add(Status(status))
    async with client_of(sandbox) as voiso:
        with pytest.raises(VoisoError) as caught:
            await act(voiso, action)
    assert ("refused", status) == (caught.value.proof, getattr(caught.value, "status", None))
    assert [f"POST /campaigns/3/{action}"] == wire(sandbox)


LOST_BUT_DONE = [
    ApplyThenClose(),
    ApplyThenReset(),
    Truncate(5),
    Status(500, apply=True),
    Status(503, apply=True),
    Html(apply=True),
    Status(204, apply=True),
    Json({}, apply=True),
]


@pytest.mark.parametrize("fault", LOST_BUT_DONE, ids=repr)
@pytest.mark.parametrize(
    ("action", "slow", "after"),
    [
        ("start", 0.0, "active"),
        ("pause", 0.0, "paused"),
        ("pause", 30.0, "pausing"),
        ("stop", 0.0, "stopped"),
        ("stop", 30.0, "stopping"),
    ],
)
async def test_after_a_lost_answer_one_look_tells_that_it_worked(
    sandbox: Sandbox, action: str, slow: float, after: str, fault: Any
) -> None:
    campaign_in(sandbox, "auto_paused")
    sandbox.rules = evolve(sandbox.rules, slow_transitions=slow)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        assert after == (await act(voiso, action)).status
    assert [f"POST /campaigns/3/{action}", "GET /campaigns/3"] == wire(sandbox)


async def test_a_campaign_that_paused_itself_after_a_start_was_started(sandbox: Sandbox) -> None:
    """Contract 5.5: so it may be when nobody has signed in; it goes on by itself."""
    campaign = campaign_in(sandbox, "paused")

    class StartThenClose:
        async def run(self, handler: Any) -> Any:
            await handler.process()
            campaign.status = "auto_paused"
            return handler.close()

    sandbox.faults.add(StartThenClose())
    async with client_of(sandbox) as voiso:
        assert "auto_paused" == (await voiso.campaigns.start(3)).status
    assert ["POST /campaigns/3/start", "GET /campaigns/3"] == wire(sandbox)


LOST_AND_NOT_DONE = [
    CloseAfterHeaders(),
    Refuse(),
    Status(500),
    Status(502),
    Status(408),
    Html(),
    Json({"id": "x"}),
]


@pytest.mark.parametrize("fault", LOST_AND_NOT_DONE, ids=repr)
@pytest.mark.parametrize(("action", "before"), [("start", "paused"), ("pause", "active"), ("stop", "active")])
async def test_after_a_lost_answer_without_effect_the_error_stays_in_doubt(
    sandbox: Sandbox, action: str, before: str, fault: Any
) -> None:
    """Nobody knows whether the server will still act: the call is never repeated."""
    campaign = campaign_in(sandbox, before)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        with pytest.raises(VoisoError) as caught:
            await act(voiso, action)
    assert "in_doubt" == caught.value.proof
    assert str(caught.value).startswith(f"POST /campaigns/3/{action}")
    assert caught.value.__context__ is None
    assert [f"POST /campaigns/3/{action}", "GET /campaigns/3"] == wire(sandbox)
    assert before == campaign.status


@every_action
async def test_when_the_look_fails_too_the_first_error_stands(sandbox: Sandbox, action: str) -> None:
    sandbox.faults.add(ApplyThenClose(), method="POST")
    sandbox.faults.add(Status(403), method="GET")
    async with client_of(sandbox) as voiso:
        with pytest.raises(TransportError) as caught:
            await act(voiso, action)
    assert ("in_doubt", True) == (caught.value.proof, caught.value.request.startswith("POST"))


@every_action
async def test_a_state_call_that_never_left_is_not_looked_at(action: str) -> None:
    voiso = VoisoClient("key", base_url=f"http://127.0.0.1:{await closed_port()}", retry=ONCE)
    async with voiso:
        with pytest.raises(TransportError) as caught:
            await act(voiso, action)
    assert ("not_sent", True) == (caught.value.proof, caught.value.request.startswith("POST"))


async def test_a_state_call_that_was_told_to_slow_down_is_sent_again(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(429, headers={"Retry-After": "0"}), times=2)
    async with client_of(sandbox) as voiso:
        assert "paused" == (await voiso.campaigns.pause(3)).status
    assert ["POST /campaigns/3/pause"] * 3 == wire(sandbox)


async def test_a_cancelled_state_call_stays_cancelled_and_is_not_looked_at(sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(0.2))
    async with client_of(sandbox) as voiso:
        task = asyncio.create_task(voiso.campaigns.pause(3))
        await eventually(lambda: sandbox.history)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.3)
    assert ["POST /campaigns/3/pause"] == wire(sandbox)


# Waited for


@pytest.mark.parametrize(
    "wanted", ["paused", CampaignStatus.PAUSED, ["stopped", "paused"], ("paused",), {"paused"}]
)
async def test_wait_for_goes_through_the_states_in_between(sandbox: Sandbox, wanted: Any) -> None:
    sandbox.rules = evolve(sandbox.rules, slow_transitions=0.6)
    async with client_of(sandbox) as voiso:
        assert "pausing" == (await voiso.campaigns.pause(3)).status
        campaign = await voiso.campaigns.wait_for(3, wanted, poll=0.02)
    assert ("paused", "Summer renewals") == (campaign.status, campaign.name)
    assert len(sandbox.history) > 3


async def test_wait_for_a_state_that_is_there_looks_once(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        await voiso.campaigns.wait_for("3", "active", timeout=math.inf)
    assert ["GET /campaigns/3"] == wire(sandbox)


async def test_wait_for_waits_for_a_status_that_nobody_has_heard_of(sandbox: Sandbox) -> None:
    campaign_in(sandbox, "resting")
    async with client_of(sandbox) as voiso:
        assert "resting" == (await voiso.campaigns.wait_for(3, "resting", timeout=1)).status


async def test_wait_for_ends_with_the_last_status(sandbox: Sandbox) -> None:
    campaign_in(sandbox, "pausing")
    async with client_of(sandbox) as voiso:
        with pytest.raises(DeadlineExceededError) as caught:
            await voiso.campaigns.wait_for(3, ["stopped", "paused"], timeout=0.2, poll=0.05)
    assert "after 0.2 s the campaign is pausing, not paused or stopped" == str(caught.value)
    assert caught.value.campaign is not None
    assert ("pausing", 3) == (caught.value.campaign.status, caught.value.campaign.id)


async def test_wait_for_ends_while_a_look_hangs(sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(30))
    async with client_of(sandbox) as voiso:
        with pytest.raises(DeadlineExceededError, match="was never seen") as caught:
            await voiso.campaigns.wait_for(3, "active", timeout=0.1)
    assert caught.value.campaign is None


async def test_wait_for_survives_what_reads_survive(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(503), times=2)
    async with client_of(sandbox) as voiso:
        assert 3 == (await voiso.campaigns.wait_for(3, "active")).id


async def test_wait_for_ends_when_the_campaign_is_gone(sandbox: Sandbox) -> None:
    campaign_in(sandbox, "pausing")
    async with client_of(sandbox) as voiso:
        waiting = asyncio.create_task(voiso.campaigns.wait_for(3, "paused", poll=0.02))
        await eventually(lambda: sandbox.history)
        del sandbox.campaigns[3]
        with pytest.raises(NotFoundError):
            await waiting


@pytest.mark.parametrize(
    ("status", "options"),
    [
        ("", {}),
        ([], {}),
        ([None], {}),
        (None, {}),
        (7, {}),
        ("paused", {"poll": 0}),
        ("paused", {"poll": -1}),
        ("paused", {"poll": "2"}),
        ("paused", {"poll": math.nan}),
        ("paused", {"timeout": 0}),
        ("paused", {"timeout": None}),
        ("paused", {"timeout": True}),
        ("paused", {"timeout": math.nan}),
        ("paused", {"timeout": 10**400}),
        ("paused", {"timeout": "inf"}),
    ],
)
async def test_wait_for_refuses_what_would_never_end_or_never_rest(
    sandbox: Sandbox, status: Any, options: Any
) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError):
            await voiso.campaigns.wait_for(3, status, **options)
    assert [] == sandbox.history


# Hostile


@pytest.mark.row(189)
@pytest.mark.parametrize("campaign_id", HOSTILE_IDS, ids=lambda value: repr(value)[:12])
async def test_a_hostile_id_never_changes_the_route(sandbox: Sandbox, campaign_id: Any) -> None:
    """Acceptance row 189."""
    async with client_of(sandbox, retry=QUICK) as voiso:
        it = voiso.campaigns
        calls: list[Any] = [
            lambda: it.get(campaign_id),
            lambda: it.start(campaign_id),
            lambda: it.pause(campaign_id),
            lambda: it.stop(campaign_id),
            lambda: it.wait_for(campaign_id, "active"),
            lambda: it.users(campaign_id),
            lambda: it.add_users(campaign_id, [1]),
            lambda: it.add_users(campaign_id, []),
            lambda: it.remove_user(campaign_id, 1),
            lambda: voiso.leads.add(campaign_id, ["441632960123"]),
            lambda: voiso.leads.update(campaign_id, ["441632960123"]),
        ]
        for call in calls:
            with pytest.raises(ConfigurationError, match="campaign_id must be a positive integer"):
                await call()
    assert [] == sandbox.history


@pytest.mark.row(50)
async def test_an_error_5xx_of_a_read_is_a_server_error_with_its_status(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(502), times=math.inf)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ServerError) as caught:
            await voiso.campaigns.get(3)
    assert 502 == caught.value.status
    assert 4 == len(sandbox.history)


@pytest.mark.row(55)
@pytest.mark.parametrize("code", [200, 201, 202, 203, 206, 207])
async def test_any_2xx_with_a_campaign_is_a_success(sandbox: Sandbox, code: int) -> None:
    campaign_in(sandbox, "active")
    sandbox.faults.add(Json({"campaign": {"id": 3, "status": "pausing"}}, status=code))
    sandbox.faults.add(Json({"campaign": {"id": 3, "status": "paused"}}, status=code))
    sandbox.faults.add(Json({"campaigns": [{"id": 3}], "metadata": {"total": 1}}, status=code))
    async with client_of(sandbox) as voiso:
        assert "pausing" == (await voiso.campaigns.pause(3)).status
        assert "paused" == (await voiso.campaigns.get(3)).status
        assert [3] == [one.id for one in await voiso.campaigns.list()]
    assert ["POST /campaigns/3/pause", "GET /campaigns/3", "GET /campaigns"] == [
        line.partition("?")[0] for line in wire(sandbox)
    ]


@pytest.mark.row(55, 60)
@pytest.mark.parametrize(
    "fault",
    [
        Status(202, body=b""),
        Status(204),
        Json({"status": "accepted"}, status=202),
        Status(200, body=b""),
    ],
    ids=repr,
)
@pytest.mark.parametrize(("action", "before"), [("start", "paused"), ("pause", "active"), ("stop", "active")])
async def test_a_success_without_a_campaign_is_one_and_the_campaign_is_looked_at(
    sandbox: Sandbox, action: str, before: str, fault: Any
) -> None:
    """A server may act later: the campaign need not show it yet."""
    campaign_in(sandbox, before)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        campaign = await getattr(voiso.campaigns, action)(3)
    assert (3, before) == (campaign.id, campaign.status)
    assert [f"POST /campaigns/3/{action}", "GET /campaigns/3"] == wire(sandbox)


async def test_a_success_without_a_campaign_stays_one_if_it_cannot_be_looked_at(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(204))
    sandbox.faults.add(Status(403))
    async with client_of(sandbox) as voiso:
        campaign = await voiso.campaigns.pause(3)
    assert (3, None) == (campaign.id, campaign.status)
