"""The table of foreign exceptions: none is forgotten, and none leaves the transport."""

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from exchanges import GET, LEADS, QUICK, failure
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from voiso_async.errors import ConnectError, ResponseError, TLSError, TransportError
from voiso_async.transport import _FAULTS, Transport, _Body, _translated


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


def specimens() -> list[Exception]:
    """One of each exception that aiohttp, ssl, asyncio and the system can raise at a client."""
    key: Any = None  # the errors only store it
    info = aiohttp.RequestInfo(URL("http://cc.example.com/"), "GET", CIMultiDictProxy(CIMultiDict()), URL("/"))
    made: dict[str, Any] = {
        "ServerFingerprintMismatch": aiohttp.ServerFingerprintMismatch(b"a", b"b", "host", 443),
        "UnixClientConnectorError": client_exceptions.UnixClientConnectorError("/path", key, OSError(2, "x")),
        "ClientConnectorCertificateError": aiohttp.ClientConnectorCertificateError(
            key, ssl.CertificateError(1, "x")
        ),
    }
    for name, kind in vars(client_exceptions).items():
        if not (inspect.isclass(kind) and issubclass(kind, Exception)) or name in made:
            continue
        if issubclass(kind, aiohttp.ClientConnectorError):
            made[name] = kind(key, OSError(111, "refused"))
        elif issubclass(kind, aiohttp.ClientResponseError):
            made[name] = kind(info, (), status=400, headers=CIMultiDict({"secret": "canary"}))
        else:
            made[name] = kind("canary")
    assert len(made) > 25
    system = [
        OSError(5, "canary"),
        ConnectionResetError(104, "x"),
        BrokenPipeError(32, "x"),
        TimeoutError("canary"),
    ]
    stream = [
        ssl.SSLError(1, "canary"),
        ssl.SSLCertVerificationError(1, "canary"),
        asyncio.IncompleteReadError(b"", 1),
    ]
    return [
        *made.values(),
        *system,
        *stream,
        asyncio.InvalidStateError("canary"),
        RuntimeError("canary"),
        ValueError(),
    ]


@pytest.mark.parametrize("error", specimens(), ids=lambda error: type(error).__name__)
def test_no_foreign_exception_is_forgotten(error: Exception) -> None:
    """Whatever the libraries raise becomes one of ours, with the proof of the record and without their text."""
    written, unwritten = _Body(b"x"), _Body(b"x")
    written.begun = True
    for body, proof in [(written, "in_doubt"), (unwritten, "not_sent"), (None, "in_doubt")]:
        ours = _translated(error, LEADS, "http://cc.example.com:1/x", body)
        assert isinstance(ours, TransportError | ResponseError)
        if isinstance(ours, ConnectError | TLSError):
            assert ours.proof == "not_sent"
        else:
            assert proof == ours.proof
        assert "canary" not in repr(ours) + str(ours)


def test_of_aiohttp_only_what_a_plain_request_cannot_meet_is_unexpected() -> None:
    kinds = tuple(kind for row in _FAULTS[:-1] for kind in row[0])
    strangers = {
        name
        for name, kind in vars(client_exceptions).items()
        if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, kinds)
    }
    redirects = {name for name in strangers if "Redirect" in name or "Url" in name or "URL" in name}
    assert strangers - redirects == {"ClientError", "WSMessageTypeError"}


def test_every_row_of_the_table_can_be_reached() -> None:
    for at, (kinds, *_) in enumerate(_FAULTS):
        earlier = tuple(kind for row in _FAULTS[:at] for kind in row[0])
        assert not any(issubclass(kind, earlier) for kind in kinds), kinds


async def test_an_error_of_nobody_is_still_one_of_ours(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(aiohttp.ClientSession, "request", broken)
    error = await failure(transport, "http://127.0.0.1:1", LEADS)
    assert (type(error), error.reason) == (TransportError, "unexpected")
    assert str(error).endswith("(ZeroDivisionError)")


async def test_no_memory_is_not_hidden(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(aiohttp.ClientSession, "request", exhausted)
    with pytest.raises(MemoryError):
        await transport.send(GET, "http://127.0.0.1:1/", {}, QUICK)
