"""The Talkdesk account of the sandbox enforces its contract: asked over plain HTTP, without the client."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from attrs import define, evolve

from voiso_async.sandbox import TALKDESK_SCOPES, ApplyThenClose, Sandbox, TalkdeskRules

# What is asked here breaks the rules on purpose: no history of a client is to be checked.
pytestmark = pytest.mark.unwatched

GRANT = {"grant_type": "client_credentials"}


def basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


PAIR = basic("sandbox-client", "sandbox-secret")


@define
class Caller:
    """Asks the account with a token, unless it is told otherwise."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    token: str = ""

    async def __call__(self, method: str, path: str, **rest: Any) -> tuple[int, Any]:
        headers = rest.pop("headers", {"Authorization": f"Bearer {self.token}"})
        url = f"{self.sandbox.talkdesk_url}{path}"
        async with self.session.request(method, url, headers=headers, **rest) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None

    async def grant(self, **form: str) -> tuple[int, Any]:
        return await self("POST", "/oauth/token", data=GRANT | form, headers={"Authorization": PAIR})

    @property
    def rules(self) -> TalkdeskRules:
        return self.sandbox.talkdesk.rules

    def change(self, **rules: Any) -> None:
        self.sandbox.talkdesk.rules = evolve(self.rules, **rules)


@pytest.fixture
async def ask() -> AsyncIterator[Caller]:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        caller = Caller(sandbox, session)
        _, answer = await caller.grant()
        caller.token = answer["access_token"]
        yield caller


async def test_a_token_lives_as_long_as_it_says_and_holds_what_was_granted(ask: Caller) -> None:
    status, answer = await ask.grant()
    assert (200, "Bearer", 599) == (status, answer["token_type"], answer["expires_in"])
    assert TALKDESK_SCOPES == set(answer["scope"].split())
    ask.sandbox.talkdesk.tokens[ask.token].until = 0.0
    assert (401, "0530004") == code(await ask("GET", "/campaigns"))
    _, narrow = await ask.grant(scope="users:read")
    ask.token = narrow["access_token"]
    assert (403, "0530003") == code(await ask("GET", "/campaigns"))
    assert 200 == (await ask("GET", "/users"))[0]


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({}, {"Authorization": PAIR}, 400, "invalid_request"),
        ({"grant_type": "password"}, {"Authorization": PAIR}, 400, "invalid_request"),
        (GRANT, {}, 401, "unauthorized"),
        (GRANT, {"Authorization": "Basic !!!"}, 401, "unauthorized"),
        (GRANT, {"Authorization": basic("sandbox-client", "")}, 401, "unauthorized"),
        (GRANT, {"Authorization": basic("sandbox-client", "wrong")}, 401, "unauthorized"),
        (GRANT | {"scope": "coffee:make"}, {"Authorization": PAIR}, 401, "unauthorized"),
        (GRANT | {"client_assertion": "a.b.c"}, {"Authorization": PAIR}, 401, "unauthorized"),
    ],
)
async def test_a_token_is_refused_in_its_own_shape(
    ask: Caller, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    answer = await ask("POST", "/oauth/token", data=form or {"x": "y"}, headers=headers)
    assert (status, error) == (answer[0], answer[1]["error"])
    assert answer[1]["error_description"]


async def test_a_token_request_must_be_a_form(ask: Caller) -> None:
    assert 400 == (await ask("POST", "/oauth/token", json=GRANT, headers={"Authorization": PAIR}))[0]
    assert 405 == (await ask("GET", "/oauth/token"))[0]
    assert 404 == (await ask("GET", "/oauth/other"))[0]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=0", 400),
        ("page=x", 400),
        ("per_page=0", 400),
        ("per_page=101", 400),
        ("per_page=100", 200),
        ("filter=name", 400),
        ("filter=id eq 'u1' or id eq 'u3'", 200),
        ("page=99", 200),
    ],
)
async def test_pages_are_asked_for_by_the_rules(ask: Caller, query: str, status: int) -> None:
    group = ask.sandbox.talkdesk.add_campaign(user_ids=["u1", "u2", "u3"])
    answer = await ask("GET", f"/campaigns/{group.id}/users?{query}")
    assert status == answer[0]
    if status == 400:
        assert "0530001" == answer[1]["code"]
    elif "filter" in query:
        assert ["u1", "u3"] == [user["id"] for user in answer[1]["_embedded"]["users"]]
    elif "99" in query:
        assert (3, []) == (answer[1]["total"], answer[1]["_embedded"]["users"])
        assert "next" not in answer[1]["_links"]


async def test_a_page_links_to_its_neighbours_and_keeps_what_was_asked(ask: Caller) -> None:
    group = ask.sandbox.talkdesk.add_campaign(user_ids=[f"u{number}" for number in range(5)])
    path = f"/campaigns/{group.id}/users"
    _, first = await ask("GET", f"{path}?per_page=2&filter=id eq 'u1' or id eq 'u2' or id eq 'u3'")
    assert {"self", "first", "last", "next"} == set(first["_links"])
    assert (3, 2, 1, 2, 2) == tuple(first[name] for name in ("total", "count", "page", "per_page", "total_pages"))
    async with ask.session.get(
        first["_links"]["next"]["href"], headers={"Authorization": f"Bearer {ask.token}"}
    ) as answer:
        assert "application/hal+json" == answer.headers["Content-Type"]
        second = await answer.json(content_type=None)
    assert {"self", "first", "last", "prev"} == set(second["_links"])
    assert ["u3"] == [user["id"] for user in second["_embedded"]["users"]]
    assert f"{ask.sandbox.talkdesk_url}/users/u3" == second["_embedded"]["users"][0]["_links"]["self"]["href"]


async def test_what_is_wrong_is_said_in_order(ask: Caller) -> None:
    no: dict[str, Any] = {"headers": {}}
    assert (401, "0530004") == code(await ask("GET", "/campaigns/none/users?page=0", **no))
    assert (400, "0530001") == code(await ask("GET", "/campaigns/none/users?page=0"))
    assert (404, "0530002") == code(await ask("GET", "/campaigns/none/users"))
    assert (404, "0040000") == code(await ask("GET", "/users/none"))
    assert (404, "0530910") == code(await ask("GET", "/record-lists/none"))
    assert 405 == (await ask("DELETE", "/campaigns/none"))[0]
    assert 404 == (await ask("GET", "/campaigns/none/numbers"))[0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"op": "REPLACE", "path": "status", "value": "paused"}, 200),
        ({"op": "REPLACE", "path": "/status", "value": "PAUSED"}, 200),
        ({"op": "REPLACE", "path": "name", "value": "Autumn"}, 200),
        ({"op": "REPLACE", "path": "priority", "value": 7}, 200),
        ({"op": "REPLACE", "path": "priority", "value": "7"}, 400),
        ({"op": "replace", "path": "status", "value": "paused"}, 400),
        ({"op": "REPLACE", "path": "status", "value": "stopped"}, 400),
        ([{"op": "REPLACE", "path": "status", "value": "paused"}], 400),
        ("x", 400),
    ],
)
async def test_a_campaign_is_changed_by_one_object(ask: Caller, change: Any, status: int) -> None:
    group = ask.sandbox.talkdesk.add_campaign()
    answer = await ask("PATCH", f"/campaigns/{group.id}", json=change)
    assert status == answer[0]
    if status == 200 and "status" in change["path"]:
        assert "PAUSED" == answer[1]["status"]


async def test_an_incomplete_campaign_does_not_run(ask: Caller) -> None:
    group = ask.sandbox.talkdesk.add_campaign(status="INCOMPLETE")
    change = {"op": "REPLACE", "path": "status", "value": "running"}
    assert (422, "0530008") == code(await ask("PATCH", f"/campaigns/{group.id}", json=change))


def record(number: str = "+12015550001", **more: Any) -> dict[str, Any]:
    phones = [{"phone_number": number, "phone_type": "MOBILE"}]
    return {"phone_numbers": phones, "first_name": "Rui", "last_name": "Mota"} | more


@pytest.mark.parametrize(
    ("kind", "records", "errors"),
    [
        ("PHONE_NUMBER", [record(), record()], [None, ["PHONE_NUMBER_NOT_UNIQUE"]]),
        ("NOTHING", [record(), record()], [None, None]),
        ("EXTERNAL", [record()], [["EXTERNAL_REF_MISSING"]]),
        ("PHONE_NUMBER", [record("12")], [["PHONE_NUMBER_INVALID"]]),
        ("PHONE_NUMBER", [{}], [["PHONE_NUMBER_MISSING", "FIRST_NAME_MISSING", "LAST_NAME_MISSING"]]),
        ("PHONE_NUMBER", [record(first_name="x" * 81, priority=11)], [["FIRST_NAME_INVALID", "PRIORITY_INVALID"]]),
        ("PHONE_NUMBER", [record(phone_numbers=[{"phone_number": "+12015550001"}])], [["OTHER"]]),
    ],
)
async def test_records_are_checked_one_by_one_inside_a_201(
    ask: Caller, kind: str, records: list[Any], errors: list[Any]
) -> None:
    target = ask.sandbox.talkdesk.add_list(kind=kind)
    status, answer = await ask("POST", f"/record-lists/{target.id}/records/bulks", json={"records": records})
    assert (201, errors) == (status, [one.get("errors") for one in answer["_embedded"]["records"]])
    refused = sum(error is not None for error in errors)
    assert (refused > 0, refused, len(errors) - refused, len(target.records)) == (
        answer["has_errors"],
        answer["total_errors"],
        answer["total_created"],
        len(errors) - refused,
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "0530900"),
        (b"[]", "0530900"),
        (b"{}", "0530900"),
        (b'{"records": {}}', "0530900"),
        (b'{"records": [3]}', "0530900"),
        (b'{"records": [' + b",".join([b"{}"] * 101) + b"]}", "0530936"),
    ],
)
async def test_a_request_that_is_wrong_as_a_whole_is_a_400(ask: Caller, body: bytes, expected: str) -> None:
    target = ask.sandbox.talkdesk.add_list()
    assert (400, expected) == code(await ask("POST", f"/record-lists/{target.id}/records/bulks", data=body))
    assert [] == target.records


async def test_lists_hold_as_many_as_they_can(ask: Caller) -> None:
    assert (400, "0530941") == code(
        await ask("POST", "/record-lists", json={"name": "x", "unique_identifier_type": "EMAIL"})
    )
    assert 400 == (await ask("POST", "/record-lists", json={"name": ""}))[0]
    status, made = await ask("POST", "/record-lists", json={"name": "Spring"})
    assert (201, "PHONE_NUMBER") == (status, made["unique_identifier_type"])
    ask.change(capacity=1)
    path = f"/record-lists/{made['id']}/records/bulks"
    assert (400, "0530911") == code(await ask("POST", path, json={"records": [record(), record("+12015550002")]}))
    group = ask.sandbox.talkdesk.add_campaign()
    attach = f"/campaigns/{group.id}/record-lists"
    assert (204, None) == await ask("POST", attach, json=[{"id": made["id"]}])
    assert 400 == (await ask("POST", attach, json=[]))[0]
    assert 404 == (await ask("POST", attach, json=[{"id": "none"}]))[0]
    assert [made["id"]] == group.list_ids


async def test_faults_apply_here_too(ask: Caller) -> None:
    target = ask.sandbox.talkdesk.add_list()
    ask.sandbox.faults.add(ApplyThenClose(first=1), method="POST", path=r"/talkdesk/record-lists/.+")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(
            "POST",
            f"/record-lists/{target.id}/records/bulks",
            json={"records": [record(), record("+12015550002")]},
        )
    assert 1 == len(target.records)
    last = ask.sandbox.history[-1]
    assert (("+12015550001",), "ApplyThenClose", True) == (last.applied, last.fault, last.key_right)


async def test_the_sample_has_agents_of_both_sides() -> None:
    async with Sandbox(sample=True) as sandbox:
        agents = {user["email"] for user in sandbox.talkdesk.users.values()}
        here = {user.email for user in sandbox.users.values()}
    assert len(agents & here) >= 10
    assert agents - here
    assert sandbox.talkdesk.campaigns
    assert sandbox.talkdesk.lists
