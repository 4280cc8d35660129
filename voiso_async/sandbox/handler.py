"""How the sandbox handles one request: check the head, read the body, run the endpoint, reply, keep the record."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiohttp import web
from attrs import Factory, define, evolve, field, frozen

from voiso_async.sandbox.connection import Connection, NoReply, reset, transport_of
from voiso_async.sandbox.history import Exchange
from voiso_async.sandbox.replies import HttpError, Reply, as_later_version, busy_reply, http_error
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.voiso.state import LeadRequest, State

T = TypeVar("T")

SCHEME = "Bearer "
MAX_BODY = 32 * 1024 * 1024
POLL_SECONDS = 0.01  # aiohttp has no event for a client that disconnects


@define(kw_only=True, eq=False)
class Request:
    """What an endpoint reads; it applies the ``first`` n leads and adds their numbers to ``applied``."""

    query: Mapping[str, Sequence[str]]
    ids: Mapping[str, str] = Factory(dict)
    body: bytes = field(default=b"", repr=False)
    first: int | None = None
    applied: list[str] = field(factory=list, repr=False)

    def param(self, name: str, default: T) -> str | T:
        """Return the first value of a query parameter."""
        return self.query[name][0] if name in self.query else default


@frozen
class Endpoint:
    """A coroutine function from a request to a reply, and the scope it needs; "" needs no key."""

    scope: str
    run: Callable[[Any], Awaitable[Reply]]
    writes_leads: bool = False


Routes = Mapping[str, Mapping[str, Endpoint]]
"""Endpoints by a pattern for the path and by method."""


def find_endpoint(routes: Routes, method: str, path: str, *, wrong_method: int) -> tuple[Endpoint, dict[str, str]]:
    """Find the endpoint and the ids in its path; an unknown path is a 404."""
    for pattern, endpoints in routes.items():
        if match := re.fullmatch(pattern, path):
            if method not in endpoints:
                raise http_error(wrong_method)
            return endpoints[method], match.groupdict()
    raise http_error(404)


class RequestHandler:
    """One request from its headers to its reply; a fault takes over by calling the same methods.

    The constructor runs synchronously when the headers have arrived. It decides whatever needs no body: the
    time of arrival, whether a lead request came too early, and the errors 401, 403, 404, 405 and 406.
    """

    def __init__(self, http_request: web.BaseRequest, state: State, *, path: str, fault: str | None) -> None:
        began = state.clock()
        self.http_request = http_request
        self.rules: Rules = state.rules
        self._state = state
        self._query = {name: http_request.query.getall(name) for name in http_request.query}
        self._accepted: tuple[Endpoint, Request] | None = None
        self._error: HttpError | None = None
        self._lead_request: LeadRequest | None = None  # set even if a later check fails: such a request counts
        self._size: int | None = None
        self._finished = False
        authorizations = http_request.headers.getall("Authorization", [])
        key = _key_of(authorizations)
        connection = http_request.protocol
        self.exchange: Exchange = Exchange(
            number=state.history.next_number(),
            method=http_request.method,
            path=path,
            query=dict(http_request.query),
            headers=_headers_without_key(http_request.headers),
            authorization_count=len(authorizations),
            key_right=key in self._keys(),
            connection=connection.number if isinstance(connection, Connection) else 0,
            began=began,
            fault=fault,
        )
        state.history.add(self.exchange)
        self._record(key_elsewhere=self._shows_key([http_request.raw_path, *self.exchange.headers.values()]))
        try:
            self._accepted = self._accept(key)
        except HttpError as error:
            # Raised again once the body has been read; a fault may reply differently before that.
            self._error = error

    def _record(self, **changes: object) -> None:
        self.exchange = self._state.history.update(self.exchange, **changes)

    def _shows_key(self, texts: Iterable[str]) -> bool:
        return any(key in text for text in texts for key in self._keys())

    def _keys(self) -> Collection[str]:
        """What may stand in ``Authorization`` and nowhere else."""
        raise NotImplementedError

    def _accept(self, key: str | None) -> tuple[Endpoint, Request]:
        """Find the endpoint and check the key and the headers."""
        raise NotImplementedError

    @property
    def disconnected(self) -> bool:
        """Whether nothing can be sent to the client any more."""
        return transport_of(self.http_request) is None

    async def read(self) -> None:
        """Read the whole body; raises ``ConnectionError`` if the client disconnects before its end."""
        if self._size is not None:
            return
        # Read on above the limit: a client that is still sending would see a reset instead of the 413.
        body, size = bytearray(), 0
        try:
            async for chunk in self.http_request.content.iter_any():
                size += len(chunk)
                body += chunk if size <= MAX_BODY else b""
        except (OSError, aiohttp.ClientError, web.RequestPayloadError):
            raise ConnectionResetError from None
        self._size = size
        shown = any(key.encode() in body for key in self._keys())
        self._record(body=bytes(body), key_elsewhere=self.exchange.key_elsewhere or shown)

    async def process(self, first: int | None = None) -> Reply:
        """Run the endpoint on all leads, or on the ``first`` n; return the reply without sending it."""
        await self.read()
        try:
            endpoint, request = self._checked()
            request.body, request.first = self.exchange.body, first
            reply = self._decorate(await self._run_endpoint(endpoint, request))
        except HttpError as error:
            reply = error.reply
        if self._accepted is not None:
            self._record(applied=tuple(self._accepted[1].applied))
        return reply

    def _checked(self) -> tuple[Endpoint, Request]:
        if self._accepted is None:
            raise self._error or http_error(404)
        if (self._size or 0) > (MAX_BODY if self.rules.max_body is None else self.rules.max_body):
            raise http_error(413)
        return self._accepted

    async def _run_endpoint(self, endpoint: Endpoint, request: Request) -> Reply:
        return await endpoint.run(request)

    def _decorate(self, reply: Reply) -> Reply:
        # Only successes: error replies keep the form that Voiso documents.
        changes: list[Callable[[Any], Any]] = [as_later_version] if self.rules.forward_compat else []
        changes += [self.rules.decorate] if self.rules.decorate else []
        if not changes or not reply.body:
            return reply
        payload = msgspec.json.decode(reply.body)
        for change in changes:
            payload = change(payload)
        return evolve(reply, body=msgspec.json.encode(payload))

    async def apply(self, extent: bool | int) -> Reply | None:  # noqa: FBT001 - True all, False none, n the first n
        """Apply all leads (``True``), none (``False``) or the first n; reads the body in any case."""
        if extent is False:
            await self.read()
            return None
        return await self.process(None if extent is True else extent)

    async def wait(self, seconds: float | None) -> None:
        """Wait until the client disconnects, at most ``seconds``; ``None`` sets no limit."""
        clock, closing = self._state.clock, self._state.closing
        until = None if seconds is None else clock() + seconds
        while not self.disconnected and not closing.is_set() and (until is None or clock() < until):
            await self._state.pause(POLL_SECONDS if until is None else min(POLL_SECONDS, until - clock()))

    async def pause(self, seconds: float) -> None:
        """Wait ``seconds``, even if the client disconnects."""
        await self._state.pause(seconds)

    def busy(self, status: int | None, retry_after: float | str | None) -> Reply:
        """Reject the request as busy: it then neither occupies its campaign nor restarts the cooldown."""
        if self._lead_request is not None:
            self._lead_request.busy = True
        return busy_reply(status or self.rules.busy_status, retry_after)

    def finish(self, status: int | None = None) -> None:
        """Record that processing has ended; sending may follow. Only the first call has an effect."""
        if self._finished:
            return
        # Before sending: the client may send its next request as soon as it has the reply.
        self._finished = True
        ended = self._state.clock()
        if self._lead_request is not None:
            self._lead_request.finish(ended)
        self._record(ended=ended, status=None if self.disconnected else status)

    def respond(self, reply: Reply) -> web.StreamResponse:
        """Finish the request with ``reply``."""
        self.finish(reply.status)
        # A fault's own Content-Type replaces that of the reply, however it is written.
        own = {name.title(): value for name, value in reply.headers.items()}
        headers = {"Content-Type": reply.content_type, **own}
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    def write(self, data: bytes) -> None:
        """Write raw bytes to the connection; call ``finish`` before the first of them."""
        if transport := transport_of(self.http_request):
            transport.write(data)

    def close(self, data: bytes = b"", *, status: int | None = None) -> web.StreamResponse:
        """Finish the request, write ``data`` to the connection and close it."""
        self.finish(status)
        self.write(data)
        if transport := transport_of(self.http_request):
            transport.close()
        return NoReply()

    def reset(self) -> web.StreamResponse:
        """Finish the request and reset the connection."""
        self.finish()
        reset(self.http_request)
        return NoReply()

    async def run(self) -> web.StreamResponse:
        """Process the request and send the reply: what happens without a fault."""
        return self.respond(await self.process())


def _key_of(authorizations: Sequence[str]) -> str | None:
    # More than one ``Authorization`` header is ambiguous, so it counts as none.
    if len(authorizations) != 1 or not authorizations[0].startswith(SCHEME):
        return None
    return authorizations[0].removeprefix(SCHEME)


def _headers_without_key(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
