"""Bytes to decoded JSON to records and back. Only this room knows cattrs, and msgspec for records.

Reading is strict about types and open to what is new: no ``"3"`` for 3, no ``True`` for 1; ``null`` is absent;
fields a record does not know are kept in its ``extra``. Every failure is a ``ResponseError`` without the value.
"""

from voiso_async.convert.plain import decode, encode, encode_lines
from voiso_async.convert.records import structure, structure_field, structure_within, unstructure
from voiso_async.convert.straight import decoder_of

__all__ = [
    "decode",
    "decoder_of",
    "encode",
    "encode_lines",
    "structure",
    "structure_field",
    "structure_within",
    "unstructure",
]
