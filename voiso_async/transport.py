"""One request on its way through aiohttp: when its writing began, how long it may take, and on which connection.

aiohttp raises the same exception whether the server saw nothing or did everything, silently sends GET, PUT and
DELETE twice when a connection is lost, and takes whatever a pooled connection holds for the answer of the next
request. Here none of that happens. A request body notes when its writing begins: until then the header lines are
still in a buffer, so a body not begun proves that nothing was sent. It does not begin on a connection that holds
data already.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.tracing import Trace
from attrs import evolve, field, frozen
from yarl import URL

from voiso_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ResponseError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.transport_errors import PoolWaitError, UnsolicitedError, translated
from voiso_async.version import VERSION
from voiso_async.wire import Request, Response, positive_number

SLICE = 256 * 1024  # of a request body: large ones must not hold the loop, least of all under TLS
EMPTY_ONES = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
LOOKS = 2  # turns of the event loop after which it has read whatever had come before the first


class ExchangeError(Exception):
    """Carries a lost connection past the clause of aiohttp that would send the request again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


R = TypeVar("R")


class HttpExchange:
    """Sends one request once, as the middleware of its call of aiohttp, and bounds the time it takes.

    ``connect`` bounds the way to a connection, without the wait for a free one of the pool; ``total`` bounds
    everything, but for that wait if the attempt is ``patient``.
    """

    def __init__(self, body: bytes, *, connect: float, total: float, patient: bool) -> None:
        self.body: _Body = _Body(body, self._begins)
        self._connect = connect
        self._total = total
        self._patient = patient
        self._loop = asyncio.get_running_loop()
        self._queued_at: float | None = None
        self._reused = False
        now = self._loop.time()
        self._connect_by, self._total_by = now + connect, now + total
        self._clock = asyncio.timeout_at(min(self._connect_by, self._total_by))

    def limits(self, read: float, exact: float) -> aiohttp.ClientTimeout:
        """What aiohttp itself is to bound; it would count the wait for a free connection in ``connect``."""
        return aiohttp.ClientTimeout(
            total=None, connect=None, sock_connect=self._connect, sock_read=read, ceil_threshold=exact
        )

    async def within(self, exchange: Callable[[], Awaitable[R]]) -> R:
        """Run the whole exchange in its time; a ``TimeoutError`` of aiohttp's kinds tells what took too long."""
        try:
            async with self._clock:
                return await exchange()
        except TimeoutError:
            if not self._clock.expired() or self.body.begun:
                raise
            queued, late = self._queued_at is not None, self._loop.time() >= self._total_by
        raise PoolWaitError if queued else TimeoutError if late else aiohttp.ConnectionTimeoutError

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Shut out aiohttp's silent repetition, the middlewares of a given session, and stale connections."""
        getattr(request, "_traces", []).append(Trace(request.session, _WATCH, self))  # type: ignore[arg-type]
        if request.method in EMPTY_ONES and not self.body.size:
            request.headers.pop("Content-Length", None)
        error: Exception
        while True:
            try:
                answer = await handler(request)
                if self.body.begun:
                    return answer
                answer.close()  # it came before the question
                error = UnsolicitedError()
            except aiohttp.ClientError as failure:
                error = UnsolicitedError() if self.body.held_back else failure
            if self.body.begun or not self._reused:
                break
            self.body.held_back = False  # nothing was sent: another connection may do
        raise ExchangeError(error)

    def _begins(self) -> None:
        self._clock.reschedule(self._total_by)

    # What the connector tells

    def _queues(self) -> None:
        self._queued_at = self._loop.time()
        self._clock.reschedule(None if self._patient else self._total_by)

    def _is_served(self) -> None:
        if self._queued_at is not None:
            waited, self._queued_at = self._loop.time() - self._queued_at, None
            self._connect_by += waited
            self._total_by += waited if self._patient else 0.0
            self._clock.reschedule(min(self._connect_by, self._total_by))

    def _connects(self) -> None:
        self._reused = False

    def _reuses(self) -> None:
        self._reused = True


class _Body(aiohttp.Payload):
    """A request body, empty for some, that notes when its writing begins, just before it does.

    It is ``held_back`` from a connection that holds data which nobody asked for.
    """

    _value: bytes
    _autoclose = True

    def __init__(self, value: bytes, begins: Callable[[], None]) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self._begins = begins
        self.begun: bool = False
        self.held_back: bool = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for _ in range(LOOKS):
            await asyncio.sleep(0)
        transport = writer.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection was closed before anything was written")
        if _holds_data(transport):
            self.held_back = True
            raise UnsolicitedError
        self.begun = True
        self._begins()
        for at in range(0, len(self._value), SLICE):
            await writer.write(self._value[at : at + SLICE])


def _holds_data(transport: Any) -> bool:
    """Whether anything came over a connection since its last answer ended.

    A whole answer, and what cannot be one, shows in ``should_close``. The beginning of one is somewhere in the
    parser; but the clock of ``sock_read`` runs again since it came.
    """
    protocol = transport.get_protocol()
    return bool(protocol.should_close) or getattr(protocol, "_read_timeout_handle", None) is not None


def _watch() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    for signal, tell in (
        (config.on_connection_queued_start, HttpExchange._queues),  # noqa: SLF001 - of this file
        (config.on_connection_queued_end, HttpExchange._is_served),  # noqa: SLF001
        (config.on_connection_create_start, HttpExchange._connects),  # noqa: SLF001
        (config.on_connection_reuseconn, HttpExchange._reuses),  # noqa: SLF001
    ):
        signal.append(_teller(tell))
    config.freeze()
    return config


def _teller(tell: Callable[[HttpExchange], None]) -> Any:
    async def told(_: aiohttp.ClientSession, attempt: Any, __: Any) -> None:
        tell(attempt)

    return told


_WATCH = _watch()


HttpSession = aiohttp.ClientSession

LARGEST_ANSWER = 8 * 1024 * 1024
LARGEST_ERROR_BODY = 64 * 1024
LARGEST_LINE = 8190
MOST_HEADERS = 64

MOST_CONNECTIONS = 100
MOST_IDLE_SECONDS = 10.0  # below what servers and balancers usually keep, so that few sockets are stale
DNS_CACHE_SECONDS = 30
EXACT = 1e9  # aiohttp rounds timeouts above this threshold up to whole seconds


@frozen(kw_only=True)
class Timeout:
    """Seconds for one attempt: in all, for making a connection (DNS, TCP, TLS), and between two reads.

    The wait for a free connection of a pool counts in all; that of a batch of leads is not counted.
    """

    total: float = field(default=30.0, validator=positive_number)
    connect: float = field(default=10.0, validator=positive_number)
    read: float = field(default=30.0, validator=positive_number)

    def within(self, seconds: float) -> "Timeout":
        """Cut the total to what is left of a deadline."""
        return self if seconds >= self.total else evolve(self, total=seconds)


OWN_HEADERS: Mapping[str, str] = {
    "Accept": "application/json",  # another format can give 406
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"voiso-async/{VERSION}",
}


class Transport:
    """Sends requests over one ``aiohttp.ClientSession``: the caller's, or its own, made on first use.

    With ``fresh`` every request gets a new connection: a pooled one that the server has just closed would turn a
    batch of leads into a doubt. A ``patient`` one does not count the wait for a free connection, and its own pool
    has no limit. A caller's session is used as it is, and never changed or closed.
    """

    def __init__(self, session: HttpSession | None = None, *, fresh: bool = False, patient: bool = False) -> None:
        if session is not None and session.auth is not None:
            raise ConfigurationError("the given session carries 'auth', which collides with the API key")
        self._given = session
        self._own: HttpSession | None = None
        self._fresh = fresh
        self._patient = patient

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

        ``TransportError`` if no usable answer came, ``ResponseError`` if what came is not HTTP or too large,
        ``UnexpectedError`` if something else than the network failed.
        """
        attempt = HttpExchange(
            request.body or b"", connect=timeout.connect, total=timeout.total, patient=self._patient
        )
        try:
            return await attempt.within(partial(self._exchange, request, url, headers, attempt, timeout.read))
        except (VoisoError, MemoryError):
            raise
        except ExchangeError as lost:
            failure: Exception = lost.error
        except Exception as error:  # noqa: BLE001 - no foreign exception leaves as it is
            failure = error
        # Outside of the except clause: a chained library error would show the request headers.
        if isinstance(failure, RuntimeError) and not attempt.body.begun and self._session().closed:
            raise ClientClosedError("the aiohttp session was closed; nothing was sent")
        raise translated(failure, request.name, URL(url).host, begun=attempt.body.begun)

    async def _exchange(
        self, request: Request, url: str, headers: Mapping[str, str], attempt: HttpExchange, read: float
    ) -> Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self._session().request(
            request.method,
            URL(url, encoded=True),
            headers={**OWN_HEADERS, **dict(request.headers), **headers},
            data=attempt.body,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            middlewares=(attempt,),
            timeout=attempt.limits(read, EXACT),
        )
        try:
            good = 200 <= answer.status < 300
            content, truncated = await _capped(answer, LARGEST_ANSWER if good else LARGEST_ERROR_BODY)
        finally:
            answer.close()  # a connection whose answer was read to its end is back in the pool by now
        if good and truncated:
            raise ResponseError(
                f"the answer is larger than {LARGEST_ANSWER} bytes", request=request.name, reason="too_big"
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
                    limit=0 if self._patient else MOST_CONNECTIONS,
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
