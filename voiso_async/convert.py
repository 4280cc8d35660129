"""The one converter: bytes to decoded JSON to records and back. Only this file knows cattrs and msgspec.

Reading is strict about types and open to what is new: no ``"3"`` for 3, no ``True`` for 1; ``null`` is absent;
fields a record does not know are kept in its ``extra``. Every failure is a ``ResponseError`` without the value.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, overload

import attrs
import msgspec
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import make_converter

from voiso_async.errors import ResponseError

__all__ = ["decode", "encode", "encode_lines", "structure", "structure_field", "structure_within", "unstructure"]

BOM = b"\xef\xbb\xbf"
EXTRA = "extra"
OFFSET = re.compile(r"([Zz]|[+-]\d\d:?\d\d)$")

T = TypeVar("T")
Tidier = Callable[[Any], Any]

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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        pass
    reason = "empty" if not body.strip() else "not_json"
    raise ResponseError("the answer is not JSON", request=request, expected="JSON", reason=reason)


@overload
def structure(value: Any, cls: type[T], *, request: str = "", path: str = "$") -> T: ...
@overload
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any: ...
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any:
    """Make a record, a list of records or a plain value of decoded JSON, or raise ``ResponseError``.

    ``path`` is where ``value`` stood in the answer; the error's own path begins with it.
    """
    try:
        return _converter.structure(value, cls)
    except msgspec.ValidationError as error:
        fault = str(error)
    raise _unreadable(fault, path, request)


def structure_field(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a value of what stands under ``key`` of the answer; it must be there."""
    if not isinstance(decoded, dict):
        raise _unreadable("Expected `object`", "$", request)
    return structure(decoded.get(key), cls, request=request, path=f"$.{key}")


def structure_within(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a record of the object under ``key`` if there is one, else of the answer itself (contract 12.1)."""
    if isinstance(decoded, dict) and isinstance(decoded.get(key), dict):
        return structure_field(decoded, key, cls, request=request)
    return structure(decoded, cls, request=request)


def unstructure(record: Any) -> Any:
    """Make plain JSON data of records: absent fields are left out, ``extra`` is merged in."""
    return _decoder.decode(_encoder.encode(_converter.unstructure(record)))


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


@cache
def _tidier(kind: Any) -> Tidier | None:
    """Build the walk through values of one type; ``None`` where there is nothing to tidy."""
    options = [option for option in get_args(kind) if option is not NoneType]
    if NoneType in get_args(kind) and len(options) == 1:
        return _tidier(options[0])
    if attrs.has(kind):
        return _tidy_record(kind)
    if get_origin(kind) in (list, tuple):
        return _tidy_items(_tidier(options[0]))
    if get_origin(kind) is dict:
        return _without_nulls
    return _aware if kind is datetime else None


def _tidy_record(cls: Any) -> Tidier:
    """Drop nulls, and move what the record does not know into ``extra``, a field called ``extra`` too."""
    walks = {field.name: _tidier(field.type) for field in attrs.fields(cls) if field.name != EXTRA}

    def tidy(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, item in value.items():
            if name not in walks:
                extra[name] = item
            elif item is not None:
                walk = walks[name]
                known[name] = item if walk is None else walk(item)
        if extra:
            known[EXTRA] = extra
        return known

    return tidy


def _tidy_items(walk: Tidier | None) -> Tidier | None:
    if walk is None:
        return None
    return lambda value: [walk(item) for item in value] if isinstance(value, list) else value


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if item is not None}


def _aware(value: Any) -> Any:
    """Give a timestamp without an offset the one of UTC (contract 4)."""
    return value if not isinstance(value, str) or OFFSET.search(value) else value + "Z"


def _structure_hook(cls: Any) -> Callable[[Any, Any], Any]:
    tidy = _tidier(cls)
    if tidy is None:
        return msgspec.convert
    return lambda value, kind: msgspec.convert(tidy(value), kind)


def _unstructure_hook(cls: Any, converter: Converter) -> Callable[[Any], Any]:
    if EXTRA not in attrs.fields_dict(cls):
        return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)
    options: Any = {EXTRA: override(omit=True)}
    fields = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **options)
    return lambda record: fields(record) | record.extra


def _every_type(_: Any) -> bool:
    return True


_converter = make_converter()
_converter.register_structure_hook_factory(_every_type, _structure_hook)
for _plain in (str, int, float, bool, datetime):  # cattrs has lenient hooks of its own for these
    _converter.register_structure_hook(_plain, _structure_hook(_plain))
_converter.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
