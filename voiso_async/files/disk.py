"""Opening a file to read, and what the system says when it cannot be done."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import anyio

from voiso_async.convert import encode
from voiso_async.errors import InputFileError

Source = str | os.PathLike[str] | int
"""A path, or a file descriptor such as 0."""

FILE_URL = "file://"


def open_binary(source: Source) -> io.BufferedReader:
    """Open a file or a file descriptor; ``InputFileError`` says why it cannot be done."""
    name = name_of(source)
    try:
        return open(source, "rb", closefd=not isinstance(source, int))
    except OSError as error:
        fault = read_error(error)
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


def read_error(error: OSError) -> InputFileError:
    """Say in our own words what the system said."""
    return InputFileError(f"it cannot be read: {os.strerror(error.errno or 0).lower()}", reason="unreadable")


def path_to_text(path: str | os.PathLike[str]) -> str:
    """Write an absolute path as a text that can be stored: as a ``file:`` address if its bytes are not UTF-8."""
    text = os.path.abspath(path)  # noqa: PTH100 - Path.absolute() keeps ".."
    try:
        text.encode()
    except UnicodeEncodeError:
        return Path(text).as_uri()
    return text


def path_from_text(kept: str) -> str:
    """Read back what ``kept_path`` wrote."""
    if not kept.startswith(f"{FILE_URL}/"):
        return kept
    return os.fsdecode(unquote_to_bytes(kept.removeprefix(FILE_URL)))


def name_of(source: Source) -> str:
    """Name a file in messages: without its folders, and in one line."""
    if isinstance(source, int):
        return "standard input" if source == 0 else f"file descriptor {source}"
    name = Path(source).name or str(source) or "''"
    return "".join(char if char.isprintable() else "?" for char in name)


T = TypeVar("T")


async def run_in_thread(work: Callable[[], T], *, abandon: bool = True) -> T:
    """Run blocking work in a worker thread; who is cancelled does not wait for it, unless told."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=abandon)


BLOCK = 1024 * 1024
SAMPLE = 256 * 1024


def file_fingerprint(descriptor: int, options: Mapping[str, Any]) -> str:
    """Digest a file from its first byte, and the options by which it is read; the place in the file stays."""
    digest = hashlib.blake2b(digest_size=20)
    offset = 0
    while block := read_at(descriptor, BLOCK, offset):
        digest.update(block)
        offset += len(block)
    meaning = {name: value for name, value in sorted(options.items()) if not name.startswith("suppress")}
    digest.update(encode([offset, meaning]))
    return digest.hexdigest()


def lines_per_byte(descriptor: int) -> float:
    """Tell from a file's beginning how many lines a byte makes."""
    sample = read_at(descriptor, SAMPLE, 0)
    if not sample:
        return 0.0
    lines = [line for line in sample.split(b"\n") if line.strip(b" \t\r\0,;")]
    return len(lines) / len(sample)
