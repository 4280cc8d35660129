"""One request on its way through the sandbox, and the book that is kept of it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from attrs import evolve

from voiso_async.sandbox.answers import Answer, Refused, busy_answer, refuse, refuse_fields
from voiso_async.sandbox.call import Call
from voiso_async.sandbox.centre import Centre
from voiso_async.sandbox.history import Exchange
from voiso_async.sandbox.line import Line, NoAnswer, reset, transport_of
from voiso_async.sandbox.routes import Endpoint, find
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.scopes import key_of, scopes_of
from voiso_async.sandbox.surprises import surprise

__all__ = ["Visit"]

Extent = bool | int

ROOT = "/api/v4"  # contract 1
MAX_BODY = 32 * 1024 * 1024
GLANCE_SECONDS = 0.01  # how often a stalled visit looks whether the client has gone
READABLE = ("*/*", "application/*", "application/json", "json")  # contract 2: others may give 406


class Visit:
    """One request; faults play with it.

    Made synchronously when the request's headers have arrived: the time, the lead call's turn and the
    refusals that need no body (401, 403, 404, 406) are decided then.
    """

    def __init__(self, request: web.BaseRequest, centre: Centre, *, path: str, fault: str | None) -> None:
        began = centre.clock()
        self.request = request
        self.rules: Rules = centre.rules
        self._centre = centre
        query = {name: request.query.getall(name) for name in request.query}
        self._call = Call(centre=centre, rules=centre.rules, query=query)
        self._endpoint: Endpoint | None = None
        self._refused: Refused | None = None
        self._size: int | None = None
        self._over = False
        authorizations = request.headers.getall("Authorization", [])
        key = key_of(authorizations)
        self.exchange: Exchange = Exchange(
            number=centre.history.number(),
            method=request.method,
            path=path,
            query=dict(request.query),
            headers=_headers_without_key(request.headers),
            authorization_count=len(authorizations),
            key_right=key in self._keys(),
            connection=request.protocol.number if isinstance(request.protocol, Line) else 0,
            began=began,
            fault=fault,
        )
        centre.history.add(self.exchange)
        self._note(key_elsewhere=self._shows_key([request.raw_path, *self.exchange.headers.values()]))
        try:
            self._arrive(key)
        except Refused as refused:
            self._refused = refused

    def _note(self, **changes: object) -> None:
        self.exchange = self._centre.history.note(self.exchange, **changes)

    def _shows_key(self, texts: Iterable[str]) -> bool:
        return any(key in text for text in texts for key in self._keys())

    def _keys(self) -> Collection[str]:
        """What must stand in ``Authorization`` and nowhere else."""
        return self._centre.keys

    def _arrive(self, key: str | None) -> None:
        scopes = scopes_of(key, self._centre.keys)
        if not self.request.raw_path.startswith(ROOT + "/"):
            raise refuse(404)
        endpoint, self._call.ids = find(self.request.method, self.exchange.path, self.rules)
        if endpoint.scope not in scopes:
            raise refuse(403)
        if "campaign" in self._call.ids:
            self._enter(endpoint)
        accepted = self.request.headers.get("Accept", READABLE[0])
        if not any(kind in accepted for kind in READABLE):
            raise refuse_fields(406, {"accept": ["must allow application/json"]})
        self._endpoint = endpoint

    def _enter(self, endpoint: Endpoint) -> None:
        campaign = self._call.campaign
        if endpoint.writes_leads:
            turn = campaign.gate.enter(self.exchange.began, self.rules.cooldown)
            self._call.turn = turn
            self._centre.too_early += turn.early
            self._note(early=turn.early)

    @property
    def gone(self) -> bool:
        """Whether nothing can be sent to the client any more."""
        return transport_of(self.request) is None

    async def read(self) -> None:
        """Read the body to its end; raises ``ConnectionError`` if the client leaves before that."""
        if self._size is not None:
            return
        body, size = bytearray(), 0
        try:
            async for chunk in self.request.content.iter_any():
                size += len(chunk)
                body += chunk if size <= MAX_BODY else b""
        except (OSError, aiohttp.ClientError, web.RequestPayloadError):
            raise ConnectionResetError from None
        self._size = size
        shown = any(key.encode() in body for key in self._keys())
        self._note(body=bytes(body), key_elsewhere=self.exchange.key_elsewhere or shown)

    async def process(self, first: int | None = None) -> Answer:
        """Do what the request asks for, with at most ``first`` of its leads, and give the answer unsent."""
        await self.read()
        self._call.body, self._call.first = self.exchange.body, first
        try:
            answer = self._decorated(await self._handle())
        except Refused as refused:
            answer = refused.answer
        self._note(applied=tuple(self._call.applied))
        return answer

    async def _handle(self) -> Answer:
        if self._refused is not None or self._endpoint is None:
            raise self._refused or refuse(404)
        if (self._size or 0) > (MAX_BODY if self.rules.max_body is None else self.rules.max_body):
            raise refuse(413)
        return await self._endpoint.handler(self._call)

    def _decorated(self, answer: Answer) -> Answer:
        last = self.rules.decorate
        dress: list[Callable[[Any], Any]] = [surprise] if self.rules.surprises else []
        dress += [last] if last else []
        if not dress or not answer.body:
            return answer
        payload = msgspec.json.decode(answer.body)
        for put_on in dress:
            payload = put_on(payload)
        return evolve(answer, body=msgspec.json.encode(payload))

    async def apply(self, what: Extent) -> Answer | None:
        """Apply all (``True``), nothing (``False``) or the first n leads; the body is read in any case."""
        if what is False:
            await self.read()
            return None
        return await self.process(None if what is True else what)

    async def wait(self, seconds: float | None) -> None:
        """Let time pass until the client leaves; ``None`` waits for that alone."""
        clock, closing = self._centre.clock, self._centre.closing
        until = None if seconds is None else clock() + seconds
        while not self.gone and not closing.is_set() and (until is None or clock() < until):
            await self._centre.pause(GLANCE_SECONDS if until is None else min(GLANCE_SECONDS, until - clock()))

    async def pause(self, seconds: float) -> None:
        """Let time pass, whether the client leaves or not."""
        await self._centre.pause(seconds)

    def busy(self, status: int | None, retry_after: float | str | None) -> Answer:
        """Refuse as busy: this call then neither holds its campaign nor extends the wait."""
        if self._call.turn is not None:
            self._call.turn.busy = True
        return busy_answer(status or self.rules.busy_status, retry_after)

    def end(self, status: int | None = None) -> None:
        """Close the book on this request: what follows is only the sending. The first call counts."""
        if self._over:
            return
        self._over = True
        ended = self._centre.clock()
        if self._call.turn is not None:
            self._call.turn.leave(ended)
        self._note(ended=ended, status=None if self.gone else status)

    def respond(self, answer: Answer) -> web.StreamResponse:
        """End the visit with ``answer``."""
        self.end(answer.status)
        own = {name.title(): value for name, value in answer.headers.items()}
        headers = {"Content-Type": answer.content_type, **own}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def write(self, data: bytes) -> None:
        """Put bytes on the wire by hand; call ``end`` before the first of them."""
        if transport := transport_of(self.request):
            transport.write(data)

    def hang_up(self, data: bytes = b"", *, status: int | None = None) -> web.StreamResponse:
        """End the visit, write ``data`` by hand and close the connection."""
        self.end(status)
        self.write(data)
        if transport := transport_of(self.request):
            transport.close()
        return NoAnswer()

    def reset(self) -> web.StreamResponse:
        """End the visit with RST."""
        self.end()
        reset(self.request)
        return NoAnswer()

    async def play(self) -> web.StreamResponse:
        """Do what the request asks for and answer it: the visit without any fault."""
        return self.respond(await self.process())


def _headers_without_key(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
