"""A caller's own aiohttp session: used as it is, never closed, and kept from breaking the rules."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from exchanges import LEADS, PATIENT, exchange, failure
from http_stage import counts, phones
from raw_server import RawServer, answer, closed_port, http, raw
from report_in import report_in

from voiso_async import LanePolicy, VoisoClient
from voiso_async.errors import ClientClosedError, ConfigurationError, ConnectError, UnexpectedError, WrongLoopError
from voiso_async.transport import Transport


async def test_a_given_session_is_used_and_left_open() -> None:
    async with RawServer() as server, aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        transport = Transport(session)
        assert (await exchange(transport, server)).status == 200
        assert not transport.opened
        await transport.aclose()
        assert not session.closed
    assert server.requests[0].header("x-mine") == "1"


async def test_a_given_session_keeps_neither_redirects_nor_raising_nor_middlewares_nor_its_key() -> None:
    called: list[str] = []

    async def foreign(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        called.append("foreign")
        return await handler(request)

    async with (
        RawServer(answer(302, {}, {"Location": "/elsewhere"})) as server,
        aiohttp.ClientSession(
            middlewares=(foreign,), raise_for_status=True, headers={"authorization": "Bearer other"}
        ) as session,
    ):
        assert (await exchange(Transport(session), server)).status == 302
    assert called == []
    assert [seen.header("authorization") for seen in server.requests] == ["Bearer key"]
    assert server.requests[0].head.lower().count("authorization") == 1


async def test_a_given_session_that_raises_for_status_does_not_raise_here() -> None:
    async with (
        RawServer(answer(409, {"error": "No"})) as server,
        aiohttp.ClientSession(raise_for_status=True) as session,
    ):
        assert (await exchange(Transport(session), server, LEADS)).status == 409


async def test_a_given_session_that_carries_auth_is_refused() -> None:
    with pytest.warns(DeprecationWarning, match="auth"):
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "password"))
    with pytest.raises(ConfigurationError, match="auth"):
        Transport(session)
    await session.close()


async def test_a_given_session_that_is_closed_is_named() -> None:
    session = aiohttp.ClientSession()
    transport = Transport(session)
    await session.close()
    with pytest.raises(ClientClosedError):
        transport.check(asyncio.get_running_loop())


async def test_a_given_session_of_another_loop_is_named() -> None:
    other = asyncio.new_event_loop()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(WrongLoopError):
            Transport(session).check(other)
    other.close()


@pytest.mark.row(10)
async def test_a_proxy_that_asks_for_credentials_is_a_connect_error() -> None:
    async with (
        RawServer(raw(http(407, b""), then="close")) as proxy,
        aiohttp.ClientSession(proxy=f"http://user:hunter2@127.0.0.1:{proxy.port}") as session,
    ):
        error = await failure(Transport(session), "https://cc.example.com", LEADS)
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "proxy_refused")
    assert "hunter2" not in repr(error)


@pytest.mark.row(10)
async def test_a_proxy_that_is_not_there_is_a_connect_error() -> None:
    async with aiohttp.ClientSession(proxy=f"http://127.0.0.1:{await closed_port()}") as session:
        error = await failure(Transport(session), "https://cc.example.com", LEADS)
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "proxy")


KEY = "canary-key-77c1"
BEFORE = ["on_request_start", "on_connection_create_start", "on_connection_create_end", "on_request_headers_sent"]
AFTER = ["on_request_chunk_sent", "on_request_end"]


def tracing(signal: str, error: type[BaseException]) -> aiohttp.TraceConfig:
    """A trace config with a bug."""

    async def hook(_: Any, __: Any, params: Any) -> None:
        raise error(f"canary-of-the-hook {getattr(params, 'headers', '')}")

    config = aiohttp.TraceConfig()
    getattr(config, signal).append(hook)
    return config


@pytest.mark.parametrize("error", [RuntimeError, KeyError, OSError, TimeoutError, ConnectionResetError])
@pytest.mark.parametrize(
    ("signal", "outcome"), [*((one, "not_sent") for one in BEFORE), *((one, "unknown") for one in AFTER)]
)
async def test_an_error_of_a_trace_hook_is_told_at_once_as_what_it_is(
    signal: str, outcome: str, error: type[Exception]
) -> None:
    listed = {"leads_import": {"created": phones(3)}}
    events: list[Any] = []
    async with (
        RawServer(answer(200, listed)) as server,
        aiohttp.ClientSession(trace_configs=[tracing(signal, error)]) as session,
        VoisoClient(KEY, base_url=server.url, session=session, lane=LanePolicy(), on_event=events.append) as voiso,
    ):
        with pytest.raises(UnexpectedError, match=f"{error.__name__} at test_given_session.py") as caught:
            await voiso.leads.add(3, phones(3))
        assert len(server.requests) <= 1
        assert {outcome: 3} == counts(report_in(caught.value))
        assert isinstance(caught.value.__cause__, error)
    assert "canary" not in str(caught.value) + repr(caught.value) + repr(events)
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("signal", BEFORE + AFTER[1:])
async def test_a_read_with_such_a_hook_is_not_tried_again(signal: str) -> None:
    async with (
        RawServer(answer(200, {"campaigns": []})) as server,
        aiohttp.ClientSession(trace_configs=[tracing(signal, ValueError)]) as session,
        VoisoClient(KEY, base_url=server.url, session=session) as voiso,
    ):
        with pytest.raises(UnexpectedError, match="ValueError") as caught:
            await voiso.campaigns.list()
        assert len(server.requests) <= 1
    assert caught.value.proof == ("not_sent" if signal in BEFORE else "in_doubt")


async def test_a_netrc_that_collides_with_the_key_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password canary-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        RawServer() as server,
        aiohttp.ClientSession(trust_env=True) as session,
        VoisoClient(KEY, base_url=server.url, session=session) as voiso,
    ):
        with pytest.raises(UnexpectedError, match="ValueError") as caught:
            await voiso.leads.add(3, phones(3))
        assert server.requests == []
    assert {"not_sent": 3} == counts(report_in(caught.value))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_a_resolver_with_a_bug_is_told_at_once() -> None:
    class Buggy(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            return [{"host": host}]

        async def close(self) -> None:
            pass

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Buggy())) as session:
        with pytest.raises(UnexpectedError, match="KeyError") as caught:
            await Transport(session).send(LEADS, "http://cc.example.com/", {}, PATIENT)
    assert caught.value.proof == "not_sent"
