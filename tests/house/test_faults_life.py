"""How a program can end, and what a client neither shares nor switches off."""

import asyncio
import inspect
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from certificates import certificate
from http_stage import counts, phones
from raw_server import RawServer, answer

from voiso_async import LanePolicy, RetryPolicy, VoisoClient
from voiso_async.auth import ApiKey
from voiso_async.errors import ConfigurationError, ConnectError, TLSError, VoisoError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.sandbox import Rules, Sandbox
from voiso_async.session import Session
from voiso_async.transport import Timeout, Transport
from voiso_async.wire import Request

KEY = "canary-key-77ab10ee42"
LISTED = {"leads_import": {"created": phones(1)}}

PROGRAM = """
import asyncio, signal, sys
from voiso_async import LanePolicy, VoisoClient

def heard(event):
    if type(event).__name__ == "BatchAnswered":
        print("answered", flush=True)

async def main():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    leads = [f"4416329600{number:05d}" for number in range(5000)]
    lane = LanePolicy(cooldown=0.05, max_rows=10)
    async with VoisoClient(sys.argv[2], base_url=sys.argv[1], lane=lane, on_event=heard) as voiso:
        call = voiso.leads.add(3, leads)
        try:
            await call
        finally:
            counts = {name.value: count for name, count in call.report.counts.items() if count}
            print(call.report.balanced, counts, flush=True)

try:
    asyncio.run(main(), debug=True)
except (KeyboardInterrupt, asyncio.CancelledError) as error:
    print(type(error).__name__)
"""


@pytest.fixture
def sandbox_beside() -> Iterator[Sandbox]:
    """A sandbox with its own event loop in a thread, so that a test can stop and restart other loops."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox(rules=Rules(cooldown=0.05, server_time=0.5))
    sandbox.add_campaign(id=3)
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
    yield sandbox
    asyncio.run_coroutine_threadsafe(sandbox.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_loop_that_rests_during_its_post_is_waited_for_by_other_loops(sandbox_beside: Sandbox) -> None:
    """As in a notebook: the answer was not read, so the client does not know when the call ended."""

    def client() -> VoisoClient:
        return VoisoClient(
            sandbox_beside.key, base_url=sandbox_beside.url, lane=LanePolicy(cooldown=0.05, doubt_backoff=0.05)
        )

    async def whole(voiso: VoisoClient, start: int) -> IngestReport:
        async with voiso:
            return await voiso.leads.add(3, phones(5, start))

    async def arrived() -> None:
        while not sandbox_beside.history:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.001)

    with asyncio.Runner() as resting, asyncio.Runner() as running:
        first = resting.get_loop().create_task(whole(client(), 0))
        resting.run(arrived())
        second = running.get_loop().create_task(whole(client(), 100))
        running.run(asyncio.sleep(0.3))
        assert 1 == len(sandbox_beside.history)
        resting.get_loop().run_until_complete(first)
        report = running.get_loop().run_until_complete(second)
    assert {"created": 5} == counts(report)
    assert (0, 0) == (report.busy, sandbox_beside.too_early)


@pytest.mark.row(114)
@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "CancelledError")]
)
async def test_a_signal_ends_a_program_soon_with_a_balanced_report(number: signal.Signals, ending: str) -> None:
    async with Sandbox(rules=Rules(cooldown=0.05)) as sandbox:
        sandbox.add_campaign(id=3)
        child = await asyncio.create_subprocess_exec(
            *[sys.executable, "-X", "dev", "-c", PROGRAM, sandbox.url, sandbox.key],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None
        for _ in range(3):
            assert b"answered\n" == await child.stdout.readline()
        child.send_signal(number)
        out, complaints = await child.communicate()
        told = out.decode().splitlines()
        assert ending == told[-1]
        assert told[-2].startswith("True {")
        created = int(re.findall(r"'created': ([0-9]+)", told[-2])[0])
        assert created <= len(sandbox.campaigns[3].leads) <= created + 10, "the batch in flight has gone through"
        assert not any(word in complaints.decode() for word in ("destroyed", "never retrieved", "Warning", KEY))


@pytest.mark.row(123)
async def test_closing_does_not_wait_for_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of the system's resolver cannot be ended, so the client does not wait for it."""
    over, asked, resolved = threading.Event(), threading.Event(), threading.Event()

    def hanging(*_: Any, **__: Any) -> Any:
        asked.set()
        over.wait()
        resolved.set()
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", hanging)
    try:
        voiso = VoisoClient(KEY, base_url="https://cc.example.com", retry=RetryPolicy(max_attempts=1))
        call = voiso.leads.add(3, phones(3))
        adding = asyncio.ensure_future(call._whole())
        await asyncio.to_thread(asked.wait)
        await voiso.aclose(grace=0.1)
        assert not resolved.is_set()
        with pytest.raises(VoisoError):
            await adding
        assert 3 == sum(call.report.counts[kind] for kind in (Outcome.UNKNOWN, Outcome.NOT_SENT))
    finally:
        over.set()


@pytest.mark.row(2)
async def test_a_system_resolver_that_hangs_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait(30) and [])
    brief = Timeout(total=5.0, connect=0.3, read=5.0)
    try:
        async with VoisoClient(
            KEY, base_url="https://cc.example.com", timeout=brief, retry=RetryPolicy(max_attempts=1)
        ) as voiso:
            with pytest.raises(ConnectError) as caught:
                await voiso.campaigns.get(3)
    finally:
        over.set()
    assert ("not_sent", "connect_timeout") == (caught.value.proof, caught.value.reason)


# What cannot be switched off, and what is not shared

SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "SSL_NO_VERIFY": "1",
    "CURL_INSECURE": "1",
    "VOISO_VERIFY": "0",
    "VOISO_INSECURE": "1",
    "VOISO_SSL_VERIFY": "false",
}


@pytest.mark.row(6, 199)
async def test_no_variable_of_the_environment_switches_verification_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SWITCHES.items():
        monkeypatch.setenv(name, value)
    async with RawServer(answer(200, LISTED), context=certificate(tmp_path)) as server:
        monkeypatch.setenv("VOISO_BASE_URL", server.url)
        monkeypatch.setenv("VOISO_API_KEY", KEY)
        async with VoisoClient.from_env(lane=LanePolicy(unsent_for=0.0)) as voiso:
            with pytest.raises(TLSError):
                await voiso.leads.add(3, phones(1))
        assert [] == server.requests


@pytest.mark.row(199)
def test_no_option_switches_verification_off() -> None:
    """Only users who make their own session decide about its certificates."""
    options = set(inspect.signature(VoisoClient).parameters) | set(inspect.signature(Transport).parameters)
    assert not {name for name in options if re.search("ssl|tls|verify|insecure|cert", name)}


@pytest.mark.row(193)
async def test_two_clients_never_share_cookies() -> None:
    cookie = {"Set-Cookie": "tenant=first; Path=/; Domain=localhost"}
    async with RawServer(answer(200, LISTED, cookie)) as server:
        for key in (KEY, KEY[::-1]):
            base_url, lane = f"http://localhost:{server.port}", LanePolicy(cooldown=0.0)
            async with VoisoClient(key, base_url=base_url, lane=lane) as voiso:
                await voiso.leads.add(3, phones(1))
                await voiso.request("GET", "/campaigns")
        assert [None] * 4 == [seen.header("cookie") for seen in server.requests]


@pytest.mark.row(197)
async def test_the_user_agent_names_the_library_and_nothing_else() -> None:
    async with RawServer(answer(200, LISTED)) as server, VoisoClient(KEY, base_url=server.url) as voiso:
        await voiso.leads.add(3, phones(1))
    agent = server.requests[0].header("user-agent") or ""
    assert re.fullmatch(r"voiso-async/[0-9]+\.[0-9]+\.[0-9]+[0-9a-z.+]*", agent)


class Loud(str):
    """A text that fails on every operation that could show it."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ArithmeticError(f"nobody reads {phones(1)[0]}")

    __repr__ = __str__


class Endless(str):
    """A text that claims to be short and has a huge ``repr``."""

    __slots__ = ()

    def __str__(self) -> str:
        return "9" * 10_000_000


class Unhashable(dict[str, Any]):
    def keys(self) -> Any:
        raise ZeroDivisionError


HOSTILE: list[Any] = [
    Loud(phones(1)[0]),
    Loud("no number"),
    Endless("no number"),
    {"phone_number": phones(1, 1)[0], "name": Loud("n")},
    {Loud("name"): "n", "phone_number": phones(1, 2)[0]},
    Unhashable(phone_number=phones(1, 3)[0]),
    type("Lead", (), {"phone_number": property(lambda self: 1 / 0)})(),
    [[]],
    object,
    {"phone_number": phones(1, 4)[0], "context_headers": Unhashable()},
]


@pytest.mark.row(200)
@pytest.mark.unwatched
async def test_leads_of_hostile_types_are_sent_as_they_are_or_invalid() -> None:
    async with Sandbox(rules=Rules(cooldown=0.0)) as sandbox:
        sandbox.add_campaign(id=3)
        async with VoisoClient(sandbox.key, base_url=sandbox.url, lane=LanePolicy(cooldown=0.0)) as voiso:
            report = await voiso.leads.add(3, [*HOSTILE, phones(1, 9)[0]])
    assert set(counts(report)) <= {"created", "invalid"}
    assert Outcome.CREATED is report.outcomes[-1].outcome
    assert report.balanced


async def test_the_own_sessions_are_as_strict_as_they_should_be() -> None:
    for fresh in (False, True):
        transport = Transport(fresh=fresh)
        session = transport._session()
        connector = session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        assert (False, False) == (session.trust_env, session._raise_for_status)
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert not session.headers
        assert (True, fresh) == (connector._ssl, connector.force_close)
        assert not session.trace_configs
        await transport.aclose()


@pytest.mark.row(189, 191)
@pytest.mark.parametrize("path", ["@evil.example.net/", ":8443/x", ".evil.example.net/x"])
async def test_behind_the_rule_of_paths_the_origin_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A second line of defence: the key is not sent even if the rule of paths were loosened."""
    monkeypatch.setattr("voiso_async.session.PATH", re.compile(".*", re.DOTALL))
    session = Session("https://cc.example.com", ApiKey(KEY))
    with pytest.raises(ConfigurationError):
        await session.send(Request(method="GET", route="/x", path=path))
    assert not session._shared.reads.opened
