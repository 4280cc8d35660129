"""The connections below the requests: numbered by the server, closed, reset or written to by faults."""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from voiso_async.sandbox.replies import Reply

Framing = Literal["length", "chunked", "none"]

NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends RST


class Connection(web.RequestHandler):
    """One connection; ``number`` counts from 1."""

    __slots__ = ("number",)

    number: int


class Connections(web.Server):
    """The HTTP server that numbers its connections."""

    _opened = 0  # the history shows the numbers, so tests see which requests shared a connection

    def __call__(self) -> Connection:
        """Make the protocol of a new connection; asyncio calls this for each one it accepts."""
        self._opened += 1
        connection = Connection(self, loop=self._loop, **self._kwargs)
        connection.number = self._opened
        return connection


class NoReply(web.Response):
    """Tells aiohttp to write nothing and to close the connection: a fault has already dealt with it."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002 - aiohttp passes it
        """Act as if the client had disconnected, which aiohttp does not log."""
        raise ConnectionResetError


def transport_of(request: web.BaseRequest) -> asyncio.Transport | None:
    """Return the connection's transport, or None once nothing can be written to it."""
    transport = request.transport
    return None if transport is None or transport.is_closing() else transport


def reset(request: web.BaseRequest) -> None:
    """Close the connection with RST; unsent data is lost."""
    if transport := transport_of(request):
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        transport.abort()  # ``close`` would send what is buffered first


def head_of(reply: Reply, framing: Framing = "length") -> bytes:
    """Format status line and headers; ``framing`` is how they announce the length of the body."""
    announced = {
        "length": f"Content-Length: {len(reply.body)}",
        "chunked": "Transfer-Encoding: chunked",
        "none": "Connection: close",
    }
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        f"Content-Type: {reply.content_type}",
        announced[framing],
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
