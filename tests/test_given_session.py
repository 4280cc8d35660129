"""A caller's own aiohttp session: used as it is, never closed, and kept from breaking the rules."""

import asyncio

import aiohttp
import pytest
from exchanges import LEADS, exchange, failure
from raw_server import RawServer, answer, closed_port, http, raw

from voiso_async.errors import ClientClosedError, ConfigurationError, ConnectError, WrongLoopError
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
