"""One exchange over real sockets: any complete answer comes back, everything else says what is proved."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import evolve
from exchanges import EVERY, GET, LEADS, PATIENT, QUICK, exchange, failure
from raw_server import (
    CLOSE_AFTER_HEAD,
    CLOSE_AFTER_READING,
    CLOSE_ON_ACCEPT,
    NEVER_READ,
    RESET_AFTER_READING,
    RESET_ON_ACCEPT,
    STALL,
    RawServer,
    Verb,
    answer,
    closed_port,
    drip,
    endless,
    gzip_bomb,
    http,
    raw,
)
from unreachable import Names

from voiso_async._structs import replace
from voiso_async.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
)
from voiso_async.transport import LARGEST_ANSWER, Timeout, Transport
from voiso_async.wire import Request


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


@EVERY
async def test_the_request_on_the_wire(transport: Transport, request_: Request) -> None:
    async with RawServer(answer(200, {"a": 1}, {"X-Trace": "t"})) as server:
        response = await exchange(transport, server, replace(request_, params=(("name", "A & B"),)))
    [seen] = server.requests
    assert (200, b'{"a": 1}', "t", False) == (
        response.status,
        response.body,
        response.headers["x-trace"],
        response.truncated,
    )
    assert seen.line == f"{request_.method} /api/v4{request_.path} HTTP/1.1"
    assert seen.body == (request_.body or b"")
    assert seen.header("authorization") == "Bearer key"
    assert seen.header("accept") == seen.header("content-type") == "application/json"
    assert seen.header("accept-encoding") == "identity"
    assert (seen.header("user-agent") or "").startswith("voiso-async/")
    assert seen.header("cookie") is None


async def test_an_encoded_path_and_query_are_sent_as_they_are(transport: Transport) -> None:
    async with RawServer() as server:
        await transport.send(GET, f"{server.url}/x%2Dy?created_at%5Bgte%5D=%31&name=A+%26+B", {}, PATIENT)
    assert server.requests[0].line == "GET /api/v4/x%2Dy?created_at%5Bgte%5D=%31&name=A+%26+B HTTP/1.1"


@pytest.mark.row(5, 15)
@EVERY
@pytest.mark.parametrize(
    "verb", [CLOSE_ON_ACCEPT, RESET_ON_ACCEPT, CLOSE_AFTER_HEAD, CLOSE_AFTER_READING, RESET_AFTER_READING]
)
async def test_a_lost_connection_is_in_doubt_and_never_repeated(
    transport: Transport, request_: Request, verb: Verb
) -> None:
    """The library sends GET and DELETE a second time by itself; one connection here means that it did not."""
    async with RawServer(verb) as server:
        error = await failure(transport, server.url, request_)
        await asyncio.sleep(0.05)
        assert server.connections == 1
        assert len(server.requests) <= 1
        assert error.proof == "in_doubt" or not server.requests  # a close on accept may be seen in time
    assert isinstance(error, ConnectionLostError)
    assert error.reason == "connection_lost"


@EVERY
async def test_a_pooled_connection_that_died_is_not_repeated_either(
    transport: Transport, request_: Request
) -> None:
    async with RawServer(answer(), CLOSE_AFTER_READING) as server:
        await exchange(transport, server)
        error = await failure(transport, server.url, request_)
        assert server.connections == 1
        assert len(server.requests) == 2
    assert error.proof == "in_doubt"


@pytest.mark.row(3)
@EVERY
async def test_a_closed_port_proves_that_nothing_was_sent(transport: Transport, request_: Request) -> None:
    error = await failure(transport, f"http://127.0.0.1:{await closed_port()}", request_)
    assert isinstance(error, ConnectError)
    assert (error.proof, error.reason) == ("not_sent", "refused")


@pytest.mark.row(1)
@EVERY
async def test_an_unknown_host_proves_that_nothing_was_sent(transport: Transport, request_: Request) -> None:
    error = await failure(transport, "http://voiso.invalid", request_)
    assert isinstance(error, ConnectError)
    assert (error.proof, error.reason) == ("not_sent", "dns")
    assert "voiso.invalid" in str(error)


@pytest.mark.row(2)
async def test_a_resolver_that_hangs_is_bounded() -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names())) as session:
        error = await failure(Transport(session), "http://cc.example.com", LEADS, QUICK)
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "connect_timeout")


@pytest.mark.row(12)
async def test_the_second_address_is_tried() -> None:
    async with (
        RawServer() as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names("127.0.0.2", "127.0.0.1"))) as session,
    ):
        response = await Transport(session).send(GET, f"http://cc.example.com:{server.port}/x", {}, PATIENT)
    assert response.status == 200


@pytest.mark.row(11)
@EVERY
async def test_a_read_waits_for_a_free_connection_within_its_total(request_: Request) -> None:
    async with (
        RawServer(STALL) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
    ):
        transport = Transport(session)
        holder = asyncio.ensure_future(exchange(transport, server))
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        error = await failure(transport, server.url, request_, QUICK)
        assert asyncio.get_running_loop().time() - began >= QUICK.total
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
    assert (type(error), error.proof, error.reason) == (RequestTimeoutError, "not_sent", "pool")


@pytest.mark.row(11)
@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}])
async def test_a_batch_waits_for_a_free_connection_as_long_as_it_takes(limits: dict[str, Any]) -> None:
    """Neither limit counts the wait: the batch is sent once its turn has come, with all of its time."""

    async def slow(wire: Any) -> None:
        await asyncio.sleep(2 * QUICK.total)
        await wire.send(http(200, b"{}"))

    async with (
        RawServer(Verb(slow), answer()) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits)) as session,
    ):
        holder = asyncio.ensure_future(exchange(Transport(session), server))
        await asyncio.sleep(0.05)
        batch = Transport(session, fresh=True, patient=True)
        assert (await exchange(batch, server, LEADS, QUICK)).status == 200
        await holder


async def test_any_number_of_batches_may_be_on_their_way() -> None:
    """The lanes are the bound, not the pool of the client's own session."""
    async with RawServer(STALL) as server:
        transport = Transport(fresh=True, patient=True)
        going = [asyncio.ensure_future(exchange(transport, server, LEADS)) for _ in range(120)]
        async with asyncio.timeout(20):
            while len(server.requests) < len(going):  # noqa: ASYNC110 - the server counts
                await asyncio.sleep(0.01)
        for one in going:
            one.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        await transport.aclose()


@pytest.mark.row(13)
@EVERY
async def test_no_descriptor_left_is_a_connect_error(
    transport: Transport, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer() as server:

        def exhausted(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr("socket.socket", exhausted)
        error = await failure(transport, server.url, request_)
        monkeypatch.undo()
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "os_error")
    assert "EMFILE" in str(error)


SLOW_ANSWER = http(200, b'{"campaigns": []}')


@pytest.mark.row(19, 22)
@EVERY
@pytest.mark.parametrize(
    "verb", [STALL, NEVER_READ, drip(SLOW_ANSWER, 0.05), drip(b"HTTP/1.1 100 Go\r\n\r\n" * 100, 0.01)]
)
async def test_no_answer_in_time_is_in_doubt_within_the_total(
    transport: Transport, request_: Request, verb: Verb
) -> None:
    async with RawServer(verb) as server:
        error = await failure(transport, server.url, request_, evolve(QUICK, read=5.0))
    assert (type(error), error.proof, error.reason) == (RequestTimeoutError, "in_doubt", "timeout")


@pytest.mark.row(23)
async def test_a_body_that_drips_is_bounded_by_the_total(transport: Transport) -> None:
    """Each byte feeds the read timeout; only the total ends it."""
    head, body = SLOW_ANSWER.split(b"\r\n\r\n")
    verb = drip(body, 0.1)

    async def act(wire: Any) -> None:
        await wire.send(head + b"\r\n\r\n")
        await verb.act(wire)

    async with RawServer(Verb(act)) as server:
        error = await failure(transport, server.url, GET, QUICK)
    assert type(error) is RequestTimeoutError


@pytest.mark.row(24)
async def test_silence_between_two_reads_is_bounded(transport: Transport) -> None:
    async with RawServer(STALL) as server:
        async with asyncio.timeout(2.0):
            error = await failure(transport, server.url, LEADS, Timeout(total=30.0, connect=5.0, read=0.2))
    assert (type(error), error.proof) == (RequestTimeoutError, "in_doubt")


@pytest.mark.row(25)
async def test_a_peer_that_does_not_read_five_megabytes_is_in_doubt(transport: Transport) -> None:
    async with RawServer(NEVER_READ) as server:
        error = await failure(transport, server.url, replace(LEADS, body=bytes(5_000_000)), QUICK)
    assert (type(error), error.proof) == (RequestTimeoutError, "in_doubt")


async def test_an_answer_before_the_body_was_read_is_an_answer(transport: Transport) -> None:
    verb = Verb(answer(413, {"error": "Too large"}).act, "head")
    async with RawServer(verb) as server:
        response = await exchange(transport, server, replace(LEADS, body=bytes(5_000_000)))
        assert response.status == 413


async def test_a_large_body_arrives_whole(transport: Transport) -> None:
    body = os.urandom(3_000_000)
    async with RawServer() as server:
        await exchange(transport, server, replace(LEADS, body=body))
    assert body == server.requests[0].body


GARBAGE = {
    "not http": b"this is not http\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "100 headers": http(200, b"{}", {f"X-{at}": "a" for at in range(100)}),
    "300 headers": http(200, b"{}", {f"X-{at}": "a" for at in range(300)}),
    "a header of 10 KB": http(200, b"{}", {"X-Long": "a" * 10_240}),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
}


@pytest.mark.row(75, 76, 77)
@EVERY
@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_never_a_status(transport: Transport, request_: Request, data: bytes) -> None:
    """The library reports a parser failure as status 400, which would read as "nothing was created"."""
    async with RawServer(raw(data)) as server:
        error = await failure(transport, server.url, request_)
    assert (type(error), error.proof, error.reason) == (ResponseError, "in_doubt", "protocol")


@pytest.mark.row(75)
async def test_trailers_without_end_are_bounded(transport: Transport) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    async with RawServer(endless(head, b"A: b\r\n" * 50)) as server:
        assert (await failure(transport, server.url)).reason == "protocol"


@pytest.mark.row(61, 62)
@EVERY
@pytest.mark.parametrize(
    "data",
    [
        http(200, b'{"campaigns": [', length=100),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
        http(500, b'{"error": ', length=100),
    ],
)
async def test_a_truncated_answer_is_a_lost_connection(
    transport: Transport, request_: Request, data: bytes
) -> None:
    async with RawServer(raw(data)) as server:
        error = await failure(transport, server.url, request_)
    assert (type(error), error.proof, error.reason) == (ConnectionLostError, "in_doubt", "truncated")


async def test_a_body_without_length_that_is_cut_looks_complete(transport: Transport) -> None:
    """HTTP cannot tell; only the decoding of the JSON can."""
    async with RawServer(raw(http(200, b'{"campaigns": [', length=-1))) as server:
        assert (await exchange(transport, server)).body == b'{"campaigns": ['


@pytest.mark.row(74)
async def test_damaged_compression_is_an_unreadable_answer(transport: Transport) -> None:
    async with RawServer(raw(http(200, b"this is not gzip", {"Content-Encoding": "gzip"}))) as server:
        error = await failure(transport, server.url)
    assert (type(error), error.reason) == (ResponseError, "encoding")


@pytest.mark.row(72, 73)
@pytest.mark.parametrize(
    "verb",
    [raw(gzip_bomb(16 * LARGEST_ANSWER), then="stay"), endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)],
    ids=["gzip bomb", "endless"],
)
async def test_a_huge_answer_is_cut_off_at_the_cap(transport: Transport, verb: Verb) -> None:
    async with RawServer(verb) as server:
        error = await failure(transport, server.url)
    assert (type(error), error.reason) == (ResponseError, "too_big")


@pytest.mark.row(79)
async def test_of_a_huge_error_body_the_beginning_is_kept(transport: Transport) -> None:
    async with RawServer(endless(b"HTTP/1.1 500 Oops\r\n\r\n", b"x" * 65537)) as server:
        response = await exchange(transport, server)
    assert (500, 65536, True) == (response.status, len(response.body), response.truncated)


@pytest.mark.row(21)
async def test_a_response_is_never_matched_to_another_request(transport: Transport) -> None:
    """After a timeout the connection is closed, so the late answer has nobody left to reach."""

    async def late(wire: Any) -> None:
        await asyncio.sleep(0.5)
        await wire.send(http(200, b'"late"'))

    async with RawServer(Verb(late), answer(200, "own")) as server:
        await failure(transport, server.url, GET, QUICK)
        assert (await exchange(transport, server)).body == b'"own"'
        await asyncio.sleep(0.3)
        assert (await exchange(transport, server)).body == b'"own"'
        assert server.connections == 2


async def test_an_answer_in_double_is_not_given_to_the_next_request(transport: Transport) -> None:
    twice = raw(http(200, b'"first"') + http(200, b'"stray"'), then="stay")
    async with RawServer(twice, answer(200, "own")) as server:
        assert (await exchange(transport, server)).body == b'"first"'
        assert (await exchange(transport, server)).body == b'"own"'


@pytest.mark.row(53, 191)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@EVERY
async def test_a_redirect_is_an_answer_and_its_target_sees_nothing(
    transport: Transport, request_: Request, status: int
) -> None:
    async with RawServer() as silent, RawServer(answer(status, {}, {"Location": silent.url})) as server:
        response = await exchange(transport, server, request_)
        assert (status, silent.url) == (response.status, response.headers["location"])
        assert silent.connections == 0
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [204, 205, 304, 401, 418, 500, 599, 999])
async def test_every_complete_answer_comes_back(transport: Transport, status: int) -> None:
    body = b"" if status in (204, 304) else b"{}"
    async with RawServer(raw(http(status, body))) as server:
        response = await exchange(transport, server, LEADS)
    assert (status, body) == (response.status, response.body)


async def test_switching_protocols_is_only_a_status(transport: Transport) -> None:
    async with RawServer(raw(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc")) as server:
        response = await exchange(transport, server)
    assert (101, b"") == (response.status, response.body)


async def test_repeated_headers_are_joined(transport: Transport) -> None:
    async with RawServer(raw(b"HTTP/1.1 200 OK\r\nVia: a\r\nvia: b\r\nContent-Length: 2\r\n\r\n{}")) as server:
        assert (await exchange(transport, server)).headers["via"] == "a, b"


@pytest.mark.row(193)
async def test_cookies_are_never_sent_back(transport: Transport) -> None:
    """By name, because aiohttp's ordinary jar keeps no cookies of a bare address anyway."""
    async with RawServer(answer(200, {}, {"Set-Cookie": "tenant=1; Path=/"})) as server:
        for _ in range(2):
            await transport.send(GET, f"http://localhost:{server.port}/x", {}, PATIENT)
    assert [None, None] == [seen.header("cookie") for seen in server.requests]


@pytest.mark.row(192)
async def test_proxies_and_netrc_of_the_environment_are_ignored(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password from-netrc\n")
    netrc.chmod(0o600)
    async with RawServer() as server, RawServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        await exchange(transport, server)
        assert proxy.connections == 0
    assert server.requests[0].header("authorization") == "Bearer key"


@pytest.mark.parametrize(("fresh", "connections"), [(False, 1), (True, 3)])
async def test_fresh_means_a_connection_for_each_request(fresh: bool, connections: int) -> None:  # noqa: FBT001
    async with RawServer() as server:
        transport = Transport(fresh=fresh)
        for _ in range(3):
            await exchange(transport, server, LEADS)
        await transport.aclose()
        assert connections == server.connections


@pytest.mark.row(26)
async def test_an_idle_connection_that_the_server_closed_costs_a_fresh_transport_nothing() -> None:
    async with RawServer(*[answer(), CLOSE_AFTER_READING] * 2, answer()) as server:
        transport = Transport(fresh=True)
        assert (await exchange(transport, server, LEADS)).status == 200
        assert (await failure(transport, server.url, LEADS)).proof == "in_doubt"
        assert (await exchange(transport, server, LEADS)).status == 200
        await transport.aclose()


@pytest.mark.row(109, 110)
@EVERY
@pytest.mark.parametrize("moment", [0.0, 0.05])
async def test_cancellation_propagates_and_leaves_nothing(
    transport: Transport, request_: Request, moment: float
) -> None:
    async with RawServer(STALL, answer()) as server:
        task = asyncio.ensure_future(exchange(transport, server, request_))
        await asyncio.sleep(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.02)
        others = {t for t in asyncio.all_tasks() if "RawServer" not in repr(t.get_coro())}
        assert {asyncio.current_task()} == others
        assert transport._own is None or not transport._own.connector._conns  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["total", "connect", "read"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), None, True])
def test_a_timeout_without_a_limit_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Timeout(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("left", "total"), [(100.0, 30.0), (30.0, 30.0), (2.5, 2.5)])
def test_a_timeout_is_cut_to_what_is_left(left: float, total: float) -> None:
    assert Timeout().within(left) == Timeout(total=total)


async def test_closing_what_was_never_opened_does_nothing() -> None:
    transport = Transport()
    await transport.aclose()
    assert not transport.opened


async def test_an_abandoned_session_makes_no_warning_of_its_own() -> None:
    async with RawServer() as server:
        transport = Transport()
        await exchange(transport, server)
        transport.abandon()
        del transport
        gc.collect()
