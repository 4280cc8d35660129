"""Rules 1 to 6 and 24 of contract section 14: keys, paths, verbs, pages, bodies, limits."""

import io
from typing import Any

import pytest
from attrs import evolve
from sandbox_caller import PHONES, visiting

from voiso_async.sandbox import Limit, Rules

BAD_PAGES = ["limit=0", "limit=101", "limit=-1", "limit=ten", "limit=", "limit=1.0", "offset=-1", "offset=x"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic c2FuZGJveC1rZXk="},
        {"Authorization": "Bearer another-key"},
        {"Authorization": "Bearer "},
        {"Authorization": "sandbox-key"},
    ],
)
async def test_rule_01_without_a_known_bearer_key_everything_is_401(headers: dict[str, str]) -> None:
    async with visiting() as (sandbox, call):
        for path in ("/campaigns", "/campaigns/999", "/nowhere"):
            said = await call("GET", path, key=None, headers=headers)
            assert (401, {"error": "Unauthorized"}) == (said.status, said.payload)
        assert [False] * 3 == [exchange.key_right for exchange in sandbox.history]


async def test_rule_01_two_authorization_headers_are_401() -> None:
    async with visiting() as (sandbox, call):
        twice = [("Authorization", "Bearer sandbox-key")] * 2
        url = f"{sandbox.url}/api/v4/campaigns"
        async with call.session.get(url, headers=twice) as answer:
            assert 401 == answer.status
        assert 2 == sandbox.history[0].authorization_count


async def test_rule_01_a_key_can_be_revoked_between_two_requests() -> None:
    async with visiting() as (sandbox, call):
        assert 200 == (await call("GET", "/campaigns")).status
        del sandbox.keys["sandbox-key"]
        assert 401 == (await call("GET", "/campaigns")).status


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/campaigns", "campaigns.read"),
        ("GET", "/campaigns/3", "campaigns.read"),
        ("GET", "/campaigns/3/users", "campaigns.read"),
        ("GET", "/users", "users.read"),
        ("POST", "/campaigns/3/start", "campaigns.manage"),
        ("POST", "/campaigns/3/pause", "campaigns.manage"),
        ("POST", "/campaigns/3/stop", "campaigns.manage"),
        ("POST", "/campaigns/3/leads", "campaigns.manage"),
        ("PATCH", "/campaigns/3/leads", "campaigns.manage"),
        ("PUT", "/campaigns/3/leads", "campaigns.manage"),
        ("POST", "/campaigns/3/users", "campaigns.manage"),
        ("DELETE", "/campaigns/3/users/1", "campaigns.manage"),
    ],
)
async def test_rule_02_each_endpoint_asks_for_its_scope(method: str, path: str, scope: str) -> None:
    async with visiting() as (sandbox, call):
        sandbox.keys["narrow"] = {"campaigns.read", "campaigns.manage", "users.read"} - {scope}
        said = await call(method, path, key="narrow")
        assert (403, {"error": "Forbidden"}) == (said.status, said.payload)
        sandbox.keys["narrow"] = {scope}
        assert 403 != (await call(method, path, key="narrow")).status


async def test_rule_03_the_root_of_the_api_is_part_of_the_path() -> None:
    async with visiting() as (sandbox, call):
        headers = {"Authorization": "Bearer sandbox-key"}
        for path in ("/campaigns", "/api/v3/campaigns", "/api/v40/campaigns"):
            async with call.session.get(sandbox.url + path, headers=headers) as answer:
                assert 404 == answer.status
        assert ["/campaigns", "/api/v3/campaigns", "/api/v40/campaigns"] == [x.path for x in sandbox.history]


async def test_rule_03_an_unknown_user_is_404() -> None:
    async with visiting() as (_, call):
        assert 404 == (await call("DELETE", "/campaigns/3/users/999")).status
        assert 404 == (await call("POST", "/campaigns/3/users", json={"user_ids": [1, 999]})).status


@pytest.mark.parametrize(("unknown", "status"), [(404, 404), (422, 422), (None, 200)])
async def test_rule_03_unknown_ids_in_a_body_are_switchable(unknown: Any, status: int) -> None:
    async with visiting(unknown_user_status=unknown) as (sandbox, call):
        said = await call("POST", "/campaigns/3/users", json={"user_ids": [999, 6]})
        assert status == said.status
        assert (6 in sandbox.campaigns[3].user_ids) is (status == 200)


@pytest.mark.parametrize("status", [404, 405])
async def test_rule_04_a_wrong_verb_on_a_known_path(status: int) -> None:
    async with visiting(wrong_verb=status, update_verbs=frozenset({"PUT"})) as (_, call):
        for method, path in (("DELETE", "/campaigns"), ("GET", "/campaigns/3/start"), ("POST", "/users")):
            assert status == (await call(method, path)).status
        assert status == (await call("PATCH", "/campaigns/3/leads")).status
        assert 400 == (await call("PUT", "/campaigns/3/leads")).status


@pytest.mark.parametrize("query", BAD_PAGES)
@pytest.mark.parametrize("path", ["/campaigns", "/users", "/campaigns/3/users"])
async def test_rule_05_a_bad_page_is_400(path: str, query: str) -> None:
    async with visiting() as (_, call):
        said = await call("GET", f"{path}?{query}")
        assert (400, {"error": "Bad Request"}) == (said.status, said.payload)


async def test_rule_05_pages_cut_the_matches_and_count_them_all() -> None:
    async with visiting() as (_, call):
        ids = []
        for offset in (0, 5, 10, 15):
            said = await call("GET", f"/users?limit=5&offset={offset}")
            assert {"total": 12} == said.payload["metadata"]
            ids.append([user["id"] for user in said.payload["users"]])
        assert [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12], []] == ids


async def test_rule_05_the_largest_page_is_the_default_one_and_larger_limits_can_be_cut() -> None:
    async with visiting(clamp_limit=True) as (sandbox, call):
        for number in range(13, 151):
            sandbox.add_user(id=number)
        for query in ("", "?limit=100", "?limit=1000"):
            assert 100 == len((await call("GET", f"/users{query}")).payload["users"])


async def test_rule_05_pages_can_be_capped_and_offsets_ignored() -> None:
    async with visiting(page_cap=4, ignore_offset=True) as (_, call):
        said = await call("GET", "/users?limit=10&offset=8")
        assert [1, 2, 3, 4] == [user["id"] for user in said.payload["users"]]
        assert {"total": 12} == said.payload["metadata"]


@pytest.mark.parametrize("body", [b"", b"[", b"{'a': 1}", b"[NaN]", b"\xff\xfe[\x00]\x00", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/campaigns/3/leads", "/campaigns/3/users"])
async def test_rule_06_a_body_that_is_not_json_is_400(path: str, body: bytes) -> None:
    async with visiting() as (_, call):
        said = await call("POST", path, data=body)
        assert (400, {"error": "Bad Request"}) == (said.status, said.payload)


async def test_refusals_come_in_the_order_of_the_contract() -> None:
    """401, 403, 404, 400, 422, 429, 409: each hides all that follow it."""
    async with visiting(cooldown=60.0, limit=Limit(requests=1, seconds=60.0)) as (sandbox, call):
        sandbox.keys["narrow"] = set()
        await call.add(PHONES[:1])
        said = [
            await call("POST", "/campaigns/9/leads", data=b"[", key="unknown"),
            await call("POST", "/campaigns/9/leads", data=b"[", key="narrow"),
            await call("POST", "/campaigns/9/leads", data=b"["),
            await call("POST", "/campaigns/3/leads", data=b"["),
            await call("POST", "/campaigns/3/leads", data=b"[]"),
            await call.add(PHONES[:1]),
        ]
        sandbox.rules = evolve(sandbox.rules, limit=None)
        said.append(await call.add(PHONES[:1]))
        assert [401, 403, 404, 400, 422, 429, 409] == [one.status for one in said]


async def test_a_body_above_the_limit_is_413_and_creates_nothing() -> None:
    async with visiting(max_body=300) as (sandbox, call):
        assert 413 == (await call.add(PHONES[:20])).status
        assert {} == sandbox.campaigns[3].leads
        assert 200 == (await call.add(PHONES[:5])).status


async def test_a_body_far_above_the_bound_is_read_to_its_end_and_not_kept() -> None:
    async with visiting() as (sandbox, call):
        body = io.BytesIO(b" " * (33 * 1024 * 1024))
        assert 413 == (await call("POST", "/campaigns/3/leads", data=body)).status
        assert len(sandbox.history[0].body) <= 32 * 1024 * 1024


@pytest.mark.parametrize(("accept", "status"), [("*/*", 200), ("application/json", 200), ("text/html", 406)])
async def test_another_format_than_json_is_406(accept: str, status: int) -> None:
    async with visiting() as (_, call):
        assert status == (await call("GET", "/campaigns", headers={"Accept": accept})).status


@pytest.mark.parametrize("switch", ["busy_status", "wrong_verb", "user_id_style", "success_status"])
def test_a_switch_takes_only_its_documented_readings(switch: str) -> None:
    reading: dict[str, Any] = {switch: 418}
    with pytest.raises(ValueError, match=switch):
        Rules(**reading)


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [
        (None, None),
        (7, "7"),
        (0.5, "0.5"),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ],
)
async def test_rule_24_the_general_limiter_answers_429(retry_after: Any, header: str | None) -> None:
    now = [100.0]
    async with visiting(limit=Limit(requests=2, seconds=60.0, retry_after=retry_after), clock=lambda: now[0]) as (
        _,
        call,
    ):
        said = [await call("GET", path) for path in ("/users", "/campaigns", "/campaigns/3")]
        assert [200, 200, 429] == [one.status for one in said]
        assert {"error": "Too many requests"} == said[-1].payload
        assert header == said[-1].headers.get("Retry-After")
        now[0] += 60.0
        assert 200 == (await call("GET", "/users")).status
