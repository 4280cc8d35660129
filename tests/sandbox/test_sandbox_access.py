"""Keys and scopes, paths and methods, pages, bodies, and the general rate limit."""

import io
from typing import Any

import pytest
from attrs import evolve
from sandbox_caller import PHONES, serving

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
async def test_without_a_known_bearer_key_everything_is_401(headers: dict[str, str]) -> None:
    async with serving() as (sandbox, client):
        for path in ("/campaigns", "/campaigns/999", "/nowhere"):
            received = await client("GET", path, key=None, headers=headers)
            assert (401, {"error": "Unauthorized"}) == (received.status, received.payload)
        assert [False] * 3 == [exchange.key_right for exchange in sandbox.history]


async def test_two_authorization_headers_are_401() -> None:
    async with serving() as (sandbox, client):
        twice = [("Authorization", "Bearer sandbox-key")] * 2
        url = f"{sandbox.url}/api/v4/campaigns"
        async with client.session.get(url, headers=twice) as reply:
            assert 401 == reply.status
        assert 2 == sandbox.history[0].authorization_count


async def test_a_key_can_be_revoked_between_two_requests() -> None:
    async with serving() as (sandbox, client):
        assert 200 == (await client("GET", "/campaigns")).status
        del sandbox.keys["sandbox-key"]
        assert 401 == (await client("GET", "/campaigns")).status


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
async def test_each_endpoint_asks_for_its_scope(method: str, path: str, scope: str) -> None:
    async with serving() as (sandbox, client):
        sandbox.keys["narrow"] = {"campaigns.read", "campaigns.manage", "users.read"} - {scope}
        received = await client(method, path, key="narrow")
        assert (403, {"error": "Forbidden"}) == (received.status, received.payload)
        sandbox.keys["narrow"] = {scope}
        assert 403 != (await client(method, path, key="narrow")).status


async def test_the_root_of_the_api_is_part_of_the_path() -> None:
    async with serving() as (sandbox, client):
        headers = {"Authorization": "Bearer sandbox-key"}
        for path in ("/campaigns", "/api/v3/campaigns", "/api/v40/campaigns"):
            async with client.session.get(sandbox.url + path, headers=headers) as reply:
                assert 404 == reply.status
        assert ["/campaigns", "/api/v3/campaigns", "/api/v40/campaigns"] == [x.path for x in sandbox.history]


async def test_an_unknown_user_is_404() -> None:
    async with serving() as (_, client):
        assert 404 == (await client("DELETE", "/campaigns/3/users/999")).status
        assert 404 == (await client("POST", "/campaigns/3/users", json={"user_ids": [1, 999]})).status


@pytest.mark.parametrize(("unknown", "status"), [(404, 404), (422, 422), (None, 200)])
async def test_unknown_ids_in_a_body_are_switchable(unknown: Any, status: int) -> None:
    async with serving(unknown_user_status=unknown) as (sandbox, client):
        received = await client("POST", "/campaigns/3/users", json={"user_ids": [999, 6]})
        assert status == received.status
        assert (6 in sandbox.campaigns[3].user_ids) is (status == 200)


@pytest.mark.parametrize("status", [404, 405])
async def test_a_wrong_method_on_a_known_path(status: int) -> None:
    async with serving(wrong_verb=status, update_verbs=frozenset({"PUT"})) as (_, client):
        for method, path in (("DELETE", "/campaigns"), ("GET", "/campaigns/3/start"), ("POST", "/users")):
            assert status == (await client(method, path)).status
        assert status == (await client("PATCH", "/campaigns/3/leads")).status
        assert 400 == (await client("PUT", "/campaigns/3/leads")).status


@pytest.mark.parametrize("query", BAD_PAGES)
@pytest.mark.parametrize("path", ["/campaigns", "/users", "/campaigns/3/users"])
async def test_a_bad_page_is_400(path: str, query: str) -> None:
    async with serving() as (_, client):
        received = await client("GET", f"{path}?{query}")
        assert (400, {"error": "Bad Request"}) == (received.status, received.payload)


async def test_pages_cut_the_matches_and_count_them_all() -> None:
    async with serving() as (_, client):
        ids = []
        for offset in (0, 5, 10, 15):
            received = await client("GET", f"/users?limit=5&offset={offset}")
            assert {"total": 12} == received.payload["metadata"]
            ids.append([user["id"] for user in received.payload["users"]])
        assert [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12], []] == ids


async def test_the_largest_page_is_the_default_one_and_larger_limits_can_be_cut() -> None:
    async with serving(clamp_limit=True) as (sandbox, client):
        for number in range(13, 151):
            sandbox.add_user(id=number)
        for query in ("", "?limit=100", "?limit=1000"):
            assert 100 == len((await client("GET", f"/users{query}")).payload["users"])


async def test_pages_can_be_capped_and_offsets_ignored() -> None:
    async with serving(page_cap=4, ignore_offset=True) as (_, client):
        received = await client("GET", "/users?limit=10&offset=8")
        assert [1, 2, 3, 4] == [user["id"] for user in received.payload["users"]]
        assert {"total": 12} == received.payload["metadata"]


@pytest.mark.parametrize("body", [b"", b"[", b"{'a': 1}", b"[NaN]", b"\xff\xfe[\x00]\x00", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/campaigns/3/leads", "/campaigns/3/users"])
async def test_a_body_that_is_not_json_is_400(path: str, body: bytes) -> None:
    async with serving() as (_, client):
        received = await client("POST", path, data=body)
        assert (400, {"error": "Bad Request"}) == (received.status, received.payload)


async def test_errors_come_in_a_fixed_order() -> None:
    """401, 403, 404, 400, 422, 429, 409: each hides the later ones."""
    async with serving(cooldown=60.0, limit=Limit(requests=1, seconds=60.0)) as (sandbox, client):
        sandbox.keys["narrow"] = set()
        await client.add(PHONES[:1])
        received = [
            await client("POST", "/campaigns/9/leads", data=b"[", key="unknown"),
            await client("POST", "/campaigns/9/leads", data=b"[", key="narrow"),
            await client("POST", "/campaigns/9/leads", data=b"["),
            await client("POST", "/campaigns/3/leads", data=b"["),
            await client("POST", "/campaigns/3/leads", data=b"[]"),
            await client.add(PHONES[:1]),
        ]
        sandbox.rules = evolve(sandbox.rules, limit=None)
        received.append(await client.add(PHONES[:1]))
        assert [401, 403, 404, 400, 422, 429, 409] == [one.status for one in received]


async def test_a_body_above_the_limit_is_413_and_creates_nothing() -> None:
    async with serving(max_body=300) as (sandbox, client):
        assert 413 == (await client.add(PHONES[:20])).status
        assert {} == sandbox.campaigns[3].leads
        assert 200 == (await client.add(PHONES[:5])).status


async def test_a_body_far_above_the_bound_is_read_to_its_end_and_not_kept() -> None:
    async with serving() as (sandbox, client):
        body = io.BytesIO(b" " * (33 * 1024 * 1024))
        assert 413 == (await client("POST", "/campaigns/3/leads", data=body)).status
        assert len(sandbox.history[0].body) <= 32 * 1024 * 1024


@pytest.mark.parametrize(("accept", "status"), [("*/*", 200), ("application/json", 200), ("text/html", 406)])
async def test_another_format_than_json_is_406(accept: str, status: int) -> None:
    async with serving() as (_, client):
        assert status == (await client("GET", "/campaigns", headers={"Accept": accept})).status


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
async def test_the_general_limiter_replies_429(retry_after: Any, header: str | None) -> None:
    now = [100.0]
    async with serving(limit=Limit(requests=2, seconds=60.0, retry_after=retry_after), clock=lambda: now[0]) as (
        _,
        client,
    ):
        received = [await client("GET", path) for path in ("/users", "/campaigns", "/campaigns/3")]
        assert [200, 200, 429] == [one.status for one in received]
        assert {"error": "Too many requests"} == received[-1].payload
        assert header == received[-1].headers.get("Retry-After")
        now[0] += 60.0
        assert 200 == (await client("GET", "/users")).status
