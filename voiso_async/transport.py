"""One HTTP exchange, and the proof of what it did. The only client-side file that knows aiohttp.

aiohttp raises the same exception whether the server saw nothing or did everything, and silently sends GET, PUT
and DELETE twice when a connection is lost. Here neither happens: the middleware ``_once`` turns the errors that
trigger the repetition into our own, and a request body notes when its writing begins. Until that moment the
header lines are still in a buffer, so a body not begun proves that nothing was sent.
"""

import asyncio
import errno
import ssl
from collections.abc import Mapping
from functools import cache
from importlib import import_module

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import ContentEncodingError
from attrs import evolve, field, frozen
from yarl import URL

from voiso_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Proof,
    RequestTimeoutError,
    ResponseError,
    TLSError,
    TransportError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.wire import Request, Response, positive_number

__all__ = ["HttpSession", "Timeout", "Transport"]

HttpSession = aiohttp.ClientSession

LARGEST_ANSWER = 8 * 1024 * 1024
LARGEST_ERROR_BODY = 64 * 1024
LARGEST_LINE = 8190
MOST_HEADERS = 64
SLICE = 256 * 1024  # of a request body: large ones must not hold the loop, least of all under TLS

MOST_CONNECTIONS = 100
MOST_IDLE_SECONDS = 10.0  # below what servers and balancers usually keep, so that few sockets are stale
DNS_CACHE_SECONDS = 30
EXACT = 1e9  # aiohttp rounds timeouts above this threshold up to whole seconds

BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


@frozen(kw_only=True)
class Timeout:
    """Seconds for one attempt: in all, for getting a connection (a free one, DNS, TLS), and between two reads."""

    total: float = field(default=30.0, validator=positive_number)
    connect: float = field(default=10.0, validator=positive_number)
    read: float = field(default=30.0, validator=positive_number)

    def within(self, seconds: float) -> "Timeout":
        """Cut the total to what is left of a deadline."""
        return self if seconds >= self.total else evolve(self, total=seconds)


@cache
def _own_headers() -> Mapping[str, str]:
    """The headers of every request; the version is looked up at the first, to keep the import quick."""
    return {
        "Accept": "application/json",  # contract 2: another format can give 406
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": f"voiso-async/{import_module('importlib.metadata').version('voiso-async')}",
    }


class Transport:
    """Sends requests over one ``aiohttp.ClientSession``: the caller's, or its own, made on first use.

    With ``fresh`` every request gets a new connection: a pooled one that the server has just closed would turn a
    batch of leads into a doubt. A caller's session is used as it is, and never changed or closed.
    """

    def __init__(self, session: HttpSession | None = None, *, fresh: bool = False) -> None:
        if session is not None and session.auth is not None:
            raise ConfigurationError("the given session carries 'auth', which collides with the API key")
        self._given = session
        self._own: HttpSession | None = None
        self._fresh = fresh

    @property
    def opened(self) -> bool:
        """Whether there is an own session to close."""
        return self._own is not None

    def check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Raise ``ClientClosedError`` or ``WrongLoopError`` if the caller's session cannot be used in ``loop``."""
        if self._given is None:
            return
        if self._given.closed:
            raise ClientClosedError("the given aiohttp session is closed; nothing was sent")
        if self._given._loop is not loop:  # noqa: SLF001 - its public name is deprecated
            raise WrongLoopError("the given aiohttp session belongs to another event loop; nothing was sent")

    async def send(self, request: Request, url: str, headers: Mapping[str, str], timeout: Timeout) -> Response:  # noqa: ASYNC109 - a value of three limits, not one to wrap around the call
        """Send once and return any complete answer; else raise an error whose ``proof`` says what is certain.

        ``TransportError`` if no usable answer came, ``ResponseError`` if what came is not HTTP or too large.
        """
        body = None if request.body is None and request.method in BODILESS else _Body(request.body or b"")
        failure: VoisoError
        try:
            return await self._exchange(request, URL(url, encoded=True), headers, body, timeout)
        except (VoisoError, MemoryError):
            raise
        except _Lost as lost:
            failure = _translated(lost.error, request, url, body)
        except Exception as error:  # noqa: BLE001 - no foreign exception leaves; the table names those expected
            failure = _translated(error, request, url, body)
        # Outside of the except clause: a chained library error would show the request headers.
        raise failure

    async def _exchange(
        self,
        request: Request,
        url: URL,
        headers: Mapping[str, str],
        body: "_Body | None",
        timeout: Timeout,  # noqa: ASYNC109 - see send
    ) -> Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self._session().request(
            request.method,
            url,
            headers={**_own_headers(), **dict(request.headers), **headers},
            data=body,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            middlewares=(_once,),
            timeout=_limits(timeout),
        )
        try:
            good = 200 <= answer.status < 300
            content, truncated = await _capped(answer, LARGEST_ANSWER if good else LARGEST_ERROR_BODY)
        finally:
            answer.close()  # a connection whose answer was read to its end is back in the pool by now
        if good and truncated:
            raise ResponseError(
                f"the answer is larger than {LARGEST_ANSWER} bytes", request=str(request), reason="too_big"
            )
        return Response(
            status=answer.status,
            headers=_joined(answer.headers),
            body=content,
            truncated=truncated,
            seconds=loop.time() - began,
        )

    def _session(self) -> HttpSession:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MOST_CONNECTIONS,
                    ttl_dns_cache=DNS_CACHE_SECONDS,
                    timeout_ceil_threshold=EXACT,
                    force_close=self._fresh,
                    keepalive_timeout=None if self._fresh else MOST_IDLE_SECONDS,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                max_line_size=LARGEST_LINE,
                max_field_size=LARGEST_LINE,
                max_headers=MOST_HEADERS,
            )
        return self._own

    async def aclose(self) -> None:
        """Close the own session, if there is one; requests under way fail."""
        if self._own is not None:
            await self._own.close()

    def abandon(self) -> None:
        """Let go of a session that was never closed, without a second warning; only for finalizers."""
        if self._own is not None and not self._own.closed and self._own.connector is not None:
            self._own.connector._close()  # noqa: SLF001 - the public close() must be awaited
            self._own.detach()


class _Body(aiohttp.Payload):
    """A request body that notes when its writing begins, just before it does: the pessimistic order."""

    _value: bytes
    _autoclose = True

    def __init__(self, value: bytes) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self.begun = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.begun = True
        for at in range(0, len(self._value), SLICE):
            await writer.write(self._value[at : at + SLICE])


class _Lost(Exception):  # noqa: N818 - a carrier, never seen outside of this file
    """Carries a lost connection past the clause of aiohttp that would send the request again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Shut out aiohttp's silent repetition, and the middlewares of a given session."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        lost = error
    raise _Lost(lost)


def _limits(timeout: Timeout) -> aiohttp.ClientTimeout:
    """All four limits: without one of them some wait would have no end."""
    return aiohttp.ClientTimeout(
        total=timeout.total,
        connect=timeout.connect,
        sock_connect=timeout.connect,
        sock_read=timeout.read,
        ceil_threshold=EXACT,
    )


async def _capped(answer: aiohttp.ClientResponse, cap: int) -> tuple[bytes, bool]:
    """Read at most ``cap`` bytes, counted after decompression, and say whether there were more."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > cap:
            return bytes(content[:cap]), True
    return bytes(content), False


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


# aiohttp 3.14.3 does not know it
_UPLOAD_ABORTED: type[Exception] = getattr(aiohttp, "UploadAbortedError", aiohttp.ClientConnectionError)

_FAULTS: tuple[tuple[tuple[type[Exception], ...], type[TransportError | ResponseError], str, str], ...] = (
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
    ((Exception,), TransportError, "unexpected", "the HTTP library failed"),
)
"""What a foreign exception means: the first row that fits counts, and the last one fits whatever is raised."""


def _translated(error: Exception, request: Request, url: str, body: _Body | None) -> VoisoError:
    telling = error.__cause__ if isinstance(error.__cause__, ContentEncodingError) else error
    ours, reason, message = next(row[1:] for row in _FAULTS if isinstance(telling, row[0]))
    detail = _detail(telling) if ours is not TransportError else type(error).__name__
    return ours(
        message.format(host=URL(url).host) + (f" ({detail})" if detail else ""),
        request=str(request),
        reason="refused" if (reason, detail) == ("os_error", "ECONNREFUSED") else reason,
        proof=_proof(ours, body),
    )


def _proof(kind: type[VoisoError], body: _Body | None) -> Proof:
    """A request without a body leaves no record: only a failure to connect proves that it was not sent."""
    unbegun = body is not None and not body.begun
    return "not_sent" if unbegun or issubclass(kind, (ConnectError, TLSError)) else "in_doubt"


def _detail(error: BaseException) -> str:
    """Name the cause in words that cannot hold anything of the request."""
    inner = getattr(error, "certificate_error", getattr(error, "os_error", error))
    if isinstance(inner, ssl.SSLError):
        said = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
        return str(said or "handshake failed")
    return errno.errorcode.get(getattr(inner, "errno", None) or 0, "")
