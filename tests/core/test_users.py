"""Users of the contact centre over real HTTP."""

from typing import Any

import pytest
from attrs import evolve
from client_calls import client_of

from voiso_async import ConfigurationError, PermissionDeniedError
from voiso_async.sandbox import Sandbox, Status


@pytest.fixture
def sandbox(voiso_sandbox: Sandbox) -> Sandbox:
    """Users 1 to 250; the seventh differs from the others in everything."""
    for number in range(1, 251):
        voiso_sandbox.add_user(id=number)
    different = voiso_sandbox.users[7]
    different.name, different.email = "Ada Moss", "ada+north@example.org"
    different.details |= {
        "sip_account": "777@north.example.net",
        "extension": "777",
        "caller_id": "441632960777",
        "timezone": "Europe/Lisbon",
        "security_access_group": {"id": 9, "name": "Supervisors"},
    }
    return voiso_sandbox


@pytest.mark.parametrize(
    "filters",
    [
        {"name": "ada"},
        {"email": "ada+north@example.org"},
        {"sip_account": "777@north.example.net"},
        {"security_access_group_id": 9},
        {"extension": "777"},
        {"caller_id": "441632960777"},
        {"timezone": "Europe/Lisbon"},
        {"name": "Ada", "timezone": "Europe/Lisbon", "email": None},
    ],
)
async def test_every_filter_finds_its_user(sandbox: Sandbox, filters: dict[str, Any]) -> None:
    async with client_of(sandbox) as voiso:
        assert [7] == [user.id for user in await voiso.users.list(**filters)]
    sent = {name: str(value) for name, value in filters.items() if value is not None}
    assert {"limit": "100", "offset": "0"} | sent == dict(sandbox.history[0].query)


@pytest.mark.parametrize("concurrency", [1, 2, 8, 32])
async def test_every_page_is_collected_in_order(sandbox: Sandbox, concurrency: int) -> None:
    async with client_of(sandbox) as voiso:
        found = await voiso.users.list(page_size=20).collect(concurrency=concurrency)
    assert list(range(1, 251)) == [user.id for user in found]
    assert (250, False, 13) == (found.total, found.drifted, len(sandbox.history))


@pytest.mark.parametrize(("cap", "requests"), [(30, 9), (100, 3)])
async def test_a_server_that_gives_shorter_pages_loses_nobody(sandbox: Sandbox, cap: int, requests: int) -> None:
    sandbox.rules = evolve(sandbox.rules, page_cap=cap)
    async with client_of(sandbox) as voiso:
        found = await voiso.users.list().collect(concurrency=4)
    assert list(range(1, 251)) == [user.id for user in found]
    assert requests == len(sandbox.history)


async def test_a_limit_reads_no_more_than_it_needs(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        found = await voiso.users.list(page_size=20).collect(30, concurrency=8)
    assert (30, 250, 2) == (len(found), found.total, len(sandbox.history))


async def test_a_page_that_fails_is_asked_for_again(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(503), times=3)
    async with client_of(sandbox) as voiso:
        assert 250 == len([user async for user in voiso.users.list()])
    assert [503, 503, 503, 200, 200, 200] == [exchange.status for exchange in sandbox.history]


async def test_the_uuids_of_the_other_reading_are_kept_as_text(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, user_id_style="uuid", forward_compat=True)
    async with client_of(sandbox) as voiso:
        user = await voiso.users.list().first()
    assert user is not None
    assert (sandbox.users[1].uuid, None) == (user.id, user.email)
    assert "unheard_of" in user.extra


async def test_nobody_is_in_a_repr(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        listing = voiso.users.list(name="ada", email="ada+north@example.org")
        shown = f"{listing!r} {await listing!r}"
    assert not any(secret in shown.lower() for secret in ("ada", "moss", "441632960777", "777"))


async def test_a_key_without_the_scope_is_told_which_one_it_needs(sandbox: Sandbox) -> None:
    sandbox.keys[sandbox.key] = {"campaigns.read"}
    async with client_of(sandbox) as voiso:
        with pytest.raises(PermissionDeniedError, match=r"users\.read"):
            await voiso.users.list()


@pytest.mark.parametrize("filters", [{"name": 1.5}, {"email": "\ud800"}, {"security_access_group_id": [1]}])
async def test_a_filter_that_cannot_be_written_is_refused_at_once(sandbox: Sandbox, filters: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match=f"^{next(iter(filters))} must be"):
            voiso.users.list(**filters)
    assert [] == sandbox.history
