"""No connection, for whatever reason: the report says NOT_SENT, and no row is in doubt."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from certificates import certificate
from exchanges import LEADS, QUICK, failure
from http_stage import counts, phones
from raw_server import CLOSE_AFTER_HEAD, STALL, RawServer, Verb, Wire, answer, closed_port, http, raw
from report_in import report_in
from unreachable import OLD_TLS_ONLY, Names, full_backlog, trusting

from voiso_async import LanePolicy, VoisoClient
from voiso_async.errors import ConnectError, DeadlineExceededError, TLSError, TransportError
from voiso_async.ingest.outcome import Outcome
from voiso_async.transport import Timeout, Transport

KEY = "canary-key-3e88a01b75"
BRIEF = 0.3


@frozen(kw_only=True)
class Place:
    """The address that a client gets, and its options for the connection."""

    url: str
    session: aiohttp.ClientSession | None = None


Leading = Callable[[Path], AbstractAsyncContextManager[Place]]


@asynccontextmanager
async def nowhere(_: Path) -> AsyncIterator[Place]:
    yield Place(url="https://voiso.invalid")


@asynccontextmanager
async def unresolved(_: Path) -> AsyncIterator[Place]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names())) as session:
        yield Place(url="https://cc.example.com", session=session)


@asynccontextmanager
async def nobody(_: Path) -> AsyncIterator[Place]:
    yield Place(url=f"http://127.0.0.1:{await closed_port()}")


@asynccontextmanager
async def crowded(_: Path) -> AsyncIterator[Place]:
    async with full_backlog() as port:
        yield Place(url=f"http://127.0.0.1:{port}")


@asynccontextmanager
async def untrusted(folder: Path) -> AsyncIterator[Place]:
    async with RawServer(context=certificate(folder)) as server:
        yield Place(url=server.url)


@asynccontextmanager
async def _believed(folder: Path, **made: str) -> AsyncIterator[Place]:
    context = certificate(folder, **made)
    connector = trusting(folder / f"{made.get('name', 'localhost')}.pem")
    async with RawServer(context=context) as server, aiohttp.ClientSession(connector=connector) as session:
        yield Place(url=server.url, session=session)
        assert server.requests == []


def expired(folder: Path) -> AbstractAsyncContextManager[Place]:
    return _believed(folder, until="20200201000000Z")


def foreign(folder: Path) -> AbstractAsyncContextManager[Place]:
    return _believed(folder, name="other.example.com")


@asynccontextmanager
async def outdated(_: Path) -> AsyncIterator[Place]:
    async with RawServer(Verb(raw(OLD_TLS_ONLY).act, "nothing")) as server:
        yield Place(url=f"https://127.0.0.1:{server.port}")


@asynccontextmanager
async def plain(_: Path) -> AsyncIterator[Place]:
    async with RawServer(Verb(raw(b"HTTP/1.1 400 Bad\r\n\r\n").act, "nothing")) as server:
        yield Place(url=f"https://127.0.0.1:{server.port}")


@asynccontextmanager
async def mute(_: Path) -> AsyncIterator[Place]:
    async with RawServer(Verb(STALL.act, "nothing")) as server:
        yield Place(url=f"https://127.0.0.1:{server.port}")


@asynccontextmanager
async def barred(_: Path) -> AsyncIterator[Place]:
    async with RawServer(raw(http(407, b""))) as proxy:
        way = f"http://user:canary-password@127.0.0.1:{proxy.port}"
        async with aiohttp.ClientSession(proxy=way) as session:
            yield Place(url="https://cc.example.com", session=session)


def way(row: Any, leading: Leading, kind: type[TransportError], reason: str) -> Any:
    return pytest.param(leading, kind, reason, marks=row, id=leading.__name__)


WAYS = [
    way(pytest.mark.row(1), nowhere, ConnectError, "dns"),
    way(pytest.mark.row(2), unresolved, ConnectError, "connect_timeout"),
    way(pytest.mark.row(3), nobody, ConnectError, "refused"),
    way(pytest.mark.row(4), crowded, ConnectError, "connect_timeout"),
    way(pytest.mark.row(6), untrusted, TLSError, "tls"),
    way(pytest.mark.row(6), expired, TLSError, "tls"),
    way(pytest.mark.row(6), foreign, TLSError, "tls"),
    way(pytest.mark.row(7), plain, TLSError, "tls"),
    way(pytest.mark.row(8), mute, ConnectError, "connect_timeout"),
    way(pytest.mark.row(9), outdated, TLSError, "tls"),
    way(pytest.mark.row(10), barred, ConnectError, "proxy_refused"),
]


@pytest.mark.parametrize(("leading", "kind", "reason"), WAYS)
async def test_leads_that_find_no_way_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leading: Leading, kind: type[TransportError], reason: str
) -> None:
    """A permanent failure stops at once; others are repeated for ``unsent_for``, and are never in doubt."""
    monkeypatch.setattr("voiso_async.client.LEAD_TIMEOUT", Timeout(total=5.0, connect=BRIEF, read=5.0))
    lane = LanePolicy(unsent_for=0.0, post_timeout=2.0)
    async with (
        leading(tmp_path) as place,
        VoisoClient(KEY, base_url=place.url, session=place.session, lane=lane) as voiso,
    ):
        with pytest.raises(kind) as caught:
            await voiso.leads.add(3, phones(5))
        assert 0 == voiso.lanes()[0].rows_in_doubt
    error = caught.value
    assert ("not_sent", reason) == (error.proof, error.reason)
    assert {"not_sent": 5} == counts(report_in(error))
    assert (0, 5) == (report_in(error).doubted, report_in(error).counts[Outcome.NOT_SENT])
    assert "canary" not in str(error)


@pytest.mark.row(5)
async def test_a_connection_that_was_had_and_lost_is_in_doubt_whatever_the_library_calls_it() -> None:
    """The exception is the same as for a connection that failed to open: only the record tells them apart."""
    transport = Transport()
    async with RawServer(CLOSE_AFTER_HEAD) as server:
        lost = await failure(transport, server.url, LEADS, QUICK)
    unsent = await failure(transport, f"http://127.0.0.1:{await closed_port()}", LEADS, QUICK)
    await transport.aclose()
    assert ("in_doubt", "not_sent") == (lost.proof, unsent.proof)


@pytest.mark.row(9)
async def test_the_client_names_the_outdated_version_as_the_reason(tmp_path: Path) -> None:
    async with outdated(tmp_path) as place:
        transport = Transport()
        error = await failure(transport, place.url, LEADS)
        await transport.aclose()
    assert "PROTOCOL_VERSION" in str(error)


@pytest.mark.row(13)
async def test_without_file_descriptors_the_loop_lives_and_the_leads_are_not_sent() -> None:
    async with RawServer(answer(200, {"leads_import": {"created": phones(1)}})) as server:
        voiso = VoisoClient(KEY, base_url=server.url, lane=LanePolicy(cooldown=0.01, unsent_for=0.0))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_first_free(), hard))
        try:
            with pytest.raises(ConnectError) as caught:
                await voiso.leads.add(3, phones(1))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert ("not_sent", "os_error") == (caught.value.proof, caught.value.reason)
        assert {"not_sent": 1} == counts(report_in(caught.value))
        assert {"created": 1} == counts(await voiso.leads.add(3, phones(1)))
        await voiso.aclose()


def _first_free() -> int:
    """One number above the descriptors in use, if there is no gap between them."""
    probe = os.open("/", os.O_RDONLY)
    os.close(probe)
    return probe


@pytest.mark.row(12)
async def test_behind_a_dead_address_the_next_one_serves_leads() -> None:
    listed = {"leads_import": {"created": phones(3)}}
    names = Names("127.0.0.2", "127.0.0.1")
    async with (
        RawServer(answer(200, listed)) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=names)) as session,
    ):
        voiso = VoisoClient(KEY, base_url=f"http://localhost:{server.port}", session=session)
        assert {"created": 3} == counts(await voiso.leads.add(3, phones(3)))
        await voiso.aclose()
        assert 1 == len(server.requests)


@pytest.mark.row(11)
async def test_waiting_for_a_connection_of_ones_own_pool_is_no_failure() -> None:
    """The wait was longer than ``unsent_for``, and still the batch was sent; only a deadline ends it."""
    released = asyncio.Event()

    async def hold(wire: Wire) -> None:
        await released.wait()
        await wire.send(http(200, b"{}"))

    async with (
        RawServer(Verb(hold), answer(200, {"leads_import": {"created": phones(5)}})) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        VoisoClient(KEY, base_url=server.url, session=session, lane=LanePolicy(unsent_for=0.0)) as voiso,
    ):
        holding = asyncio.create_task(_held(session, server.url))
        while not server.requests:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.001)
        with pytest.raises(DeadlineExceededError):
            await voiso.leads.add(4, phones(5), timeout=0.2)
        adding = asyncio.create_task(_report(voiso.leads.add(3, phones(5))))
        await asyncio.sleep(3 * BRIEF)
        assert not adding.done()
        released.set()
        assert {"created": 5} == counts(await adding)
        await holding


async def _held(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        await response.read()


async def _report(adding: Any) -> Any:
    return await adding
