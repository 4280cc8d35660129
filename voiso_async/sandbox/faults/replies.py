"""Faults that are complete replies: wrong ones, or right ones at the wrong time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from attrs import Factory, evolve, field, frozen

from voiso_async.sandbox.connection import transport_of
from voiso_async.sandbox.handler import RequestHandler
from voiso_async.sandbox.replies import Reply, body_for

HTML_TYPE = "text/html; charset=utf-8"
PAGE = "<!doctype html><title>Please sign in</title><p>This network asks for a name."


@frozen
class Status:
    """Reply with any status; the default ``body`` is Voiso's own for 4xx, an HTML page for 5xx, else empty."""

    code: int
    body: Any = None
    headers: Mapping[str, str] = Factory(dict)
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        return handler.respond(evolve(self._reply(), status=self.code, headers=self.headers))

    def _reply(self) -> Reply:
        body = self.body
        if body is None and self.code >= 500:
            body = PAGE
        elif body is None and self.code >= 400:
            body = body_for(self.code)
        if isinstance(body, str):
            return Reply(status=self.code, body=body.encode(), content_type=HTML_TYPE)
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return Reply(status=self.code, body=raw)


@frozen
class Html:
    """Reply with an HTML page, as a captive portal does."""

    status: int = 200
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        return await Status(self.status, PAGE, apply=self.apply).run(handler)


@frozen
class Json:
    """Reply with any JSON."""

    payload: Any = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = Factory(dict)
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        return handler.respond(Reply.json(self.status, self.payload, self.headers))


@frozen
class WrongType:
    """Reply as usual, but with another content type."""

    content_type: str = "text/plain; charset=utf-8"

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        return handler.respond(evolve(await handler.process(), content_type=self.content_type))


@frozen
class Redirect:
    """Reply with a redirect; ``None`` leaves ``Location`` out."""

    code: int = 307
    location: str | None = "https://example.com/elsewhere"

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        headers = {} if self.location is None else {"Location": self.location}
        return await Status(self.code, headers=headers).run(handler)


@frozen
class Busy:
    """Reject ``times`` lead requests as busy; ``status`` defaults to ``Rules.busy_status``."""

    times: int = 1
    status: int | None = None
    retry_after: float | str | None = None

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.read()
        return handler.respond(handler.busy(self.status, self.retry_after))


@frozen
class Delay:
    """Wait, then process and reply as usual, even if the client has disconnected."""

    seconds: float

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.read()
        await handler.pause(self.seconds)
        return await handler.run()


@frozen
class CloseIdle:
    """Reply as usual, and close the connection ``seconds`` later without announcing it."""

    seconds: float = 0.0

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        reply = await handler.process()
        # Without ``Connection: close``: the client may already be sending its next request.
        if transport := transport_of(handler.http_request):
            asyncio.get_running_loop().call_later(self.seconds, transport.close)
        return handler.respond(reply)
