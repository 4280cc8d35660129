"""Addresses on this machine where no connection succeeds, each for its own reason."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

OLD_TLS_ONLY = bytes.fromhex("15030100020246")
"""The answer of a server with TLS 1.0 at most: a fatal alert, protocol version."""


class Names(aiohttp.abc.AbstractResolver):
    """A resolver that answers with these addresses, and without any never answers."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[aiohttp.abc.ResolveResult]:
        if not self._addresses:
            await asyncio.Event().wait()
        return [
            {"hostname": host, "host": address, "port": port, "family": 2, "proto": 0, "flags": 0}
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port whose queue of connections is full: the system drops further ones."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for _ in range(4):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(("127.0.0.1", port))
        await asyncio.sleep(0)
        yield port


def trusting(certificate_file: Any) -> aiohttp.TCPConnector:
    """A connector that accepts this certificate."""
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(certificate_file)))
