"""One request on its way through aiohttp: when its writing began, how long it may take, and on which connection.

aiohttp raises the same exception whether the server saw nothing or did everything, silently sends GET, PUT and
DELETE twice when a connection is lost, and takes whatever a pooled connection holds for the answer of the next
request. Here none of that happens. A request body notes when its writing begins: until then the header lines are
still in a buffer, so a body not begun proves that nothing was sent. It does not begin on a connection that holds
data already.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.tracing import Trace

from voiso_async.faults import PoolWaitError, UnsolicitedError

__all__ = ["Attempt", "Lost"]

SLICE = 256 * 1024  # of a request body: large ones must not hold the loop, least of all under TLS
EMPTY_ONES = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
LOOKS = 2  # turns of the event loop after which it has read whatever had come before the first


class Lost(Exception):  # noqa: N818 - a carrier, never seen outside of the transport
    """Carries a lost connection past the clause of aiohttp that would send the request again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


R = TypeVar("R")


class Attempt:
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
        raise Lost(error)

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
        (config.on_connection_queued_start, Attempt._queues),  # noqa: SLF001 - of this file
        (config.on_connection_queued_end, Attempt._is_served),  # noqa: SLF001
        (config.on_connection_create_start, Attempt._connects),  # noqa: SLF001
        (config.on_connection_reuseconn, Attempt._reuses),  # noqa: SLF001
    ):
        signal.append(_teller(tell))
    config.freeze()
    return config


def _teller(tell: Callable[[Attempt], None]) -> Any:
    async def told(_: aiohttp.ClientSession, attempt: Any, __: Any) -> None:
        tell(attempt)

    return told


_WATCH = _watch()
