"""What can be said of a whole file without taking it apart: a digest, and how long its lines are."""

import hashlib
from collections.abc import Mapping
from typing import Any

from voiso_async.convert import encode
from voiso_async.files.disk import read_at

__all__ = ["digest_of", "lines_per_byte"]

BLOCK = 1024 * 1024
SAMPLE = 256 * 1024


def digest_of(descriptor: int, options: Mapping[str, Any]) -> str:
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
