"""Campaigns: start, pause and stop, the forms of the replies, and the filters of the list."""

import pytest
from attrs import evolve
from sandbox_caller import PHONES, serving

EVERY = [
    "draft",
    "active",
    "paused",
    "stopping",
    "completed",
    "processing",
    "stopped",
    "auto_paused",
    "pausing",
    "auto_pausing",
    "import_error",
]

ALLOWED = {
    "start": {"draft", "paused", "auto_paused"},
    "pause": {"active", "auto_paused"},
    "stop": {"active", "paused", "auto_paused"},
}

TARGETS = {"start": "active", "pause": "paused", "stop": "stopped"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nowhere",
        "/campaigns/",
        "/campaigns/999",
        "/campaigns/summer",
        "/campaigns/-3",
        "/campaigns/3/leads/1",
        "/campaigns/999/users",
        "/users/1",
    ],
)
async def test_unknown_paths_and_campaigns_are_404(path: str) -> None:
    async with serving() as (_, client):
        received = await client("GET", path)
        assert (404, {"error": "Not found"}) == (received.status, received.payload)


async def test_start_needs_a_user_and_a_lead() -> None:
    async with serving() as (sandbox, client):
        campaign = sandbox.add_campaign(id=4, status="draft")
        received = await client("POST", "/campaigns/4/start")
        assert (409, {"errors": {"users": ["is missing"]}}) == (received.status, received.payload)
        campaign.user_ids.append(1)
        received = await client("POST", "/campaigns/4/start")
        assert (409, {"errors": {"leads": ["is missing"]}}) == (received.status, received.payload)
        await client.add(PHONES[:1], campaign=4)
        assert "active" == (await client("POST", "/campaigns/4/start")).payload["status"]


@pytest.mark.parametrize("status", EVERY)
@pytest.mark.parametrize("verb", ["start", "pause", "stop"])
async def test_start_pause_and_stop_need_a_certain_status(verb: str, status: str) -> None:
    async with serving() as (sandbox, client):
        campaign = sandbox.add_campaign(id=4, status=status, user_ids=[1], leads=PHONES[:1])
        received = await client("POST", f"/campaigns/4/{verb}")
        if status in ALLOWED[verb]:
            assert (200, TARGETS[verb]) == (received.status, received.payload["status"])
            assert TARGETS[verb] == campaign.status
        else:
            assert (409, ["status"]) == (received.status, list(received.payload["errors"]))
            assert status == campaign.status


async def test_pausing_twice_is_a_conflict() -> None:
    async with serving() as (_, client):
        assert [200, 409] == [(await client("POST", "/campaigns/3/pause")).status for _ in range(2)]


async def test_a_stopped_campaign_starts_only_if_the_rules_say_so() -> None:
    async with serving() as (sandbox, client):
        sandbox.add_campaign(id=4, status="stopped", user_ids=[1], leads=PHONES[:1])
        assert 409 == (await client("POST", "/campaigns/4/start")).status
        sandbox.rules = evolve(sandbox.rules, stopped_can_start=True)
        assert 200 == (await client("POST", "/campaigns/4/start")).status


async def test_stopping_twice_is_a_conflict() -> None:
    async with serving() as (_, client):
        assert [200, 409] == [(await client("POST", "/campaigns/3/stop")).status for _ in range(2)]


async def test_start_pause_and_stop_reply_with_a_bare_short_object_and_get_with_a_wrapped_full_one() -> None:
    async with serving() as (_, client):
        short = (await client("POST", "/campaigns/3/pause")).payload
        assert {
            "id": 3,
            "name": "Summer",
            "status": "paused",
            "strategy": "predictive_ai",
            "dial_level": 2,
        } == short
        full = (await client("GET", "/campaigns/3")).payload
        assert ["campaign"] == list(full)
        assert short == {name: full["campaign"][name] for name in short}
        assert {"enabled", "value", "active_agents_threshold"} == set(full["campaign"]["dial_level_override"])


async def test_replies_to_start_pause_and_stop_can_be_wrapped() -> None:
    async with serving(state_wrapped=True) as (_, client):
        assert "paused" == (await client("POST", "/campaigns/3/pause")).payload["campaign"]["status"]


@pytest.mark.parametrize(
    ("verb", "through", "target"), [("pause", "pausing", "paused"), ("stop", "stopping", "stopped")]
)
async def test_slow_transitions_pass_through_a_state_of_their_own(verb: str, through: str, target: str) -> None:
    now = [100.0]
    async with serving(slow_transitions=60.0, clock=lambda: now[0]) as (sandbox, client):
        assert through == (await client("POST", f"/campaigns/3/{verb}")).payload["status"]
        assert 409 == (await client("POST", f"/campaigns/3/{verb}")).status
        now[0] += 60.0
        assert target == sandbox.campaigns[3].status
        assert target == (await client("GET", "/campaigns/3")).payload["campaign"]["status"]


async def test_later_versions_add_fields_replace_enums_and_null_the_optional() -> None:
    async with serving(forward_compat=True) as (_, client):
        payload = (await client("GET", "/campaigns/3")).payload
        campaign = payload["campaign"]
        assert "orbital" == campaign["strategy"]
        assert campaign["dial_level"] is campaign["caller_id_sets"] is campaign["updated_at"] is None
        assert (3, "Summer", "active") == (campaign["id"], campaign["name"], campaign["status"])
        assert {"deep": [1, None, "two"]} == campaign["unheard_of"] == payload["unheard_of"]
        lists = (await client.add(PHONES[:1])).payload["leads_import"]
        assert PHONES[:1] == lists["created"]
        assert "unheard_of" in lists


async def test_errors_are_left_as_they_are() -> None:
    async with serving(forward_compat=True) as (_, client):
        assert {"error": "Not found"} == (await client("GET", "/nowhere")).payload


async def test_decorate_changes_the_body_last() -> None:
    async with serving(decorate=lambda body: {**body, "metadata": {"total": "many"}}) as (_, client):
        assert {"total": "many"} == (await client("GET", "/users")).payload["metadata"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [3, 4, 5, 6]),
        ("name=summer", [3, 5]),
        ("name=SUMMER%20c", [5]),
        ("status=active", [3, 5]),
        ("status=active&status=paused", [3, 4, 5]),
        ("status=no_such_state", []),
        ("strategy=simple", [4]),
        ("method=file", [6]),
        ("live=true", [3, 4, 5]),
        ("live=false", [6]),
        ("live=true&status=active&name=concert", [5]),
        ("limit=1&offset=1&status=active", [5]),
    ],
)
async def test_campaigns_are_listed_by_filters(query: str, ids: list[int]) -> None:
    async with serving() as (sandbox, client):
        sandbox.add_campaign(id=4, name="Winter", status="paused", strategy="simple")
        sandbox.add_campaign(id=5, name="Summer concerts")
        sandbox.add_campaign(id=6, name="Old", status="completed", live=False, method="file")
        received = await client("GET", f"/campaigns?{query}")
        assert ids == [campaign["id"] for campaign in received.payload["campaigns"]]


async def test_a_live_filter_that_is_no_boolean_is_400() -> None:
    async with serving() as (_, client):
        assert 400 == (await client("GET", "/campaigns?live=yes")).status


async def test_live_and_method_are_shown_only_on_demand() -> None:
    async with serving() as (sandbox, client):
        assert "live" not in (await client("GET", "/campaigns/3")).payload["campaign"]
        sandbox.rules = evolve(sandbox.rules, show_live=True)
        assert (await client("GET", "/campaigns/3")).payload["campaign"]["live"] is True
        assert "api" == (await client("GET", "/campaigns")).payload["campaigns"][0]["method"]
