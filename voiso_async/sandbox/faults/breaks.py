"""Faults of the connection: it closes, stalls, is slow, or carries something that is not HTTP."""

from aiohttp import web
from attrs import field, frozen

from voiso_async.sandbox.connection import Framing, head_of
from voiso_async.sandbox.handler import RequestHandler
from voiso_async.sandbox.replies import Reply

NOT_HTTP = b"\x16\x03\x01 220 mail.example.net ESMTP ready\r\n\r\n"
EMPTY_OBJECT = Reply.json(200, {})


@frozen
class Refuse:
    """Reset the connection when the headers have arrived; the body is not read."""

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        return handler.reset()


@frozen
class CloseAfterHeaders:
    """Close the connection when the headers have arrived; the body is not read."""

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        return handler.close()


@frozen
class Stall:
    """Never reply: close after ``seconds``, or wait until the client disconnects."""

    seconds: float | None = None
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        await handler.wait(self.seconds)
        return handler.close()


@frozen
class ApplyThenClose:
    """Apply everything, or the ``first`` n leads, then close the connection without a reply."""

    first: int | None = None

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.process(self.first)
        return handler.close()


@frozen
class ApplyThenReset:
    """Apply everything, or the ``first`` n leads, then reset the connection without a reply."""

    first: int | None = None

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.process(self.first)
        return handler.reset()


@frozen
class Truncate:
    """Reply as usual, but close after ``keep_bytes`` of the body; ``framing`` announces its length."""

    keep_bytes: int
    framing: Framing = "length"
    apply: bool | int = True

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        reply = await handler.apply(self.apply) or EMPTY_OBJECT
        # The first chunk announces the whole body, so a part of it is visibly incomplete.
        chunk_size = f"{len(reply.body):x}\r\n".encode() if self.framing == "chunked" else b""
        data = head_of(reply, self.framing) + chunk_size + reply.body[: self.keep_bytes]
        return handler.close(data, status=reply.status)


@frozen
class Drip:
    """Reply as usual, but send one byte every ``seconds``: the body, or with ``head`` the headers too."""

    seconds: float = 0.2
    head: bool = False
    apply: bool | int = True

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        reply = await handler.apply(self.apply) or EMPTY_OBJECT
        handler.finish(reply.status)
        head = head_of(reply)
        at_once, slowly = (b"", head + reply.body) if self.head else (head, reply.body)
        handler.write(at_once)
        for start in range(len(slowly)):
            await handler.wait(self.seconds)
            handler.write(slowly[start : start + 1])
        return handler.close()


@frozen
class RawBytes:
    """Write ``data`` as it is, then close."""

    data: bytes = field(repr=False)
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        return handler.close(self.data)


@frozen
class Garbage:
    """Reply with something that is not HTTP."""

    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        return await RawBytes(NOT_HTTP, self.apply).run(handler)
