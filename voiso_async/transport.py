"""One HTTP exchange, and the proof of what it did. Only this, ``attempt`` and ``faults`` know aiohttp."""

import asyncio
from collections.abc import Mapping
from functools import partial

import aiohttp
from attrs import evolve, field, frozen
from yarl import URL

from voiso_async.attempt import Attempt, Lost
from voiso_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ResponseError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.faults import translated
from voiso_async.version import VERSION
from voiso_async.wire import Request, Response, positive_number

__all__ = ["HttpSession", "Timeout", "Transport"]

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
    "Accept": "application/json",  # contract 2: another format can give 406
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
        attempt = Attempt(request.body or b"", connect=timeout.connect, total=timeout.total, patient=self._patient)
        try:
            return await attempt.within(partial(self._exchange, request, url, headers, attempt, timeout.read))
        except (VoisoError, MemoryError):
            raise
        except Lost as lost:
            failure: Exception = lost.error
        except Exception as error:  # noqa: BLE001 - no foreign exception leaves as it is
            failure = error
        # Outside of the except clause: a chained library error would show the request headers.
        if isinstance(failure, RuntimeError) and not attempt.body.begun and self._session().closed:
            raise ClientClosedError("the aiohttp session was closed; nothing was sent")
        raise translated(failure, request.name, URL(url).host, begun=attempt.body.begun)

    async def _exchange(
        self, request: Request, url: str, headers: Mapping[str, str], attempt: Attempt, read: float
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
