"""A server on bare sockets that misbehaves on purpose: one verb for each request; the last one repeats."""

import asyncio
import gzip
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from attrs import define, frozen

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@frozen
class Seen:
    """One request as it came over the wire."""

    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return None


@define
class Wire:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: Seen | None = None

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()


@frozen
class Verb:
    """What to do with a request, and how much of it to read before."""

    act: Callable[[Wire], Awaitable[None]]
    reads: Literal["nothing", "head", "all"] = "all"


def http(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    if length is None or length >= 0:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(status: int = 200, body: Any = None, headers: Mapping[str, str] | None = None) -> Verb:
    """A correct answer; a body that is not bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    kind = {"Content-Type": "application/json", **(headers or {})}

    async def act(wire: Wire) -> None:
        await wire.send(http(status, data, kind))

    return Verb(act)


def raw(data: bytes, *, then: Literal["close", "stay"] = "close") -> Verb:
    """Exactly these bytes."""

    async def act(wire: Wire) -> None:
        await wire.send(data)
        if then == "close":
            wire.close()

    return Verb(act)


def drip(data: bytes, seconds: float) -> Verb:
    """One byte at a time, so that the connection never seems dead."""

    async def act(wire: Wire) -> None:
        for at in range(len(data)):
            await wire.send(data[at : at + 1])
            await asyncio.sleep(seconds)

    return Verb(act)


def endless(head: bytes, chunk: bytes) -> Verb:
    """A body that does not end until the client hangs up."""

    async def act(wire: Wire) -> None:
        await wire.send(head)
        while not wire.writer.is_closing():
            await wire.send(chunk)

    return Verb(act)


async def _close(wire: Wire) -> None:
    wire.close()


async def _reset(wire: Wire) -> None:
    wire.reset()


async def _stall(wire: Wire) -> None:
    await asyncio.Event().wait()


CLOSE_ON_ACCEPT = Verb(_close, "nothing")
RESET_ON_ACCEPT = Verb(_reset, "nothing")
CLOSE_AFTER_HEAD = Verb(_close, "head")
CLOSE_AFTER_READING = Verb(_close)
RESET_AFTER_READING = Verb(_reset)
STALL = Verb(_stall)
NEVER_READ = Verb(_stall, "head")


def gzip_bomb(size: int) -> bytes:
    """An answer of some kilobytes that grows to ``size`` when it is unpacked."""
    return http(200, gzip.compress(bytes(size)), {"Content-Encoding": "gzip"})


class RawServer:
    """``async with RawServer(verb, …) as server``: listens on ``server.url`` and records the requests."""

    def __init__(self, *verbs: Verb, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self._verbs = list(verbs) or [answer()]
        self._context = context
        self._server: asyncio.Server | None = None
        self._wires: list[Wire] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires:
            wire.writer.transport.abort()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https://localhost' if self._context else 'http://127.0.0.1'}:{self.port}/api/v4"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        wire = Wire(reader, writer)
        self._wires.append(wire)
        try:
            await self._serve(wire)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            wire.writer.transport.abort()
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)

    async def _serve(self, wire: Wire) -> None:
        if self._verbs[0].reads == "nothing":
            await self._next().act(wire)
        while not wire.writer.is_closing():
            head = (await wire.reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
            seen = Seen(head, b"")
            verb = self._next()
            if verb.reads == "all":
                seen = Seen(head, await wire.reader.readexactly(int(seen.header("content-length") or 0)))
            self.requests.append(seen)
            wire.seen = seen
            await verb.act(wire)

    def _next(self) -> Verb:
        return self._verbs.pop(0) if len(self._verbs) > 1 else self._verbs[0]


async def closed_port() -> int:
    """A port of this machine without a listener."""
    async with RawServer() as server:
        return server.port
