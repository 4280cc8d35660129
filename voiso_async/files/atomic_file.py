"""A new file that appears whole or not at all, and never in the place of another."""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from voiso_async.errors import ConfigurationError, VoisoError
from voiso_async.files.disk import name_of, run_in_thread

Target = str | os.PathLike[str] | int
"""A path, or a file descriptor such as 1."""

OWNER_ONLY = 0o600
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL}


class AtomicFile:
    """Write bytes beside a path, and give them its name at the end; leaving with an error leaves nothing behind.

    The file can be read by its owner alone. One that exists is left alone unless ``overwrite``, then it is
    replaced in one step; links are not followed. A file descriptor is written as it comes, and stays open. What
    the system refuses is a ``ConfigurationError``: the outcomes are still where they came from.
    """

    def __init__(self, target: Target, *, overwrite: bool = False) -> None:
        self.name: str = "standard output" if target == 1 else name_of(target)
        self._overwrite = overwrite
        self._path = None if isinstance(target, int) else Path(target)
        self._descriptor = target if isinstance(target, int) else -1
        self._temporary: Path | None = None

    @property
    def is_new_file(self) -> bool:
        """Whether a file is made, and not a descriptor written."""
        return self._path is not None

    async def write(self, block: bytes) -> None:
        """Write a block, in a worker thread."""
        await self._in_thread(lambda: _write(self._descriptor, block))

    async def __aenter__(self) -> Self:
        await self._in_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._in_thread(self._finish)
        finally:
            self._discard()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Work in a thread; a file is closed after it has left, since its number may soon be another's."""
        await run_in_thread(lambda: self._with_own_errors(work), abandon=not self.is_new_file)

    def _open(self) -> None:
        if self._path is None:
            return
        self._check(self._path)
        beside = self._path.with_name(f".{self._path.name[:60]}.{secrets.token_hex(4)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(beside, flags, OWNER_ONLY)
        self._temporary = beside

    def _check(self, path: Path) -> None:
        """Refuse a name that is taken before there is anything to write."""
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if not self._overwrite:
            raise self._exists()
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise ConfigurationError(f"{self.name}: it is no ordinary file and stays; choose another path")

    def _finish(self) -> None:
        if self._path is None or self._temporary is None:
            return
        os.fsync(self._descriptor)
        if self._overwrite:
            self._temporary.replace(self._path)
        else:
            self._link(self._temporary, self._path)
        self._temporary = None
        _sync(self._path.parent)

    def _link(self, beside: Path, path: Path) -> None:
        """Give the file its name in one step that fails if the name was taken meanwhile."""
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            fault = errno.EEXIST
        except OSError as error:
            fault = error.errno or errno.EIO
        else:
            beside.unlink()
            return
        if fault == errno.EEXIST or (fault in NO_LINKS and os.path.lexists(path)):
            raise self._exists()
        if fault not in NO_LINKS:
            raise OSError(fault, "")
        beside.rename(path)

    def _discard(self) -> None:
        """Close what was opened here, and remove what has not got its name."""
        beside, self._temporary = self._temporary, None
        if self._path is not None and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if beside is not None:
            with suppress(OSError):  # what led here is the better story
                beside.unlink()

    def _with_own_errors(self, work: Callable[[], None]) -> None:
        """Say in our own words what the system says."""
        try:
            work()
        except VoisoError:
            raise
        except OSError as error:
            code = error.errno or errno.EIO
        except ValueError:
            code = errno.EINVAL
        else:
            return
        said = os.strerror(code).lower()
        raise ConfigurationError(f"{self.name}: it cannot be written: {said}; no outcome is lost by that")

    def _exists(self) -> ConfigurationError:
        return ConfigurationError(f"{self.name}: there is such a file already, and it stays; choose another path")


def _write(descriptor: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(folder: Path) -> None:
    """Make a new name in a folder last, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
