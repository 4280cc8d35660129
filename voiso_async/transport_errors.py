"""What an exception means that aiohttp, asyncio or the system raised during a request.

A fault of the network becomes a ``TransportError``, or a ``ResponseError`` if an answer came that is not HTTP.
Anything else, such as a bug or an error of a caller's trace config, is an ``UnexpectedError``: it is never tried
again.
"""

import errno
import ssl
from collections.abc import Iterator
from pathlib import PurePath
from traceback import walk_tb

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from voiso_async.errors import (
    ConnectError,
    ConnectionLostError,
    Proof,
    RequestTimeoutError,
    ResponseError,
    TLSError,
    TransportError,
    UnexpectedError,
    VoisoError,
)

TRACING = frozenset({"aiohttp.tracing", "aiosignal"})
"""Modules that call the hooks of a trace config: what passes through them is an error of the hook."""


class PoolWaitError(aiohttp.ClientError):
    """The time was over while other requests had every connection of the pool."""


class UnsolicitedError(aiohttp.ClientError):
    """The server sent something over a new connection before it was asked."""


# aiohttp 3.14.3 does not know it
_UPLOAD_ABORTED: type[Exception] = getattr(aiohttp, "UploadAbortedError", aiohttp.ClientConnectionError)

FAULTS: tuple[tuple[tuple[type[Exception], ...], type[TransportError | ResponseError], str, str], ...] = (
    (
        (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError),
        TLSError,
        "tls",
        "no trust in {host}",
    ),
    ((aiohttp.ClientHttpProxyError,), ConnectError, "proxy_refused", "the proxy refused the way to {host}"),
    ((aiohttp.ClientProxyConnectionError,), ConnectError, "proxy", "the proxy cannot be reached"),
    ((aiohttp.ClientConnectorDNSError,), ConnectError, "dns", "the host name {host} cannot be resolved"),
    ((aiohttp.ConnectionTimeoutError,), ConnectError, "connect_timeout", "no connection to {host} in time"),
    ((aiohttp.ClientConnectorError,), ConnectError, "os_error", "no connection to {host}"),
    ((UnsolicitedError,), ConnectError, "unsolicited", "{host} sent data before it was asked for any"),
    ((PoolWaitError,), RequestTimeoutError, "pool", "no connection of the pool became free in time"),
    ((TimeoutError,), RequestTimeoutError, "timeout", "no complete answer in time"),
    ((ContentEncodingError,), ResponseError, "encoding", "the compression of the answer is damaged"),
    ((aiohttp.ClientPayloadError,), ConnectionLostError, "truncated", "the answer was cut off"),
    ((aiohttp.ClientResponseError,), ResponseError, "protocol", "the answer is not sound HTTP"),
    (
        (aiohttp.ClientConnectionError, _UPLOAD_ABORTED, OSError),
        ConnectionLostError,
        "connection_lost",
        "the connection was lost before a complete answer",
    ),
)
"""The faults of the network: the first row that fits counts."""


def translated(error: Exception, request: str, host: str | None, *, begun: bool) -> VoisoError:
    """Make an error of ours; ``begun`` tells whether the writing of the request began."""
    telling = _telling(error)
    row = None if _of_a_hook(telling) else next((row[1:] for row in FAULTS if isinstance(telling, row[0])), None)
    if row is None:
        return _unexpected(telling, request, "in_doubt" if begun else "not_sent")
    ours, reason, message = row
    detail = _detail(telling)
    return ours(
        message.format(host=host) + (f" ({detail})" if detail else ""),
        request=request,
        reason="refused" if (reason, detail) == ("os_error", "ECONNREFUSED") else reason,
        proof="in_doubt" if begun and not issubclass(ours, ConnectError | TLSError) else "not_sent",
    )


def _telling(error: Exception) -> Exception:
    """Look behind the wrappers of aiohttp that hide what happened."""
    for link in _chain(error):
        if isinstance(link, Exception) and (isinstance(link, ContentEncodingError) or _of_a_hook(link)):
            return link
    cause = error.__cause__
    # While it writes a body, aiohttp turns whatever is raised into a lost connection.
    if type(error) is aiohttp.ClientConnectionError and isinstance(cause, Exception):
        return error if isinstance(cause, OSError | aiohttp.ClientError) else cause
    return error


def _of_a_hook(error: BaseException) -> bool:
    """Whether a hook of a trace config raised it: then it is no fault of the network, whatever its class."""
    return any(frame.f_globals.get("__name__") in TRACING for frame, _ in walk_tb(error.__traceback__))


def _unexpected(error: Exception, request: str, proof: Proof) -> UnexpectedError:
    *_, (frame, line) = walk_tb(error.__traceback__) if error.__traceback__ else [(None, 0)]
    place = f" at {PurePath(frame.f_code.co_filename).name}:{line}" if frame else ""
    ours = UnexpectedError(
        f"{type(error).__name__}{place}, which is no fault of the network; it is not tried again",
        request=request,
        proof=proof,
    )
    # The library's own errors carry request headers and the passwords of proxies.
    if not any(isinstance(link, aiohttp.ClientError) for link in _chain(error)):
        ours.__cause__ = error
    return ours


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _detail(error: BaseException) -> str:
    """Name the cause in words that cannot hold anything of the request."""
    inner = getattr(error, "certificate_error", getattr(error, "os_error", error))
    if isinstance(inner, ssl.SSLError):
        said = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
        return str(said or "handshake failed")
    return errno.errorcode.get(getattr(inner, "errno", None) or 0, "")
