"""Where a user's outbox is: one file for each account, so that all shells of a user keep the pace together."""

import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import anyio
from attrs import frozen
from cyclopts import Parameter

from voiso_async.cli.common import GROUPS, Connection
from voiso_async.cli.render.tables import quoted
from voiso_async.errors import ConfigurationError, OutboxError
from voiso_async.outbox import Outbox, SqliteOutbox

JOURNAL = "-journal"
"""What SQLite puts behind the name of a file: longer names than that fits cannot be used."""
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@Parameter(name="*", group=GROUPS["Outbox"])
@frozen(kw_only=True)
class OutboxOption:
    """Which outbox a command uses."""

    outbox: Annotated[Path | None, Parameter(allow_leading_hyphen=False)] = None
    """File that keeps the leads until their campaign has them; else VOISO_OUTBOX, or one for each address."""
    account: str | None = None
    """Label that keeps the accounts of one contact centre apart; else VOISO_ACCOUNT."""

    @property
    def label(self) -> str:
        """The account's label, empty if there is none."""
        label = self.account or os.environ.get("VOISO_ACCOUNT") or ""
        if label and not LABEL.fullmatch(label):
            raise ConfigurationError("an account's label is of letters, digits and ._-, at most 64 of them")
        return label

    @property
    def words(self) -> str:
        """The options that were given, for a command that is to be typed next."""
        options = {"--outbox": self.outbox, "--account": self.account}
        return "".join(f" {name} {quoted(value)}" for name, value in options.items() if value)

    def path(self, connection: Connection) -> Path:
        """Name the file; the address is only looked at where nothing else names one."""
        named = self.outbox or os.environ.get("VOISO_OUTBOX")
        return Path(named) if named else _state_folder() / f"{_file_name(connection.address(), self.label)}.db"

    def paths(self, connection: Connection) -> tuple[Path, ...]:
        """The same, or nothing while the settings do not tell."""
        try:
            return (self.path(connection),)
        except ConfigurationError:
            return ()


STANDARD = OutboxOption()


@asynccontextmanager
async def opened(place: OutboxOption, connection: Connection, *, make: bool = False) -> AsyncIterator[Outbox]:
    """Open the outbox and close it whatever happens; unless ``make``, one that is not there is not made."""
    path = place.path(connection)
    there = await anyio.to_thread.run_sync(_is_there, path)
    if not there:
        if not make:
            raise OutboxError(
                f"there is no outbox at {shown(path)}: nothing was handed over here", reason="missing"
            )
        await anyio.to_thread.run_sync(_make_folder, path.parent)
    async with SqliteOutbox(path, account=place.label) as outbox:
        yield outbox


def shown(path: Path) -> str:
    """Write a path for people: short, and without the name of the user whose home it is in."""
    home = Path("~").expanduser()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _is_there(path: Path) -> bool:
    """Whether the outbox is there; ``ConfigurationError`` if none can be."""
    try:
        with suppress(FileNotFoundError):
            os.stat(f"{path}{JOURNAL}")  # noqa: PTH116 - "." has no other name
        is_file = stat.S_ISREG(path.stat().st_mode)
        is_open = os.access(path, os.R_OK | os.W_OK)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        fault = _text_of(error)
    else:
        if is_file and is_open:
            return True
        fault = "permission denied" if is_file else "it is a folder, or no ordinary file"
    raise ConfigurationError(f"{shown(path)} cannot be an outbox: {fault}; name a file with --outbox")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        fault = _text_of(error)
    else:
        return
    raise ConfigurationError(
        f"the folder {shown(folder)} of the outbox cannot be made: {fault}; name a file with --outbox"
    )


def _text_of(error: OSError | ValueError) -> str:
    return os.strerror(error.errno or 0).lower() if isinstance(error, OSError) else "no usable name"


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or ""
    return (Path(base) if Path(base).is_absolute() else Path("~/.local/state").expanduser()) / "voiso"


def _file_name(address: str, label: str) -> str:
    parts = urlsplit(address)
    host = (parts.hostname or "").replace(":", "_")
    return "-".join(filter(None, (host, str(parts.port or ""), label)))
