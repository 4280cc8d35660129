"""Several faults of one command line, told together: none hides another."""

import os
import select
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import anyio
from attrs import field, frozen
from cyclopts import Group, Parameter

from voiso_async.cli.render.tables import note, quoted
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError, InputFileError, VoisoError
from voiso_async.events import Event
from voiso_async.outbox import Outbox
from voiso_async.wire import base_url_of


class FaultsError(ConfigurationError):
    """What was typed or set cannot work, for each of these reasons."""

    def __init__(self, faults: Sequence[VoisoError]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults: tuple[VoisoError, ...] = tuple(faults)


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """Make every check, and give what they made or raise all that they found."""
    made: list[Any] = []
    found: list[VoisoError] = []
    for check in checks:
        try:
            made.append(check())
        except FaultsError as faults:
            found.extend(faults.faults)
        except (ConfigurationError, InputFileError) as fault:
            found.append(fault)
    if len(found) == 1:
        raise found[0]
    if found:
        raise FaultsError(found)
    return made


LARGEST_KEY_FILE = 4096
PIPE_PATIENCE = 60.0
"""Seconds in which somebody must write the key to a pipe: the command hears no Ctrl-C meanwhile."""


class NotSetError(ConfigurationError):
    """A setting is missing, so that the API cannot be reached; one that is wrong is another fault."""


class Exit(IntEnum):
    """How a command ended; after a signal it is 128 and the signal's number."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_ALL = 3
    """It ran to its end, and some leads are not in the campaign or in question."""
    STOPPED = 4
    """It was stopped before its end; what waits is in the outbox, and another command goes on."""


GROUPS: dict[str, Group] = {
    name: Group(name, sort_key=place)
    for place, name in enumerate(("File", "Sending", "Outbox", "Connection", "Output"), start=1)
}
"""The groups of options that commands share, in the order of their help."""

Json = Annotated[
    bool, Parameter(group=GROUPS["Output"], negative="", show_default=False, help="Print JSON, one value a line.")
]


@Parameter(name="*", group=GROUPS["Connection"])
@frozen(kw_only=True)
class Connection:
    """Where the API is and which key opens it; a key is never an argument, other users could read it."""

    cluster: str | None = None
    """First label of the contact centre's host name, such as cc-ams03; else VOISO_CLUSTER."""
    base_url: str | None = None
    """Full address instead of a cluster, such as that of a sandbox; else VOISO_BASE_URL."""
    key_file: Path | None = None
    """File that holds the API key; else VOISO_API_KEY holds the key, or VOISO_API_KEY_FILE names the file."""
    _read: dict[Path, str] = field(factory=dict, init=False, repr=False, eq=False)
    # the key file's content: a pipe gives it only once

    @property
    def words(self) -> str:
        """The options that were given, for a command that is to be typed next."""
        options = {"--cluster": self.cluster, "--base-url": self.base_url, "--key-file": self.key_file}
        return "".join(f" {name} {quoted(value)}" for name, value in options.items() if value)

    def check(self) -> None:
        """Say which settings are missing or wrong."""
        check_all(self.key, self.address)

    def is_set(self) -> bool:
        """Whether there is a key and an address; raise if one of them is wrong."""
        try:
            self.check()
        except NotSetError:
            return False
        except FaultsError as error:
            if not all(isinstance(fault, NotSetError) for fault in error.faults):
                raise
            return False
        return True

    def address(self) -> str:
        """The root of every call, or say which setting is missing."""
        if self.cluster is not None and self.base_url is not None:
            raise ConfigurationError("give --cluster or --base-url, not both")
        cluster, base_url = self.cluster, self.base_url
        if cluster is None and base_url is None:
            base_url = os.environ.get("VOISO_BASE_URL") or None
            cluster = None if base_url else os.environ.get("VOISO_CLUSTER") or None
        if cluster is None and base_url is None:
            raise NotSetError(
                "there is no address: set VOISO_CLUSTER or VOISO_BASE_URL, or give --cluster or --base-url"
            )
        return base_url_of(cluster, base_url)

    def client(
        self, on_event: Callable[[Event], object] | None = None, outbox: Outbox | None = None
    ) -> VoisoClient:
        """Make the client, or say which setting is missing."""
        address = self.address()
        return VoisoClient(self.key(), base_url=address, outbox=outbox, on_event=on_event)

    def key(self) -> str:
        """Read the key, or say that there is none."""
        key = os.environ.get("VOISO_API_KEY")
        named = os.environ.get("VOISO_API_KEY_FILE")
        if self.key_file is not None:
            if self.key_file not in self._read:
                self._read[self.key_file] = _key_in(self.key_file)
            return self._read[self.key_file]
        if key:
            return key
        if named:
            return _key_in(Path(named))
        raise NotSetError(
            "there is no API key: set VOISO_API_KEY, or name a file with it by VOISO_API_KEY_FILE or --key-file"
        )


FROM_ENVIRONMENT = Connection()


@asynccontextmanager
async def connected(
    connection: Connection,
    on_event: Callable[[Event], object] | None = None,
    outbox: Outbox | None = None,
) -> AsyncIterator[VoisoClient]:
    """Open a client, and close it whatever happens."""
    voiso = connection.client(on_event, outbox)
    try:
        yield voiso
    finally:
        with anyio.CancelScope(shield=True):
            await voiso.aclose(0)


def _key_in(path: Path) -> str:
    try:
        with open(path, "rb", opener=_opened_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & stat.S_IROTH and not stat.S_ISFIFO(mode):
                note("voiso: every user of this machine can read the key file; chmod 600 would keep it to you")
            if not stat.S_ISREG(mode):
                os.set_blocking(file.fileno(), True)
            if not stat.S_ISFIFO(mode) or select.select([file], [], [], PIPE_PATIENCE)[0]:
                return file.read(LARGEST_KEY_FILE).decode("ascii").strip()
            fault = "nobody writes to the pipe"
    except OSError as error:
        fault = os.strerror(error.errno or 0).lower()
    except UnicodeDecodeError:
        fault = "it holds more than an API key"
    except ValueError:
        fault = "no usable name"
    raise ConfigurationError(f"the key file cannot be read: {fault}")


def _opened_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for who writes to it, if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
