"""Faults of size: answers that no client should read to their end."""

import asyncio
import zlib
from collections.abc import Iterator, Mapping

from aiohttp import web
from attrs import frozen

from voiso_async.sandbox.line import NoAnswer
from voiso_async.sandbox.visit import Visit

__all__ = ["GzipBomb", "Huge"]

GZIP = 31  # zlib's number for the gzip container
CHUNK = 256 * 1024


@frozen
class Huge:
    """Stream the beginning of a JSON object and then ``size`` blanks, or blanks without end."""

    size: int | None = None
    status: int = 200
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Stream."""
        await visit.apply(self.apply)
        return await _stream(visit, self.status, {}, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        yield b"{"
        blanks = b" " * CHUNK
        sent = 0
        while self.size is None or sent < self.size:
            yield blanks if self.size is None else blanks[: self.size - sent]
            sent += CHUNK
        yield b"}"


@frozen
class GzipBomb:
    """Answer ``size`` blanks and an empty object, packed to a thousandth."""

    size: int
    apply: bool | int = False

    async def play(self, visit: Visit) -> web.StreamResponse:
        """Stream."""
        await visit.apply(self.apply)
        return await _stream(visit, 200, {"Content-Encoding": "gzip"}, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=GZIP)
        blanks = b" " * CHUNK
        for start in range(0, self.size, CHUNK):
            yield packer.compress(blanks[: self.size - start])
        yield packer.compress(b"{}") + packer.flush()


async def _stream(
    visit: Visit, status: int, headers: Mapping[str, str], chunks: Iterator[bytes]
) -> web.StreamResponse:
    visit.end(status)
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json", **headers})
    await response.prepare(visit.request)
    for chunk in chunks:
        if visit.gone:
            return NoAnswer()
        if chunk:
            await response.write(chunk)
        await asyncio.sleep(0)
    return response
