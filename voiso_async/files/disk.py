"""Opening a file to read, and what the system says when it cannot be done."""

import io
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from voiso_async.errors import InputFileError

__all__ = ["Source", "kept_path", "name_of", "opened", "path_of", "read_at", "unreadable"]

Source = str | os.PathLike[str] | int
"""A path, or a file descriptor such as 0."""

ADDRESS = "file://"


def opened(source: Source) -> io.BufferedReader:
    """Open a file or a file descriptor; ``InputFileError`` says why it cannot be done."""
    name = name_of(source)
    try:
        return open(source, "rb", closefd=not isinstance(source, int))
    except OSError as error:
        fault = unreadable(error)
    except ValueError:
        fault = InputFileError("it cannot be read: no usable name", reason="unreadable")
    raise InputFileError(f"{name}: {fault.message}", reason=fault.reason)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read from a place in a file; whoever reads it in order does not notice."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)


def unreadable(error: OSError) -> InputFileError:
    """Say in our own words what the system said."""
    return InputFileError(f"it cannot be read: {os.strerror(error.errno or 0).lower()}", reason="unreadable")


def kept_path(path: str | os.PathLike[str]) -> str:
    """Write an absolute path as a text that can be stored: as a ``file:`` address if its bytes are not UTF-8."""
    text = os.path.abspath(path)  # noqa: PTH100 - Path.absolute() keeps ".."
    try:
        text.encode()
    except UnicodeEncodeError:
        return Path(text).as_uri()
    return text


def path_of(kept: str) -> str:
    """Read back what ``kept_path`` wrote."""
    if not kept.startswith(f"{ADDRESS}/"):
        return kept
    return os.fsdecode(unquote_to_bytes(kept.removeprefix(ADDRESS)))


def name_of(source: Source) -> str:
    """Name a file in messages: without its folders, and in one line."""
    if isinstance(source, int):
        return "standard input" if source == 0 else f"file descriptor {source}"
    name = Path(source).name or str(source) or "''"
    return "".join(char if char.isprintable() else "?" for char in name)
