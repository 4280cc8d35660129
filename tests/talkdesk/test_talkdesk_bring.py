"""Who of a Talkdesk campaign is who in Voiso, by e-mail address; and what is done about it."""

from typing import Any

import pytest
from attrs import evolve
from client_calls import client_of as voiso_of
from client_calls import wire
from talkdesk_stage import client_of

from voiso_async import NotFoundError, PaginationError, PermissionDeniedError, User
from voiso_async.sandbox import Sandbox, Status
from voiso_async.talkdesk import ChangeKind, TalkdeskUser, UserPlan, plan_users
from voiso_async.talkdesk.user_sync import planned


def agents(**addresses: str | None) -> dict[str, TalkdeskUser | None]:
    return {one: TalkdeskUser(id=one, email=address) for one, address in addresses.items()}


def users(**addresses: str | None) -> list[User]:
    return [User(id=int(one[1:]), email=address) for one, address in addresses.items()]


def kinds(plan: UserPlan) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for move in plan.changes:
        found.setdefault(move.kind.value, []).append(move.agent_id or (move.user and move.user.id))
    return found


def test_agents_and_users_are_matched_by_address_whatever_its_case() -> None:
    everybody = users(u1="Ada@Example.net", u2=" ben@example.net", u3="chidi@example.net", u4=None)
    known = agents(a="ada@example.NET ", b="ben@example.net", x="nobody@example.net", y="", z=None) | {
        "gone": None
    }
    plan = planned(known, everybody, everybody[1:3], campaign_id=3)
    assert {
        "add": ["a"],
        "keep": ["b"],
        "no_match": ["x"],
        "no_address": ["y", "z"],
        "gone": ["gone"],
        "stay": [3],
    } == kinds(plan)
    assert not plan.ok
    assert "add 1 · keep 1 · stay 1 · no match 1 · no address 2 · gone 1" == str(plan)
    assert (1,) == tuple(user.id for user in plan.users(ChangeKind.ADD))


def test_an_address_of_two_is_nobodys() -> None:
    everybody = users(u1="ada@example.net", u2="ADA@example.net", u3="ben@example.net")
    known = agents(a="ada@example.net", b="ben@example.net", c="Ben@example.net")
    assert {"ambiguous": ["a", "b", "c"]} == kinds(planned(known, everybody, [], campaign_id=3))


def test_a_user_listed_twice_is_one() -> None:
    everybody = users(u1="ada@example.net") * 2
    assert {"add": ["a"]} == kinds(planned(agents(a="ada@example.net"), everybody, [], campaign_id=3))


def test_who_is_switched_off_is_not_brought() -> None:
    ada = TalkdeskUser(id="a", email="ada@example.net", active=False)
    plan = planned({"a": ada}, users(u1="ada@example.net"), [], campaign_id=3)
    assert ({"inactive": ["a"]}, True) == (kinds(plan), plan.ok)


@pytest.mark.parametrize("remove", [False, True])
def test_others_are_removed_only_when_told(remove: bool) -> None:  # noqa: FBT001 - parametrized
    everybody = users(u1="ada@example.net", u2="ben@example.net")
    plan = planned(agents(a="ada@example.net"), everybody, everybody, campaign_id=3, remove=remove)
    assert {"keep": ["a"], "remove" if remove else "stay": [2]} == kinds(plan)


def test_two_empty_campaigns_need_nothing() -> None:
    plan = planned({}, [], [], campaign_id=3)
    assert (True, "") == (plan.ok, str(plan))


@pytest.fixture
def campaign(voiso_sandbox: Sandbox) -> str:
    """Agents 3 to 30 of 40 users; users 1 to 5 are in the Voiso campaign."""
    for number in range(1, 41):
        voiso_sandbox.add_user(id=number, email=f"agent{number}@example.net")
    voiso_sandbox.add_campaign(id=3, user_ids=range(1, 6))
    account = voiso_sandbox.talkdesk
    ids = [account.add_user(email=f"Agent{number}@example.net") for number in range(3, 31)]
    return account.add_campaign(user_ids=ids).id


async def test_the_plan_changes_nothing_and_applying_it_does(voiso_sandbox: Sandbox, campaign: str) -> None:
    async with client_of(voiso_sandbox) as talkdesk, voiso_of(voiso_sandbox) as voiso:
        plan = await plan_users(talkdesk, campaign, voiso, 3, remove=True)
        assert {"GET"} == {call.split()[0] for call in wire(voiso_sandbox) if "oauth" not in call}
        assert (25, 3, 2) == tuple(
            plan.counts[kind] for kind in (ChangeKind.ADD, ChangeKind.KEEP, ChangeKind.REMOVE)
        )
        await plan.apply(voiso)
        assert list(range(3, 31)) == sorted(voiso_sandbox.campaigns[3].user_ids)
        await plan.apply(voiso)
        again = await plan_users(talkdesk, campaign, voiso, 3, remove=True)
    assert (28, True) == (again.counts[ChangeKind.KEEP], again.ok)
    assert {"keep"} == set(kinds(again))


async def test_a_listing_that_cannot_be_trusted_removes_nobody(voiso_sandbox: Sandbox, campaign: str) -> None:
    voiso_sandbox.talkdesk.rules = evolve(voiso_sandbox.talkdesk.rules, next_link="none", max_page=200)
    voiso_sandbox.talkdesk.campaigns[campaign].user_ids.extend(f"u{number}" for number in range(100))
    async with client_of(voiso_sandbox) as talkdesk, voiso_of(voiso_sandbox) as voiso:
        with pytest.raises(PaginationError):
            await plan_users(talkdesk, campaign, voiso, 3, remove=True)
        plan = await plan_users(talkdesk, campaign, voiso, 3)
    assert 0 == plan.counts[ChangeKind.REMOVE]


async def test_what_is_missing_is_told_by_its_own_side(voiso_sandbox: Sandbox, campaign: str) -> None:
    async with client_of(voiso_sandbox) as talkdesk, voiso_of(voiso_sandbox) as voiso:
        with pytest.raises(NotFoundError, match="GET /campaigns/9/users"):
            await plan_users(talkdesk, campaign, voiso, 9)
        with pytest.raises(NotFoundError) as missing:
            await plan_users(talkdesk, "c-none", voiso, 3)
        assert "0530002" == missing.value.code
        voiso_sandbox.talkdesk.scopes.discard("users:read")
        voiso_sandbox.talkdesk.revoke()
        with pytest.raises(PermissionDeniedError, match="users:read"):
            await plan_users(talkdesk, campaign, voiso, 3)


async def test_what_was_added_before_a_failure_stays(voiso_sandbox: Sandbox, campaign: str) -> None:
    voiso_sandbox.faults.add(Status(403), method="DELETE")
    async with client_of(voiso_sandbox) as talkdesk, voiso_of(voiso_sandbox) as voiso:
        plan = await plan_users(talkdesk, campaign, voiso, 3, remove=True)
        with pytest.raises(PermissionDeniedError):
            await plan.apply(voiso)
        assert list(range(1, 31)) == sorted(voiso_sandbox.campaigns[3].user_ids)
        await plan.apply(voiso)
    assert list(range(3, 31)) == sorted(voiso_sandbox.campaigns[3].user_ids)
