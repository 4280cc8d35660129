"""Oversize replies: no client should read them to their end."""

import asyncio
import zlib
from collections.abc import Iterator, Mapping

from aiohttp import web
from attrs import frozen

from voiso_async.sandbox.connection import NoReply
from voiso_async.sandbox.handler import RequestHandler

GZIP = 31  # zlib's number for the gzip container
CHUNK = 256 * 1024


@frozen
class Huge:
    """Stream ``{`` and then ``size`` spaces, or spaces without end."""

    size: int | None = None
    status: int = 200
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        return await _stream(handler, self.status, {}, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        yield b"{"
        spaces = b" " * CHUNK
        sent = 0
        while self.size is None or sent < self.size:
            yield spaces if self.size is None else spaces[: self.size - sent]
            sent += CHUNK
        yield b"}"


@frozen
class GzipBomb:
    """Reply with ``size`` spaces and an empty object, which gzip compresses to a thousandth."""

    size: int
    apply: bool | int = False

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.apply(self.apply)
        return await _stream(handler, 200, {"Content-Encoding": "gzip"}, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        compressor = zlib.compressobj(wbits=GZIP)
        spaces = b" " * CHUNK
        for start in range(0, self.size, CHUNK):
            yield compressor.compress(spaces[: self.size - start])
        yield compressor.compress(b"{}") + compressor.flush()


async def _stream(
    handler: RequestHandler, status: int, headers: Mapping[str, str], chunks: Iterator[bytes]
) -> web.StreamResponse:
    handler.finish(status)
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json", **headers})
    await response.prepare(handler.http_request)
    for chunk in chunks:
        if handler.disconnected:
            return NoReply()
        if chunk:
            await response.write(chunk)
        await asyncio.sleep(0)  # lets the loop notice that the client has disconnected
    return response
