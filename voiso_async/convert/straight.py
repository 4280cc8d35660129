"""The straight way from bytes to records, for answers in which nothing is unusual: as strict, and faster.

A usual answer is proved before it is used: a strict twin of each record refuses unknown fields, timestamps without
an offset, and nulls that are not the same as absence. Whatever it refuses goes the careful way.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
import msgspec

from voiso_async.convert.plain import BOM, UNREADABLE, decode
from voiso_async.convert.tidy import known_fields, null_is_absent

__all__ = ["decoder_of"]

Aware = Annotated[datetime, msgspec.Meta(tz=True)]
Present = bool | int | float | str | list[Any] | dict[str, Any]
"""Any JSON but null."""


@cache
def decoder_of(cls: type) -> Callable[[bytes], Any]:
    """Make a ``decode`` for answers whose arrays hold records of ``cls``.

    If nothing in an answer is unusual, the arrays directly under its top are tuples of records; else all is plain
    data, as from ``decode``. ``structure_field`` takes both.
    """
    proof, decoder = (msgspec.json.Decoder(_answer(kind)) for kind in (_twin(cls), cls))

    def decode_straight(body: bytes) -> Any:
        text = body.removeprefix(BOM)
        try:
            proof.decode(text)
            return decoder.decode(text)
        except UNREADABLE:
            pass
        return decode(body)

    return decode_straight


def _answer(kind: Any) -> Any:
    return dict[str, tuple[kind, ...] | dict[str, Any] | str | int | float | bool | None]


@cache
def _twin(kind: Any) -> Any:
    """Make a type that takes no more than ``kind`` does, and nothing that has to be tidied; a null never."""
    if attrs.has(kind):
        return _twin_record(kind)
    if kind is datetime:
        return Aware
    if kind is Any:
        return Present
    parts = tuple(_twin(part) for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) in (Union, UnionType):
        return Union[parts]  # noqa: UP007 - of what was found
    if Ellipsis in parts:
        return list[parts[0]]  # type: ignore[valid-type]  # made faster than a tuple
    return get_origin(kind)[parts] if parts else kind


def _twin_record(cls: Any) -> Any:
    fields = [(field.name, *_twin_field(field)) for field in known_fields(cls)]
    # Untracked, since no twin is kept and none is part of a circle.
    return msgspec.defstruct(cls.__name__, fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def _twin_field(field: "attrs.Attribute[Any]") -> tuple[Any, ...]:
    """The type of a field and, if it may be left out, a default."""
    kind: Any = field.type
    twin = _twin(kind)
    if field.default is attrs.NOTHING:
        return (twin,)
    return (twin | None if null_is_absent(field) else twin, None)
