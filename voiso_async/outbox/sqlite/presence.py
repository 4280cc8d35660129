"""Who uses an outbox now: each holds an OS lock on a file of its own, which its death releases at once."""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - where there is none, only leases count
    fcntl = None  # type: ignore[assignment]

HAVE_LOCKS = fcntl is not None
LARGEST = 1 << 31
LONGEST_NAME = 255 - len(f"-owner-{LARGEST}")
"""Bytes of an outbox's name that leave room for the rest of an owner's."""


class Presence:
    """The lock that says "owner ``n`` is alive"; the file is made and locked before anybody can know of ``n``."""

    def __init__(self, path: Path) -> None:
        self.n: int = 0
        self._fd: int | None = None
        self._path = path
        while self._fd is None:
            self.n = secrets.randbelow(LARGEST) + 1
            self._path = _file_of(path, self.n)
            self._fd = _locked(self._path)

    def leave(self) -> None:
        """Remove the file and release the lock."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self.forget()

    def forget(self) -> None:
        """Close what a forked child has inherited: the parent's lock stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def is_present(path: Path, n: int) -> bool:
    """Whether owner ``n`` of the outbox at ``path`` is alive; if it is dead its file is removed."""
    file = _file_of(path, n)
    try:
        fd = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be known, so nothing is taken from it
    try:
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            file.unlink(missing_ok=True)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def remove_stale_files(path: Path, known: set[int]) -> None:
    """Remove the files of owners that died before anybody knew of them."""
    for file in path.parent.glob(f"{_escaped(_stem(path))}-owner-*"):
        number = file.name.rpartition("-")[2]
        if number.isdigit() and int(number) not in known:
            is_present(path, int(number))


def _file_of(path: Path, n: int) -> Path:
    return path.with_name(f"{_stem(path)}-owner-{n}")


def _stem(path: Path) -> str:
    """Give the outbox's name, or its digest if the system would find an owner's name too long."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= LONGEST_NAME else hashlib.blake2b(name, digest_size=16).hexdigest()


def _escaped(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _locked(file: Path) -> int | None:
    try:
        fd = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return None
    if fcntl is None:  # pragma: no cover - where there is none, only leases count
        return fd
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return fd
    except OSError:
        pass
    os.close(fd)  # somebody took it for a dead one's in between
    return None
