"""Bytes that came before the question: a connection that holds some is closed, and nothing is sent on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import client_proto, http_parser
from exchanges import DELETE, GET, LEADS, PATIENT, exchange, failure
from raw_server import RawServer, Verb, Wire, answer, http

from voiso_async.errors import ConnectError
from voiso_async.transport import Transport
from voiso_async.wire import Request

STRAY = http(422, b'{"errors": {"base": ["stray"]}}')
UNASKED = {
    "a whole answer": STRAY,
    "two of them": STRAY + STRAY,
    "408 and goodbye": http(408, b"", {"Connection": "close"}),
    "half of an answer": STRAY[: len(STRAY) // 2],
    "only its first letters": b"HTTP",
    "a line end": b"\r\n",
    "garbage": b"garbage\r\n\r\n",
    "garbage without an end": b"garbage",
}
KINDS = pytest.mark.parametrize("data", UNASKED.values(), ids=UNASKED)
ASKED = pytest.mark.parametrize("request_", [GET, DELETE, LEADS], ids=str)


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library has two parsers, which keep what they cannot use yet in different places."""
    if request.param == "Python":
        monkeypatch.setattr(client_proto, "HttpResponseParser", http_parser.HttpResponseParserPy)


@pytest.fixture(params=["own", "given"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    async with aiohttp.ClientSession() as session:
        transport = Transport(session if request.param == "given" else None)
        yield transport
        await transport.aclose()


def and_then(data: bytes, *, at_once: bool) -> Verb:
    """A sound answer, and something that nobody asked for."""

    async def act(wire: Wire) -> None:
        sound = http(200, b'"sound"')
        await wire.send(sound + data if at_once else sound)
        if not at_once:
            await asyncio.sleep(0.02)
            await wire.send(data)

    return Verb(act)


@KINDS
@ASKED
async def test_what_comes_over_an_idle_connection_is_answer_to_nothing(
    transport: Transport, request_: Request, data: bytes
) -> None:
    async with RawServer(and_then(data, at_once=False), answer(200, "own")) as server:
        assert (await exchange(transport, server)).body == b'"sound"'
        await asyncio.sleep(0.1)
        assert (await exchange(transport, server, request_)).body == b'"own"'
        assert (server.connections, len(server.requests)) == (2, 2)


@ASKED
async def test_what_comes_with_the_end_of_an_answer_is_answer_to_nothing(
    transport: Transport, request_: Request
) -> None:
    async with RawServer(and_then(STRAY, at_once=True), answer(200, "own")) as server:
        assert (await exchange(transport, server)).body == b'"sound"'
        assert (await exchange(transport, server, request_)).body == b'"own"'
        assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("extra", [b"X", b"X" * 3000, b'"stray"'])
async def test_bytes_beyond_the_length_of_an_answer_reach_no_other(transport: Transport, extra: bytes) -> None:
    async with RawServer(and_then(extra, at_once=False), answer(200, "own")) as server:
        assert (await exchange(transport, server)).body == b'"sound"'
        await asyncio.sleep(0.1)
        assert (await exchange(transport, server)).body == b'"own"'


async def test_a_go_ahead_is_no_answer(transport: Transport) -> None:
    """An interim answer of its own accord is passed over, as HTTP has it."""
    async with RawServer(and_then(b"HTTP/1.1 100 Continue\r\n\r\n", at_once=False), answer(200, "own")) as server:
        assert (await exchange(transport, server)).body == b'"sound"'
        await asyncio.sleep(0.1)
        assert (await exchange(transport, server)).body == b'"own"'


async def test_a_clean_connection_is_used_again(transport: Transport) -> None:
    async with RawServer(answer(200, "own")) as server:
        for _ in range(5):
            assert (await exchange(transport, server)).body == b'"own"'
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_every_connection_of_a_pool_may_hold_something(transport: Transport) -> None:
    async with RawServer(*[and_then(STRAY, at_once=False)] * 5, answer(200, "own")) as server:
        await asyncio.gather(*[exchange(transport, server) for _ in range(5)])
        await asyncio.sleep(0.1)
        assert (await exchange(transport, server)).body == b'"own"'
        assert (server.connections, len(server.requests)) == (6, 6)


@KINDS
@ASKED
async def test_what_comes_between_the_pool_and_the_writing_is_noticed_too(request_: Request, data: bytes) -> None:
    wires: list[Wire] = []

    async def meanwhile(*_: Any) -> None:
        await wires[0].send(data)
        await asyncio.sleep(0.05)

    async def act(wire: Wire) -> None:
        wires.append(wire)
        await wire.send(http(200, b'"sound"'))

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_once(meanwhile, after=1))
    async with (
        RawServer(Verb(act), answer(200, "own")) as server,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
    ):
        transport = Transport(session)
        await exchange(transport, server)
        assert (await exchange(transport, server, request_)).body == b'"own"'
        assert (server.connections, len(server.requests)) == (2, 2)


def _once(act: Callable[..., Any], after: int) -> Callable[..., Any]:
    """Run the hook for the ``after``-th request only; the first is number 0."""
    calls = iter(range(1000))

    async def hook(*args: Any) -> None:
        if next(calls) == after:
            await act(*args)

    return hook


@ASKED
async def test_a_server_that_always_speaks_first_is_told_nothing(transport: Transport, request_: Request) -> None:
    async def speak(wire: Wire) -> None:
        await wire.send(STRAY)
        await asyncio.Event().wait()

    async with RawServer(Verb(speak, "nothing")) as server:
        error = await failure(transport, server.url, request_, PATIENT)
        assert server.requests == []
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "unsolicited")
