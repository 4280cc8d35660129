"""VoisoClient over real HTTP: how it is made, shared, used wrongly, and closed."""

import asyncio
import copy
import gc
import inspect
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import evolve
from client_calls import CALLS, LANE, ONCE, PHONE, QUICK, SHORT, Call, client_of, everything_shown, wire
from raw_server import RawServer
from report_in import report_in
from sandbox_caller import eventually

from voiso_async import (
    ClientClosedError,
    ConfigurationError,
    LanePolicy,
    NotFoundError,
    Outcome,
    RequestTimeoutError,
    ResponseError,
    RetryPolicy,
    ServerError,
    Timeout,
    UsageError,
    VoisoClient,
    VoisoError,
    WrongLoopError,
)
from voiso_async.events import BatchAnswered, BatchSent, Event, RequestDone, RequestSent, RetryPlanned
from voiso_async.sandbox import (
    ALL_SCOPES,
    ApplyThenClose,
    CloseAfterHeaders,
    Delay,
    Json,
    Sandbox,
    Status,
)

VARIABLES = ("VOISO_API_KEY", "VOISO_BASE_URL", "VOISO_CLUSTER")
CANARY = "canary-7f3a9c"
SUPPORT = Path(__file__).parents[1] / "support"
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sandbox(voiso_sandbox: Sandbox) -> Sandbox:
    """Campaign 3 is active, with users 1 to 3 and without leads."""
    for number in range(1, 6):
        voiso_sandbox.add_user(id=number)
    voiso_sandbox.add_campaign(id=3, name="Summer", user_ids=[1, 2, 3])
    return voiso_sandbox


def origin_of(client: VoisoClient) -> str:
    return client._session.origin


# Made


@pytest.mark.parametrize(
    ("arguments", "origin"),
    [
        ({"cluster": "cc-ams03"}, "https://cc-ams03.voiso.com:443"),
        ({"base_url": "https://voiso.example.com"}, "https://voiso.example.com:443"),
        ({"base_url": "http://127.0.0.1:8080/api/v4/"}, "http://127.0.0.1:8080"),
    ],
)
def test_arguments_make_a_client_without_a_loop_and_without_a_socket(arguments: Any, origin: str) -> None:
    assert origin == origin_of(VoisoClient("key", **arguments))


@pytest.mark.parametrize(
    ("environment", "origin"),
    [
        ({"VOISO_CLUSTER": "cc-ams03"}, "https://cc-ams03.voiso.com:443"),
        ({"VOISO_BASE_URL": "https://a.example.com"}, "https://a.example.com:443"),
        ({"VOISO_BASE_URL": "https://a.example.com", "VOISO_CLUSTER": "b"}, "https://a.example.com:443"),
        ({"VOISO_BASE_URL": "", "VOISO_CLUSTER": "cc-ams03"}, "https://cc-ams03.voiso.com:443"),
    ],
)
@pytest.mark.parametrize("make", [VoisoClient, VoisoClient.from_env])
def test_the_environment_makes_a_client(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], VoisoClient], environment: dict[str, str], origin: str
) -> None:
    for name, value in ({"VOISO_API_KEY": "key"} | environment).items():
        monkeypatch.setenv(name, value)
    assert origin == origin_of(make())


def test_an_argument_stands_above_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOISO_BASE_URL", "https://a.example.com")
    monkeypatch.setenv("VOISO_API_KEY", "unusable key")
    assert "https://cc-ams03.voiso.com:443" == origin_of(VoisoClient("key", cluster="cc-ams03"))


@pytest.mark.parametrize("rest", [VARIABLES, ()], ids=["empty", "unset"])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"VOISO_CLUSTER": "cc-ams03"}, ["VOISO_API_KEY"]),
        ({"VOISO_API_KEY": "key"}, ["VOISO_CLUSTER", "VOISO_BASE_URL"]),
    ],
)
def test_a_missing_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: list[str], rest: tuple[str, ...]
) -> None:
    for name, value in (dict.fromkeys(rest, "") | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        VoisoClient.from_env()
    assert all(name in str(caught.value) for name in named)


def test_from_env_takes_the_other_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOISO_API_KEY", "key")
    client = VoisoClient.from_env(cluster="b", timeout=5, retry=ONCE, lane=LANE, update_verb="PUT", on_event=print)
    assert "https://b.voiso.com:443" == origin_of(client)


def test_a_cluster_and_a_base_url_contradict_each_other() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        VoisoClient("key", cluster="a", base_url="https://b.example.com")


@pytest.mark.row(186)
@pytest.mark.parametrize(
    "key",
    [
        f"{CANARY}\n",
        f"{CANARY}\r\nX-Evil: 1",
        f"{CANARY} {CANARY}",
        f"{CANARY}\0",
        f"{CANARY}é",
        f"Bearer {CANARY}",
        f"bearer: {CANARY}",
        CANARY * 200,
        "",
        b"canary-7f3a9c",
        7,
    ],
)
def test_a_key_that_cannot_work_is_refused_and_never_shown(key: Any) -> None:
    """Acceptance row 186; the caller's own frame is the one place where the key may be seen."""
    with pytest.raises(ConfigurationError) as caught:
        VoisoClient(key, cluster="cc-ams03")
    assert CANARY not in everything_shown(caught.value, skip=__file__)


@pytest.mark.parametrize("key", [f"{CANARY}\n", f"{CANARY} {CANARY}", f"{CANARY}é", f"Bearer {CANARY}"])
def test_a_key_of_the_environment_that_cannot_work_is_never_shown_either(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("VOISO_API_KEY", key)
    with pytest.raises(ConfigurationError) as caught:
        VoisoClient.from_env(cluster="cc-ams03")
    assert CANARY not in everything_shown(caught.value, skip=__file__)


@pytest.mark.parametrize("wrong", [{"cluster": "evil.com#"}, {}, {"cluster": "a", "lane": 3}])
def test_a_good_key_is_not_shown_either_when_something_else_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        VoisoClient(CANARY, **wrong)
    assert CANARY not in everything_shown(caught.value, skip=__file__)


@pytest.mark.row(187)
@pytest.mark.parametrize(
    "cluster",
    ["evil.com#", "evil.com/", "a@b", "127.0.0.1:80/", "[::1]/", "c1\n", "..", "x" * 64, "CC", "xn--a", "", " "],
)
def test_a_hostile_cluster_is_refused(monkeypatch: pytest.MonkeyPatch, cluster: str) -> None:
    """Acceptance row 187."""
    with pytest.raises(ConfigurationError):
        VoisoClient("key", cluster=cluster)
    monkeypatch.setenv("VOISO_CLUSTER", cluster)
    with pytest.raises(ConfigurationError):
        VoisoClient("key")


@pytest.mark.row(188)
@pytest.mark.parametrize(
    "base_url",
    [
        "http://cc-ams03.voiso.com",
        "https://user:hunter2@example.com",
        "https://example.com?a=1",
        "https://example.com#a",
        "https://example.com/../x",
        "https://example.com/%2e%2e",
        "https://example.com:99999",
        "https://2130706433",
        "https://0x7f.1",
        "//example.com",
        "ftp://example.com",
        "example.com",
        "",
        7,
    ],
)
def test_a_hostile_base_url_is_refused(base_url: Any) -> None:
    """Acceptance row 188."""
    with pytest.raises(ConfigurationError) as caught:
        VoisoClient("key", base_url=base_url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("update_verb", "POST"),
        ("update_verb", ["PUT"]),
        ("retry", 3),
        ("lane", {"cooldown": 0}),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "5"),
        ("timeout", True),
        ("timeout", float("nan")),
        ("timeout", aiohttp.ClientTimeout(total=5)),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_once(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError):
        VoisoClient("key", cluster="a", **{option: value})


# The session


async def test_a_given_session_is_used_and_neither_closed_nor_changed(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}, timeout=aiohttp.ClientTimeout(total=7)) as session:
        before = (dict(session.headers), session.timeout, session.connector, session.cookie_jar)
        async with client_of(sandbox, session=session) as voiso:
            await voiso.campaigns.get(3)
            await voiso.leads.add(3, [PHONE])
        assert not session.closed
        assert before == (dict(session.headers), session.timeout, session.connector, session.cookie_jar)
    assert ["1", "1"] == [exchange.headers["x-mine"] for exchange in sandbox.history]


async def test_a_given_session_that_carries_auth_is_refused() -> None:
    with pytest.warns(DeprecationWarning, match="auth"):
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "password"))
    with pytest.raises(ConfigurationError, match="auth"):
        VoisoClient("key", cluster="a", session=session)
    await session.close()


@every_call
async def test_a_given_session_that_is_closed_is_named(sandbox: Sandbox, call: Call) -> None:
    session = aiohttp.ClientSession()
    await session.close()
    async with client_of(sandbox, session=session) as voiso:
        with pytest.raises(ClientClosedError, match="session"):
            await call(voiso)
    assert [] == sandbox.history


@every_call
def test_a_given_session_of_another_loop_is_named(sandbox: Sandbox, call: Call) -> None:
    other = asyncio.new_event_loop()

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = other.run_until_complete(make())
    voiso = client_of(sandbox, session=session)
    with pytest.raises(WrongLoopError, match="session"):
        asyncio.run(_to_its_end(call, voiso))
    assert [] == sandbox.history
    other.run_until_complete(session.close())
    other.close()


async def test_the_own_session_is_made_on_first_use(sandbox: Sandbox) -> None:
    voiso = client_of(sandbox)
    assert not voiso._session._shared.reads.opened
    await voiso.campaigns.get(3)
    assert voiso._session._shared.reads.opened
    assert not voiso._session._shared.leads.opened
    await voiso.aclose()


async def test_a_client_may_be_made_outside_of_the_loop_that_uses_it(sandbox: Sandbox) -> None:
    voiso = await asyncio.to_thread(client_of, sandbox)
    async with voiso:
        assert 3 == (await voiso.campaigns.get(3)).id


# Used wrongly

DURABLE = ("drain", "run", "push")
"""What ``leads`` can do only with an outbox."""


def test_the_table_of_calls_is_complete() -> None:
    voiso = VoisoClient("key", cluster="a")
    areas = {"campaigns": voiso.campaigns, "users": voiso.users, "leads": voiso.leads}
    public = {
        f"{area}.{name}"
        for area, part in areas.items()
        for name, _ in inspect.getmembers(part, inspect.ismethod)
        if not name.startswith("_")
    }
    silent = {"aclose", "from_env", "lanes"}
    public |= {n for n, _ in inspect.getmembers(voiso, inspect.ismethod) if not n.startswith("_")} - silent
    assert public - {f"leads.{name}" for name in DURABLE} == {name.partition(",")[0] for name in CALLS}


@pytest.mark.parametrize("name", DURABLE)
async def test_without_an_outbox_nothing_is_durable(sandbox: Sandbox, name: str) -> None:
    voiso = client_of(sandbox)
    arguments = (3, [PHONE]) if name == "push" else ()
    with pytest.raises(ConfigurationError, match="outbox="):
        await getattr(voiso.leads, name)(*arguments)
    assert [] == wire(sandbox)
    await voiso.aclose()


@pytest.mark.row(116)
@every_call
async def test_after_closing_every_call_says_so_and_sends_nothing(sandbox: Sandbox, call: Call) -> None:
    voiso = client_of(sandbox)
    await voiso.campaigns.get(3)
    await voiso.aclose()
    with pytest.raises(ClientClosedError):
        await call(voiso)
    assert 1 == len(sandbox.history)
    assert [] == voiso.lanes()


@pytest.mark.row(116)
async def test_closing_twice_is_silent(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        await voiso.campaigns.get(3)
        await voiso.aclose()
        await voiso.aclose()
        with pytest.raises(ClientClosedError):
            await voiso.campaigns.get(3)


async def test_closing_at_the_same_time_is_silent(sandbox: Sandbox) -> None:
    voiso = client_of(sandbox)
    await voiso.campaigns.get(3)
    await asyncio.gather(voiso.aclose(), voiso.aclose(), voiso.aclose())


async def test_a_client_that_was_never_used_closes() -> None:
    async with VoisoClient("key", cluster="a"):
        pass


async def _to_its_end(call: Call, voiso: VoisoClient) -> Any:
    return await call(voiso)


async def _elsewhere(call: Call, voiso: VoisoClient) -> Any:
    """Run a call in the loop of another thread."""
    return await asyncio.to_thread(lambda: asyncio.run(_to_its_end(call, voiso)))


@pytest.mark.row(118)
@every_call
async def test_another_loop_is_named_before_anything_is_sent(sandbox: Sandbox, call: Call) -> None:
    async with client_of(sandbox) as voiso:
        await voiso.campaigns.get(3)
        with pytest.raises(WrongLoopError):
            await _elsewhere(call, voiso)
        assert 1 == len(sandbox.history)
        await voiso.campaigns.get(3)


async def test_another_loop_cannot_close_what_runs_in_this_one(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, server_time=0.2)
    async with client_of(sandbox) as voiso:
        adding = asyncio.ensure_future(voiso.leads.add(3, [PHONE]))
        await eventually(lambda: sandbox.history)
        with pytest.raises(WrongLoopError):
            await _elsewhere(lambda it: it.aclose(grace=0), voiso)
        assert 1 == (await adding).counts[Outcome.CREATED]
        await voiso.leads.add(3, ["441632960124"])


FORKING = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from client_calls import CALLS, VoisoClient
from voiso_async import ForkedError

def refused(call, voiso):
    try:
        call(voiso).__await__().send(None)
    except ForkedError:
        return True
    return False

async def main():
    voiso = VoisoClient("sandbox-key", base_url=sys.argv[1])
    await voiso.campaigns.get(3)
    adding = asyncio.ensure_future(voiso.leads.add(3, ["441632960123"]))
    await asyncio.sleep(0.1)
    child = os.fork()
    if child == 0:
        calls = CALLS | {"aclose": lambda voiso: voiso.aclose()}
        wrong = [name for name, call in calls.items() if not refused(call, voiso)]
        print("not refused:", wrong, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print((await adding).ok, (await voiso.campaigns.get(3)).id)
    await voiso.aclose()

asyncio.run(main())
"""


@pytest.mark.row(119)
async def test_a_forked_child_is_refused_before_any_io_and_the_parent_is_unharmed(sandbox: Sandbox) -> None:
    """Acceptance row 119, with a lead on its way while the process is forked."""
    sandbox.rules = evolve(sandbox.rules, server_time=0.3)
    program = [sys.executable, "-W", "error", "-c", FORKING, sandbox.url, str(SUPPORT)]
    done = await asyncio.to_thread(
        subprocess.run, program, capture_output=True, text=True, timeout=30, check=False
    )
    assert ("not refused: []\nTrue 3\n", "") == (done.stdout, done.stderr)
    assert ["GET /campaigns/3", "POST /campaigns/3/leads", "GET /campaigns/3"] == wire(sandbox)


@pytest.mark.row(117)
@pytest.mark.unwatched
async def test_a_client_that_was_never_closed_warns_once_and_without_its_key(sandbox: Sandbox) -> None:
    voiso = client_of(sandbox)
    view = voiso.with_options(timeout=5)
    await view.campaigns.get(3)
    await voiso.leads.add(3, [PHONE])
    await asyncio.sleep(SHORT)  # the lane's task ends a moment after its calls
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del voiso, view
        gc.collect()
    assert [ResourceWarning] == [warning.category for warning in caught]
    assert sandbox.key not in str(caught[0].message)


# Shared


async def test_two_hundred_tasks_share_one_client(sandbox: Sandbox) -> None:
    """Leads of all tasks ride together; reads run beside them."""
    phones = [f"44770090{number:04d}" for number in range(100)]
    async with client_of(sandbox) as voiso:
        reads = [voiso.campaigns.get(3) for _ in range(100)]
        adds = [asyncio.ensure_future(voiso.leads.add(3, [phone])) for phone in phones]
        campaigns, reports = await asyncio.gather(asyncio.gather(*reads), asyncio.gather(*adds))
        assert not voiso.lanes()[0].rows_waiting
    assert {3} == {campaign.id for campaign in campaigns}
    assert all(report.counts[Outcome.CREATED] == 1 for report in reports)
    assert set(phones) == set(sandbox.campaigns[3].leads)
    assert wire(sandbox).count("POST /campaigns/3/leads") <= 3
    assert 0 == sandbox.too_early


async def test_a_view_has_its_own_limits_for_reads(sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(0.3), method="GET", times=2)
    async with client_of(sandbox, retry=ONCE) as voiso:
        with pytest.raises(RequestTimeoutError) as caught:
            await voiso.with_options(timeout=0.05).campaigns.get(3)
        assert "in_doubt" == caught.value.proof
        assert 3 == (await voiso.campaigns.get(3)).id


async def test_a_view_has_its_own_patience(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(503), times=2)
    async with client_of(sandbox, retry=ONCE) as voiso:
        with pytest.raises(ServerError):
            await voiso.campaigns.get(3)
        assert 3 == (await voiso.with_options(retry=QUICK).campaigns.get(3)).id
    assert 3 == len(sandbox.history)


async def test_a_view_of_a_view_keeps_what_it_does_not_change(sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(0.3))
    async with client_of(sandbox) as voiso:
        with pytest.raises(RequestTimeoutError):
            await voiso.with_options(timeout=0.05).with_options(retry=ONCE).campaigns.get(3)


async def test_a_view_shares_lanes_and_closing(sandbox: Sandbox) -> None:
    voiso = client_of(sandbox)
    view = voiso.with_options(timeout=5)
    await asyncio.gather(*(asyncio.ensure_future(it.leads.add(3, [PHONE])) for it in (voiso, view)))
    assert ["POST /campaigns/3/leads"] * 2 == wire(sandbox)  # one phone, two calls, one lane
    assert [3] == [lane.campaign for lane in voiso.lanes()] == [lane.campaign for lane in view.lanes()]
    await view.aclose()
    with pytest.raises(ClientClosedError):
        await voiso.campaigns.get(3)


def test_a_view_of_a_subclass_is_of_the_subclass() -> None:
    class Ours(VoisoClient):
        department = "north"

    assert Ours is type(Ours("key", cluster="a").with_options(timeout=1))


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"retry": 3}])
def test_a_view_refuses_limits_that_cannot_work(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        VoisoClient("key", cluster="a").with_options(**wrong)


@pytest.mark.parametrize("limit", [0.05, Timeout(total=0.05), Timeout(total=20, read=0.05)])
async def test_a_timeout_is_a_number_or_three(sandbox: Sandbox, limit: float | Timeout) -> None:
    sandbox.faults.add(Delay(0.5))
    async with client_of(sandbox, timeout=limit, retry=ONCE) as voiso:
        with pytest.raises(RequestTimeoutError):
            await voiso.campaigns.get(3)


@pytest.mark.row(196)
async def test_a_key_may_be_rotated_while_the_client_runs(sandbox: Sandbox) -> None:
    keys = ["first-key"]
    sandbox.keys.update({"first-key": set(ALL_SCOPES), "second-key": set(ALL_SCOPES)})
    async with client_of(sandbox) as usual, VoisoClient(lambda: keys[-1], base_url=sandbox.url) as voiso:
        await voiso.campaigns.get(3)
        del sandbox.keys["first-key"]
        keys.append("second-key")
        await voiso.campaigns.get(3)
        await voiso.leads.add(3, [PHONE])
        await usual.campaigns.get(3)
    assert [(True, 1, False)] * 4 == [
        (exchange.key_right, exchange.authorization_count, exchange.key_elsewhere) for exchange in sandbox.history
    ]


@every_call
async def test_a_key_function_that_fails_sends_nothing(sandbox: Sandbox, call: Call) -> None:
    def broken() -> str:
        raise KeyError(CANARY)

    async with VoisoClient(broken, base_url=sandbox.url, lane=evolve(LANE, unsent_for=0)) as voiso:
        with pytest.raises(ConfigurationError) as caught:
            await call(voiso)
    assert CANARY not in everything_shown(caught.value, skip=__file__)
    assert [] == sandbox.history


# What happened


async def test_every_event_of_a_read_is_told(sandbox: Sandbox) -> None:
    events: list[Event] = []
    sandbox.faults.add(Status(503))
    async with client_of(sandbox, on_event=events.append) as voiso:
        await voiso.campaigns.get(3)
    assert [RequestSent, RequestDone, RetryPlanned, RequestSent, RequestDone] == [type(event) for event in events]
    assert {"GET /campaigns/{campaign_id}"} == {
        event.request for event in events if isinstance(event, RequestSent)
    }
    assert [503, 200] == [event.status for event in events if isinstance(event, RequestDone)]


@pytest.mark.row(197)
async def test_every_event_of_a_batch_is_told_and_none_holds_a_number(sandbox: Sandbox) -> None:
    events: list[Event] = []
    async with client_of(sandbox, on_event=events.append) as voiso:
        await voiso.leads.add(3, [{"phone_number": PHONE, "name": "R. Okafor"}])
    assert [BatchSent, RequestSent, RequestDone, BatchAnswered] == [type(event) for event in events]
    assert not any(secret in str(events) for secret in (PHONE, "Okafor", sandbox.key))


@pytest.mark.row(93)
async def test_a_hook_that_raises_is_logged_once_and_breaks_nothing(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError(PHONE)

    async with client_of(sandbox, on_event=broken) as voiso:
        assert (await voiso.leads.add(3, [PHONE])).ok
        await voiso.campaigns.get(3)
    complaints = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert ["on_event raised RuntimeError; the run goes on"] == complaints


async def test_lanes_tell_what_waits(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, server_time=0.2)
    sandbox.add_campaign(id=4)
    async with client_of(sandbox) as voiso:
        assert [] == voiso.lanes()
        calls = [asyncio.ensure_future(voiso.leads.add(number, [PHONE])) for number in (4, "3")]
        await eventually(lambda: len(sandbox.history) == 2)
        assert [(3, "sending"), (4, "sending")] == [(lane.campaign, lane.state) for lane in voiso.lanes()]
        await asyncio.gather(*calls)
        assert ["idle", "idle"] == [lane.state for lane in voiso.lanes()]


# Endpoints without a method


async def test_request_gives_status_headers_and_body(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        answer = await voiso.request("GET", "/campaigns", params={"limit": 1, "live": True, "name": None})
    assert (200, 3) == (answer.status, answer.json()["campaigns"][0]["id"])
    assert "application/json" in answer.headers["content-type"]
    assert answer.body.startswith(b'{"campaigns":')
    assert {"limit": "1", "live": "true"} == dict(sandbox.history[0].query)
    assert "Summer" not in repr(answer)


async def test_request_sends_json(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        answer = await voiso.request("POST", "/campaigns/3/users", json={"user_ids": [4]})
    assert [4] == [user["id"] for user in answer.json()["added_users"]]
    assert b'{"user_ids":[4]}' == sandbox.history[0].body


async def test_request_sends_a_name_as_often_as_it_is_given() -> None:
    async with RawServer() as server, VoisoClient("key", base_url=server.url) as voiso:
        await voiso.request("GET", "/reporting/cdrs", params=[("type", "call"), ("type", "a & b"), ("x[gte]", 2)])
    line = "GET /api/v4/reporting/cdrs?type=call&type=a+%26+b&x%5Bgte%5D=2 HTTP/1.1"
    assert [line] == [seen.line for seen in server.requests]


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_request_reads_the_json_of_any_success(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add(Json({"id": 1}, status=status))
    async with client_of(sandbox) as voiso:
        answer = await voiso.request("POST", "/voice/calls", json={})
    assert (status, {"id": 1}) == (answer.status, answer.json())


@pytest.mark.parametrize("fault", [Status(204), Status(200, "<p>no"), Json({"error": "Forbidden"})])
async def test_request_gives_any_body_and_json_says_when_it_is_none(sandbox: Sandbox, fault: Any) -> None:
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        answer = await voiso.request("GET", "/tasks/webhooks/7")
    with pytest.raises(ResponseError, match=r"^GET /tasks/webhooks/\{id\}: "):
        answer.json()


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/routing/queues/7", "/routing/queues/{id}"),
        ("/tasks/webhook_failures/5f0c2f7e0d9a4d1c9a430e8f/retrigger", "/tasks/webhook_failures/{id}/retrigger"),
        ("/reporting/cdrs/441632960123", "/reporting/cdrs/{id}"),
        ("/people/Okafor", "/people/{id}"),
        ("/users/", "/users/"),
    ],
)
async def test_an_error_of_request_names_its_route_without_values(sandbox: Sandbox, path: str, route: str) -> None:
    sandbox.faults.add(Status(404))
    async with client_of(sandbox) as voiso:
        with pytest.raises(NotFoundError) as caught:
            await voiso.request("GET", path)
    assert str(caught.value).startswith(f"GET {route} -> 404: Not found")
    assert f"GET {path}" == wire(sandbox)[0]


@pytest.mark.parametrize(
    "path",
    [
        "../users",
        "/../users",
        "/campaigns/../users",
        "/campaigns/.",
        "//evil.example.com/a",
        "/campaigns//3",
        "/campaigns?limit=1",
        "/campaigns#a",
        "/%2e%2e/users",
        "/campaigns/%2e%2e",
        "/campaigns\\3",
        "/campaigns 3",
        "/campaigns\n",
        "/campaigns/é",
        "campaigns",
        "@evil.example.com/",
        ":80/campaigns",
        ".evil.example.com/",
        "https://evil.example.com/",
        "http://127.0.0.1/api/v4/users",
        "",
        None,
        7,
    ],
)
async def test_a_path_that_could_lead_elsewhere_is_refused_and_nothing_is_sent(
    sandbox: Sandbox, path: Any
) -> None:
    async with client_of(sandbox) as voiso:
        for method in ("GET", "POST"):
            with pytest.raises(ConfigurationError):
                await voiso.request(method, path)
    assert [] == sandbox.history


@pytest.mark.parametrize("method", ["get", "G T", "GET\r\nX: 1", "", None, 7])
async def test_a_method_that_is_none_is_refused(sandbox: Sandbox, method: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError):
            await voiso.request(method, "/campaigns")
    assert [] == sandbox.history


@pytest.mark.parametrize("json", [object(), {"a": "\ud800"}, {(1, 2): 3}, [b"a", {1, 2}, lambda: 0]])
async def test_what_is_no_json_is_refused_and_nothing_is_sent(sandbox: Sandbox, json: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match="json"):
            await voiso.request("POST", "/voice/calls", json=json)
    assert [] == sandbox.history


@pytest.mark.parametrize("params", [{"a": "\ud800"}, {"a": 1.5}, {"a": [1]}, {"a": 10**5000}, [("\ud800", 1)]])
async def test_a_parameter_that_cannot_be_written_is_refused(sandbox: Sandbox, params: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match="must be text"):
            await voiso.request("GET", "/campaigns", params=params)
    assert [] == sandbox.history


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("path", ["/campaigns/3/leads", "/campaigns/03/leads/"])
async def test_request_writes_no_leads_past_the_lane(sandbox: Sandbox, method: str, path: str) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match=r"leads\.add"):
            await voiso.request(method, path, json=[{"phone_number": PHONE}])
    assert [] == sandbox.history


@pytest.mark.parametrize("fault", [ApplyThenClose(), CloseAfterHeaders(), Status(500), Status(503)])
@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("DELETE", 1), ("PATCH", 1), ("GET", 4)])
async def test_request_repeats_only_reads_after_doubt(
    sandbox: Sandbox, fault: Any, method: str, times: int
) -> None:
    sandbox.faults.add(fault, times=10)
    async with client_of(sandbox) as voiso:
        with pytest.raises(VoisoError) as caught:
            await voiso.request(method, "/voice/calls")
    assert "in_doubt" == caught.value.proof
    assert [f"{method} /voice/calls"] * times == wire(sandbox)


async def test_request_repeats_a_post_that_was_certainly_refused(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(429))
    async with client_of(sandbox) as voiso:
        await voiso.request("POST", "/campaigns/3/pause")
    assert [429, 200] == [exchange.status for exchange in sandbox.history]


# Closed


@pytest.mark.row(115)
async def test_closing_lets_a_post_on_its_way_end(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, server_time=0.2)
    voiso = client_of(sandbox)
    adding = asyncio.ensure_future(voiso.leads.add(3, [PHONE]))
    await eventually(lambda: sandbox.history)
    await voiso.aclose(grace=10)
    assert 1 == (await adding).counts[Outcome.CREATED]


async def test_closing_ends_a_post_that_outlasts_the_grace(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, server_time=30)
    voiso = client_of(sandbox)
    adding = asyncio.ensure_future(voiso.leads.add(3, [PHONE]))
    await eventually(lambda: sandbox.history)
    waiting = asyncio.ensure_future(voiso.leads.add(3, ["441632960124"]))
    await asyncio.sleep(0)
    await voiso.aclose(grace=0.05)
    for call, outcome in ((adding, Outcome.UNKNOWN), (waiting, Outcome.NOT_SENT)):
        with pytest.raises(ClientClosedError) as caught:
            await call
        assert (1, True) == (report_in(caught.value).counts[outcome], report_in(caught.value).balanced)
    assert 1 == len(sandbox.history)


NO_SECONDS = [float("nan"), -1, float("inf"), True, "3", None, 10**400]


@pytest.mark.parametrize("grace", NO_SECONDS, ids=lambda value: repr(value)[:6])
async def test_a_grace_that_is_no_time_closes_nothing(sandbox: Sandbox, grace: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(
            ConfigurationError, match="grace must be a number of seconds from 0; nothing was closed"
        ):
            await voiso.aclose(grace=grace)
        assert 3 == (await voiso.campaigns.get(3)).id


@pytest.mark.parametrize(
    "wrong", [one for one in NO_SECONDS if one is not None], ids=lambda value: repr(value)[:6]
)
async def test_a_deadline_that_is_no_time_is_refused_before_anything_is_read(sandbox: Sandbox, wrong: Any) -> None:
    async with client_of(sandbox) as voiso:
        for call in (voiso.leads.add, voiso.leads.update):
            with pytest.raises(
                ConfigurationError, match="timeout must be a number of seconds from 0; nothing was"
            ):
                call(3, iter([PHONE]), timeout=wrong)
    assert [] == sandbox.history


@pytest.mark.row(121)
async def test_the_error_inside_wins_and_everything_is_closed(sandbox: Sandbox) -> None:
    sandbox.faults.add(ApplyThenClose())
    mine = ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught:  # noqa: PT012 - the block is the case
        async with client_of(sandbox) as voiso:
            adding = asyncio.ensure_future(voiso.leads.add(3, [PHONE]))
            await eventually(lambda: sandbox.history)
            raise mine
    assert mine is caught.value
    assert 1 == (await adding).counts[Outcome.CONFIRMED]
    with pytest.raises(ClientClosedError):
        await voiso.campaigns.get(3)


async def test_a_cancelled_block_is_closed_and_stays_cancelled(sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(30))

    async def work() -> None:
        async with client_of(sandbox) as voiso:
            await voiso.campaigns.get(3)

    task = asyncio.create_task(work())
    await eventually(lambda: sandbox.history)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_after_closing(sandbox: Sandbox) -> None:
    threads = threading.active_count()
    async with client_of(sandbox) as voiso:
        await asyncio.gather(*(voiso.campaigns.get(3) for _ in range(20)))
        await voiso.leads.add(3, [PHONE])
        async for _ in voiso.users.list(page_size=1):
            break
    assert {asyncio.current_task()} == asyncio.all_tasks()
    assert threads == threading.active_count()


# Imported


def test_the_import_loads_no_part_that_is_not_needed() -> None:
    program = (
        "import sys, voiso_async\n"
        "parts = ('sqlite3', '_sqlite3', 'asyncpg', 'cyclopts', 'rich', 'pytest')\n"
        "ours = ('sandbox', 'cli', 'files', 'testing', 'outbox.sqlite', 'talkdesk')\n"
        "parts += tuple('voiso_async.' + name for name in ours)\n"
        "print([name for name in parts if name in sys.modules])"
    )
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=unmeasured
    )
    assert "[]\n" == done.stdout


def test_the_names_of_the_package_suffice_to_set_everything_up() -> None:
    voiso = VoisoClient(
        "key", cluster="a", timeout=Timeout(total=5), retry=RetryPolicy(max_attempts=2), lane=LanePolicy()
    )
    assert [] == voiso.lanes()
    assert "key" not in repr(voiso)


@pytest.mark.parametrize("part", [lambda voiso: voiso, lambda voiso: voiso.campaigns, lambda voiso: voiso.leads])
def test_a_client_is_not_copied_in_depth_and_says_so(part: Any) -> None:
    with pytest.raises(UsageError, match="a client is not copied"):
        copy.deepcopy(part(VoisoClient("key", cluster="cc-ams03")))
