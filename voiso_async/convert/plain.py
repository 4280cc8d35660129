"""JSON as plain data: written in its compact form, read strictly."""

from collections.abc import Sequence
from typing import Any

import msgspec

from voiso_async.errors import ResponseError

__all__ = ["BOM", "UNREADABLE", "decode", "encode", "encode_lines"]

BOM = b"\xef\xbb\xbf"
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
"""All that reading JSON may raise."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: Any) -> bytes:
    """Write JSON in its compact form; NaN and infinities become ``null``, text must be encodable."""
    return _encoder.encode(value)


def encode_lines(values: Sequence[Any]) -> bytes:
    """Write each value in a line of its own, the last one ended too."""
    return _encoder.encode_lines(values)


def decode(body: bytes, *, request: str = "") -> Any:
    """Read JSON strictly (UTF-8, no NaN, bounded nesting; a leading BOM is cut), or raise ``ResponseError``."""
    try:
        return _decoder.decode(body.removeprefix(BOM))
    except UNREADABLE:
        pass
    reason = "empty" if not body.strip() else "not_json"
    raise ResponseError("the answer is not JSON", request=request, expected="JSON", reason=reason)
