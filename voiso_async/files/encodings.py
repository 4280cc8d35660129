"""Which encoding a text seems to have that is not the one it was read in."""

import re

__all__ = ["likely_encoding", "unmarked_utf16", "western"]

WESTERN = "cp1252"

_STRANGE = re.compile(
    # what no Western text holds
    rb"[^\x00-\x7f\x80\x85\x8a\x8c\x8e\x91-\x97\x99\x9a\x9c\x9e-\xa1\xa3\xa7\xa9-\xab\xae\xb0\xb4\xb7\xba\xbb"
    rb"\xbf-\xd6\xd8-\xf6\xf8-\xff]"
    rb"|[\xc0-\xff]{3}"  # what Cyrillic or Greek looks like
    rb"|[a-z][\x8a\x8c\x8e\x9f\xc0-\xde]"  # what other code pages make of a small letter: a capital in a word
)


def likely_encoding(line: bytes) -> str | None:
    """Name the encoding in which a line that is not UTF-8 makes sense, if there is one that is usual."""
    return None if not line or _STRANGE.search(line) else WESTERN


def unmarked_utf16(start: bytes) -> str | None:
    """Tell UTF-16 whose mark is missing by where its NUL bytes stand."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd) or max(even, odd) * 5 < len(start):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def western(line: bytes) -> str:
    """Read a line that is not UTF-8 so that its ASCII characters are right, and most of the others."""
    return line.decode(WESTERN, "replace")
