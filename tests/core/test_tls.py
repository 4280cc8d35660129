"""TLS: what cannot be trusted is never sent anything."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from attrs import evolve
from certificates import certificate
from exchanges import LEADS, QUICK, exchange, failure
from raw_server import STALL, RawServer, Verb, raw
from unreachable import trusting

from voiso_async.errors import ConnectError, TLSError
from voiso_async.transport import Transport


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


@pytest.mark.row(6)
async def test_a_self_signed_certificate_is_a_tls_error(transport: Transport, tmp_path: Path) -> None:
    async with RawServer(context=certificate(tmp_path)) as server:
        error = await failure(transport, server.url, LEADS)
    assert server.requests == []
    assert (type(error), error.proof, error.reason) == (TLSError, "not_sent", "tls")
    assert "self-signed certificate" in str(error)


async def test_a_trusted_certificate_is_no_obstacle(tmp_path: Path) -> None:
    async with (
        RawServer(context=certificate(tmp_path)) as server,
        aiohttp.ClientSession(connector=trusting(tmp_path / "localhost.pem")) as session,
    ):
        assert (await exchange(Transport(session), server, LEADS)).status == 200


@pytest.mark.row(6)
@pytest.mark.parametrize(
    ("until", "name", "said"),
    [
        ("20200201000000Z", "localhost", "expired"),
        ("20990101000000Z", "other.example.com", "Hostname mismatch"),
    ],
)
async def test_an_expired_or_foreign_certificate_is_a_tls_error(
    tmp_path: Path, until: str, name: str, said: str
) -> None:
    async with (
        RawServer(context=certificate(tmp_path, until=until, name=name)) as server,
        aiohttp.ClientSession(connector=trusting(tmp_path / f"{name}.pem")) as session,
    ):
        error = await failure(Transport(session), server.url, LEADS)
    assert (type(error), error.proof) == (TLSError, "not_sent")
    assert said in str(error)


@pytest.mark.row(7)
async def test_plain_http_on_the_tls_port_is_a_tls_error(transport: Transport) -> None:
    async with RawServer(Verb(raw(b"HTTP/1.1 400 Bad\r\n\r\n").act, "nothing")) as server:
        error = await failure(transport, f"https://127.0.0.1:{server.port}", LEADS)
    assert (type(error), error.proof) == (TLSError, "not_sent")


@pytest.mark.row(8)
async def test_a_stalled_tls_handshake_is_a_connect_error(transport: Transport) -> None:
    async with RawServer(Verb(STALL.act, "nothing")) as server:
        error = await failure(transport, f"https://127.0.0.1:{server.port}", LEADS, evolve(QUICK, total=5.0))
    assert (type(error), error.proof, error.reason) == (ConnectError, "not_sent", "connect_timeout")
