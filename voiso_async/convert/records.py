"""Decoded JSON to records and back, by one cattrs converter; msgspec checks the types."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import attrs
import msgspec

from voiso_async.convert.plain import decode, encode
from voiso_async.convert.tidy import EXTRA, tidier
from voiso_async.errors import ResponseError

if TYPE_CHECKING:  # it is loaded once a record is unusual, or written: most programs meet none
    from cattrs import Converter

__all__ = ["structure", "structure_field", "structure_within", "unstructure"]

T = TypeVar("T")


@overload
def structure(value: Any, cls: type[T], *, request: str = "", path: str = "$") -> T: ...
@overload
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any: ...
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any:
    """Make a record, a list of records or a plain value of decoded JSON, or raise ``ResponseError``.

    ``path`` is where ``value`` stood in the answer; the error's own path begins with it.
    """
    try:
        return _converter().structure(value, cls)
    except msgspec.ValidationError as error:
        fault = str(error)
    raise _unreadable(fault, path, request)


def structure_field(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a value of what stands under ``key`` of the answer; it must be there."""
    if not isinstance(decoded, dict):
        raise _unreadable("Expected `object`", "$", request)
    value = decoded.get(key)
    if isinstance(value, tuple):  # JSON has none: these are records, made by ``decoder_of``
        return cast("T", value)
    return structure(value, cls, request=request, path=f"$.{key}")


def structure_within(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a record of the object under ``key`` if there is one, else of the answer itself (contract 12.1)."""
    if isinstance(decoded, dict) and isinstance(decoded.get(key), dict):
        return structure_field(decoded, key, cls, request=request)
    return structure(decoded, cls, request=request)


def unstructure(record: Any) -> Any:
    """Make plain JSON data of records: absent fields are left out, ``extra`` is merged in."""
    return decode(encode(_converter().unstructure(record)))


def _unreadable(fault: str, path: str, request: str) -> ResponseError:
    # Of msgspec's text only types, field names and positions are taken over: elsewhere it may quote a value.
    place = re.search(r"`\$([^`]*)`$", fault)
    where = path + (place[1] if place else "")
    expected = "datetime" if "datetime" in fault else "a valid value"
    if missing := re.match(r"Object missing required field `([^`]+)`", fault):
        where, expected = f"{where}.{missing[1]}", "a value"
    if stated := re.match(r"Expected `([^`]+)`", fault):
        expected = stated[1].removesuffix(" | null")
    return ResponseError(
        f"the answer cannot be read: {where} must be {expected}",
        request=request,
        path=where,
        expected=expected,
        reason="schema",
    )


def _structure_hook(cls: Any) -> Callable[[Any, Any], Any]:
    tidy = tidier(cls)
    if tidy is None:
        return msgspec.convert
    return lambda value, kind: msgspec.convert(tidy(value), kind)


def _unstructure_hook(cls: Any, converter: "Converter") -> Callable[[Any], Any]:
    from cattrs.gen import make_dict_unstructure_fn, override  # noqa: PLC0415 - as above

    if EXTRA not in attrs.fields_dict(cls):
        return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)
    options: Any = {EXTRA: override(omit=True)}
    fields = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **options)
    return lambda record: fields(record) | record.extra


def _every_type(_: Any) -> bool:
    return True


@cache
def _converter() -> "Converter":
    from cattrs import Converter  # noqa: PLC0415 - as above

    converter = Converter()
    converter.register_structure_hook_factory(_every_type, _structure_hook)
    for plain in (str, int, float, bool, datetime):  # cattrs has lenient hooks of its own for these
        converter.register_structure_hook(plain, _structure_hook(plain))
    converter.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
    return converter
