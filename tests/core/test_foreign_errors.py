"""The table of foreign exceptions: none is forgotten, and none leaves the transport."""

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from exchanges import GET, LEADS, QUICK
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from voiso_async.errors import ConnectError, ResponseError, TLSError, TransportError, UnexpectedError
from voiso_async.transport import Transport
from voiso_async.transport_errors import FAULTS, translated


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


OF_NO_NETWORK = {"ClientError", "WSMessageTypeError", "ValueError", "RuntimeError", "InvalidStateError"}
"""Beside redirects and URLs: what a plain request can only meet through a bug or a hook."""


def no_network(name: str) -> bool:
    return (
        name in OF_NO_NETWORK
        or name.endswith("RedirectClientError")
        or "Url" in name
        or "URL" in name
        or "Incomplete" in name
    )


@pytest.mark.parametrize("error", specimens(), ids=lambda error: type(error).__name__)
def test_no_foreign_exception_is_forgotten(error: Exception) -> None:
    """Whatever the libraries raise becomes one of ours, with the proof of the record and without their text."""
    for begun, proof in [(True, "in_doubt"), (False, "not_sent")]:
        ours = translated(error, LEADS.name, "cc.example.com", begun=begun)
        assert isinstance(ours, TransportError | ResponseError | UnexpectedError)
        assert isinstance(ours, UnexpectedError) == no_network(type(error).__name__)
        if isinstance(ours, ConnectError | TLSError):
            assert ours.proof == "not_sent"
        else:
            assert proof == ours.proof
        assert "canary" not in repr(ours) + str(ours)


def test_every_row_of_the_table_can_be_reached() -> None:
    for at, (kinds, *_) in enumerate(FAULTS):
        earlier = tuple(kind for row in FAULTS[:at] for kind in row[0])
        assert not any(issubclass(kind, earlier) for kind in kinds), kinds


async def test_a_bug_is_told_as_what_it_is_and_where(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(aiohttp.ClientSession, "request", broken)
    with pytest.raises(UnexpectedError, match=r"ZeroDivisionError at test_foreign_errors\.py:\d+") as caught:
        await transport.send(LEADS, "http://127.0.0.1:1/", {}, QUICK)
    assert caught.value.proof == "not_sent"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "canary" not in str(caught.value)


async def test_no_memory_is_not_hidden(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(aiohttp.ClientSession, "request", exhausted)
    with pytest.raises(MemoryError):
        await transport.send(GET, "http://127.0.0.1:1/", {}, QUICK)
