"""The connections under the requests: numbered, closed, reset, or written to by hand."""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from voiso_async.sandbox.answers import Answer

__all__ = ["Framing", "Line", "NoAnswer", "Switchboard", "head_of", "reset", "transport_of"]

Framing = Literal["length", "chunked", "none"]

NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends RST


class Line(web.RequestHandler):
    """One connection; ``number`` counts from 1."""

    __slots__ = ("number",)

    number: int


class Switchboard(web.Server):
    """The HTTP server that numbers its connections."""

    _opened = 0

    def __call__(self) -> Line:
        """Make the protocol of a new connection."""
        self._opened += 1
        line = Line(self, loop=self._loop, **self._kwargs)
        line.number = self._opened
        return line


class NoAnswer(web.Response):
    """Says that the connection has been dealt with: the server writes nothing and closes it."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002 - aiohttp passes it
        """End the exchange as if the client had gone, which the server takes in silence."""
        raise ConnectionResetError


def transport_of(request: web.BaseRequest) -> asyncio.Transport | None:
    """Give the connection's transport while there is one that can be written to."""
    transport = request.transport
    return None if transport is None or transport.is_closing() else transport


def reset(request: web.BaseRequest) -> None:
    """Cut the connection with RST; what has not left yet is lost."""
    if transport := transport_of(request):
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        transport.abort()


def head_of(answer: Answer, framing: Framing = "length") -> bytes:
    """Write status line and headers by hand, with the given promise about the body."""
    promise = {
        "length": f"Content-Length: {len(answer.body)}",
        "chunked": "Transfer-Encoding: chunked",
        "none": "Connection: close",
    }
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        promise[framing],
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
