"""Faults of the connection: it ends, stalls, drips, or speaks another language."""

from aiohttp import web
from attrs import field, frozen

from voiso_async.sandbox.answers import Answer
from voiso_async.sandbox.line import Framing, head_of
from voiso_async.sandbox.visit import Visit

__all__ = [
    "ApplyThenClose",
    "ApplyThenReset",
    "CloseAfterHeaders",
    "Drip",
    "Garbage",
    "RawBytes",
    "Refuse",
    "Stall",
    "Truncate",
]

NOT_HTTP = b"\x16\x03\x01 220 mail.example.net ESMTP ready\r\n\r\n"
EMPTY_OBJECT = Answer.json(200, {})


@frozen
class Refuse:
    """Reset the connection when the headers have come; the body is not read."""

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Reset."""
        return visit.reset()


@frozen
class CloseAfterHeaders:
    """Close the connection when the headers have come; the body is not read."""

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Close."""
        return visit.hang_up()


@frozen
class Stall:
    """Never answer: close after ``seconds``, or wait until the client leaves."""

    seconds: float | None = None
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Stall."""
        await visit.apply(self.apply)
        await visit.wait(self.seconds)
        return visit.hang_up()


@frozen
class ApplyThenClose:
    """Apply everything, or the ``first`` n leads, then close the connection without an answer."""

    first: int | None = None

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Apply and close."""
        await visit.process(self.first)
        return visit.hang_up()


@frozen
class ApplyThenReset:
    """Apply everything, or the ``first`` n leads, then reset the connection without an answer."""

    first: int | None = None

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Apply and reset."""
        await visit.process(self.first)
        return visit.reset()


@frozen
class Truncate:
    """Answer as usual, but close after ``keep_bytes`` of the body, under one of three promises of its length."""

    keep_bytes: int
    framing: Framing = "length"
    apply: bool | int = True

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer in part."""
        answer = await visit.apply(self.apply) or EMPTY_OBJECT
        promise = f"{len(answer.body):x}\r\n".encode() if self.framing == "chunked" else b""
        data = head_of(answer, self.framing) + promise + answer.body[: self.keep_bytes]
        return visit.hang_up(data, status=answer.status)


@frozen
class Drip:
    """Answer as usual, one byte every ``seconds``: the body, or with ``head`` the headers too."""

    seconds: float = 0.2
    head: bool = False
    apply: bool | int = True

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Answer in drops."""
        answer = await visit.apply(self.apply) or EMPTY_OBJECT
        visit.end(answer.status)
        head = head_of(answer)
        at_once, slowly = (b"", head + answer.body) if self.head else (head, answer.body)
        visit.write(at_once)
        for place in range(len(slowly)):
            await visit.wait(self.seconds)
            visit.write(slowly[place : place + 1])
        return visit.hang_up()


@frozen
class RawBytes:
    """Write ``data`` as it is, then close."""

    data: bytes = field(repr=False)
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Write and close."""
        await visit.apply(self.apply)
        return visit.hang_up(self.data)


@frozen
class Garbage:
    """Answer something that is not HTTP."""

    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Write and close."""
        return await RawBytes(NOT_HTTP, self.apply).play(visit)
