"""Users of a campaign, ids as integers or UUIDs, and the filters of the list."""

from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from sandbox_caller import serving


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "is missing"),
        ([1, 2], "is missing"),
        ({"user_ids": None}, "is missing"),
        ({"user_ids": 6}, "must be an array"),
        ({"user_ids": []}, "must hold 1 to 100 items"),
        ({"user_ids": [6] * 101}, "must hold 1 to 100 items"),
        ({"user_ids": ["6"]}, "must hold integers"),
        ({"user_ids": [6.0]}, "must hold integers"),
        ({"user_ids": [True]}, "must hold integers"),
    ],
)
async def test_user_ids_are_up_to_100_integers(body: Any, text: str) -> None:
    async with serving() as (_, client):
        received = await client("POST", "/campaigns/3/users", json=body)
        assert (422, {"errors": {"user_ids": [text]}}) == (received.status, received.payload)


async def test_users_who_were_assigned_before_are_left_out() -> None:
    async with serving() as (sandbox, client):
        received = await client("POST", "/campaigns/3/users", json={"user_ids": [5, 6, 7, 6]})
        added = [{"id": one, "name": f"User {one}", "email": f"user{one}@example.net"} for one in (6, 7)]
        assert (200, {"added_users": added}) == (received.status, received.payload)
        assert [1, 2, 3, 4, 5, 6, 7] == sandbox.campaigns[3].user_ids


async def test_removing_replies_with_the_user_and_a_second_time_with_404() -> None:
    async with serving() as (sandbox, client):
        received = await client("DELETE", "/campaigns/3/users/5")
        assert {"user": {"id": 5, "name": "User 5", "email": "user5@example.net"}} == received.payload
        assert [1, 2, 3, 4] == sandbox.campaigns[3].user_ids
        assert 404 == (await client("DELETE", "/campaigns/3/users/5")).status
        assert 404 == (await client("DELETE", "/campaigns/3/users/6")).status


async def test_list_replies_carry_integers_or_uuids() -> None:
    async with serving() as (sandbox, client):
        for path in ("/users", "/campaigns/3/users"):
            assert 1 == (await client("GET", path)).payload["users"][0]["id"]
        sandbox.rules = evolve(sandbox.rules, user_id_style="uuid")
        for path in ("/users", "/campaigns/3/users"):
            shown = (await client("GET", path)).payload["users"][0]["id"]
            assert sandbox.users[1].uuid == str(UUID(shown))


async def test_uuids_are_taken_back_only_if_the_rules_say_so() -> None:
    async with serving() as (sandbox, client):
        uuid = sandbox.users[6].uuid
        assert 422 == (await client("POST", "/campaigns/3/users", json={"user_ids": [uuid]})).status
        sandbox.rules = evolve(sandbox.rules, takes_uuids=True)
        assert 200 == (await client("POST", "/campaigns/3/users", json={"user_ids": [uuid]})).status
        assert 6 in sandbox.campaigns[3].user_ids
        assert 200 == (await client("DELETE", f"/campaigns/3/users/{uuid}")).status
        assert 6 not in sandbox.campaigns[3].user_ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("name=moss", [42]),
        ("name=MO", [42]),
        ("email=ada@", [42]),
        ("extension=242", [42]),
        ("extension=24", []),
        ("sip_account=242@sip.example.net", [42]),
        ("timezone=Europe/Lisbon", [42]),
        ("caller_id=447700900123", [42]),
        ("security_access_group_id=9", [42]),
        ("security_access_group_id=1&limit=2", [1, 2]),
        ("name=nobody", []),
    ],
)
async def test_users_are_listed_by_filters(query: str, ids: list[int]) -> None:
    async with serving() as (sandbox, client):
        sandbox.add_user(
            id=42,
            name="Ada Moss",
            email="ada@example.net",
            timezone="Europe/Lisbon",
            caller_id="447700900123",
            security_access_group={"id": 9, "name": "Leads"},
        )
        received = await client("GET", f"/users?{query}")
        assert ids == [user["id"] for user in received.payload["users"]]


async def test_the_users_of_a_campaign_are_full_records_in_pages() -> None:
    async with serving() as (_, client):
        received = await client("GET", "/campaigns/3/users?limit=2&offset=3")
        assert [4, 5] == [user["id"] for user in received.payload["users"]]
        assert {"total": 5} == received.payload["metadata"]
        assert {"id": 4, "name": "English"} == received.payload["users"][0]["skills"][0]["skill"]
