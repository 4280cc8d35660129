"""Faults that are complete answers: the wrong ones, or the right ones at the wrong time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from attrs import Factory, evolve, field, frozen

from voiso_async.sandbox.answers import Answer, body_for
from voiso_async.sandbox.line import transport_of
from voiso_async.sandbox.visit import Visit

__all__ = ["Busy", "CloseIdle", "Delay", "Html", "Json", "Redirect", "Status", "WrongType"]

HTML_TYPE = "text/html; charset=utf-8"
PAGE = "<!doctype html><title>Please sign in</title><p>The network wants a word with you."


@frozen
class Status:
    """Answer any status; without ``body``: the contract's own for 4xx, an HTML page for 5xx, else none."""

    code: int
    body: Any = None
    headers: Mapping[str, str] = Factory(dict)
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer."""
        await visit.apply(self.apply)
        return visit.respond(evolve(self._answer(), status=self.code, headers=self.headers))

    def _answer(self) -> Answer:
        body = self.body
        if body is None and self.code >= 500:
            body = PAGE
        elif body is None and self.code >= 400:
            body = body_for(self.code)
        if isinstance(body, str):
            return Answer(status=self.code, body=body.encode(), content_type=HTML_TYPE)
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return Answer(status=self.code, body=raw)


@frozen
class Html:
    """Answer an HTML page, as a captive portal does."""

    status: int = 200
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer."""
        return await Status(self.status, PAGE, apply=self.apply).play(visit)


@frozen
class Json:
    """Answer any JSON."""

    payload: Any = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = Factory(dict)
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer."""
        await visit.apply(self.apply)
        return visit.respond(Answer.json(self.status, self.payload, self.headers))


@frozen
class WrongType:
    """Answer as usual, under another content type."""

    content_type: str = "text/plain; charset=utf-8"

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer."""
        return visit.respond(evolve(await visit.process(), content_type=self.content_type))


@frozen
class Redirect:
    """Answer a redirect; ``None`` leaves ``Location`` out."""

    code: int = 307
    location: str | None = "https://example.com/elsewhere"

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer."""
        headers = {} if self.location is None else {"Location": self.location}
        return await Status(self.code, headers=headers).play(visit)


@frozen
class Busy:
    """Refuse ``times`` lead calls as busy, with the rules' own code unless ``status`` names one."""

    times: int = 1
    status: int | None = None
    retry_after: float | str | None = None

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Refuse."""
        await visit.read()
        return visit.respond(visit.busy(self.status, self.retry_after))


@frozen
class Delay:
    """Wait, then do and answer as usual, whether the client is still there or not."""

    seconds: float

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Wait and answer."""
        await visit.read()
        await visit.pause(self.seconds)
        return await visit.play()


@frozen
class CloseIdle:
    """Answer as usual, and close the connection ``seconds`` later without having said so."""

    seconds: float = 0.0

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer, then close."""
        answer = await visit.process()
        if transport := transport_of(visit.request):
            asyncio.get_running_loop().call_later(self.seconds, transport.close)
        return visit.respond(answer)
