"""What every command shares: how to reach the API, and the exit codes."""

import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import anyio
from attrs import frozen
from cyclopts import Parameter

from voiso_async.cli.show import note
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError
from voiso_async.events import Event

__all__ = ["FROM_ENVIRONMENT", "Connection", "Exit", "Json", "connected"]

LARGEST_KEY_FILE = 4096


class Exit(IntEnum):
    """How a command ended; after a signal it is 128 and the signal's number."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_ALL = 3
    """It ran to its end, and some leads are not in the campaign or in question."""


Json = Annotated[
    bool, Parameter(group="Output", negative="", show_default=False, help="Print JSON, one value a line.")
]


@Parameter(name="*", group="Connection")
@frozen(kw_only=True)
class Connection:
    """Where the API is and which key opens it; a key is never an argument, other users could read it."""

    cluster: str | None = None
    """First label of the contact centre's host name, such as cc-ams03; else VOISO_CLUSTER."""
    base_url: str | None = None
    """Full address instead of a cluster, such as that of a sandbox; else VOISO_BASE_URL."""
    key_file: Path | None = None
    """File that holds the API key; else VOISO_API_KEY holds the key, or VOISO_API_KEY_FILE names the file."""

    def client(self, on_event: Callable[[Event], object] | None = None) -> VoisoClient:
        """Make the client, or say which setting is missing."""
        given = (self.cluster, self.base_url, os.environ.get("VOISO_CLUSTER"), os.environ.get("VOISO_BASE_URL"))
        if not any(given):
            raise ConfigurationError(
                "there is no address: set VOISO_CLUSTER or VOISO_BASE_URL, or give --cluster or --base-url"
            )
        return VoisoClient(self._key(), cluster=self.cluster, base_url=self.base_url, on_event=on_event)

    def _key(self) -> str:
        key = os.environ.get("VOISO_API_KEY")
        named = os.environ.get("VOISO_API_KEY_FILE")
        if self.key_file is not None:
            return _key_in(self.key_file)
        if key:
            return key
        if named:
            return _key_in(Path(named))
        raise ConfigurationError(
            "there is no API key: set VOISO_API_KEY, or name a file with it by VOISO_API_KEY_FILE or --key-file"
        )


FROM_ENVIRONMENT = Connection()


@asynccontextmanager
async def connected(
    connection: Connection, on_event: Callable[[Event], object] | None = None
) -> AsyncIterator[VoisoClient]:
    """Open a client, and close it whatever happens."""
    voiso = connection.client(on_event)
    try:
        yield voiso
    finally:
        with anyio.CancelScope(shield=True):
            await voiso.aclose(0)


def _key_in(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IROTH:
                note("voiso: every user of this machine can read the key file; chmod 600 would keep it to you")
            return file.read(LARGEST_KEY_FILE).decode("ascii").strip()
    except OSError as error:
        fault = os.strerror(error.errno or 0).lower()
    except UnicodeDecodeError:
        fault = "it holds more than an API key"
    raise ConfigurationError(f"the key file cannot be read: {fault}")
