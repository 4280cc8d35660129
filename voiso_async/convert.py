"""Bytes to decoded JSON to records and back: cattrs converts, msgspec checks the types.

Reading is strict about types and open to what is new: no ``"3"`` for 3, no ``True`` for 1; ``null`` is absent;
fields that a record does not know are kept in its ``extra``. Every failure is a ``ResponseError`` that does not
show the value.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, cast, get_args, get_origin, overload

import attrs
import msgspec

from voiso_async.errors import ResponseError

if TYPE_CHECKING:  # it is loaded once a record is unusual, or written: most programs meet none
    from cattrs import Converter

T = TypeVar("T")

# JSON

_BOM = b"\xef\xbb\xbf"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)  # all that reading may raise

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
        return _decoder.decode(body.removeprefix(_BOM))
    except _UNREADABLE:
        pass
    reason = "empty" if not body.strip() else "not_json"
    raise ResponseError("the answer is not JSON", request=request, expected="JSON", reason=reason)


# Records


@overload
def structure(value: Any, cls: type[T], *, request: str = "", path: str = "$") -> T: ...
@overload
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any: ...
def structure(value: Any, cls: Any, *, request: str = "", path: str = "$") -> Any:
    """Make a record, a list of records or a plain value of decoded JSON, or raise ``ResponseError``.

    ``path`` is the place of ``value`` in the answer; the error's own path begins with it.
    """
    try:
        return _converter().structure(value, cls)
    except msgspec.ValidationError as error:
        fault = str(error)
    raise _unreadable(fault, path, request)


def structure_field(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a value of the member ``key`` of the answer; it must be there."""
    if not isinstance(decoded, dict):
        raise _unreadable("Expected `object`", "$", request)
    return structure(decoded.get(key), cls, request=request, path=f"$.{key}")


def structure_within(decoded: Any, key: str, cls: type[T], *, request: str = "") -> T:
    """Make a record of the object under ``key`` if there is one, else of the answer itself: both are seen."""
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


@cache
def _converter() -> "Converter":
    from cattrs import Converter  # noqa: PLC0415 - as above

    converter = Converter()
    converter.register_structure_hook_factory(lambda _: True, _structure_hook)
    for plain in (str, int, float, bool, datetime):  # cattrs has lenient hooks of its own for these
        converter.register_structure_hook(plain, _structure_hook(plain))
    converter.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
    return converter


def _structure_hook(cls: Any) -> Callable[[Any, Any], Any]:
    normalise = _normaliser(cls)
    if normalise is None:
        return msgspec.convert
    return lambda value, kind: msgspec.convert(normalise(value), kind)


def _unstructure_hook(cls: Any, converter: "Converter") -> Callable[[Any], Any]:
    from cattrs.gen import make_dict_unstructure_fn, override  # noqa: PLC0415 - as above

    if _EXTRA not in attrs.fields_dict(cls):
        return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)
    options: Any = {_EXTRA: override(omit=True)}
    fields = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **options)
    return lambda record: fields(record) | record.extra


# What an answer may hold and a record may not is normalised before the types are checked: nulls, unknown fields,
# timestamps without an offset. Each type gets one function, made once, which copies only what it changes.

_EXTRA = "extra"
_OFFSET = re.compile(r"([Zz]|[+-]\d\d:?\d\d)$")

_Normaliser = Callable[[Any], Any]


@cache
def _normaliser(kind: Any) -> _Normaliser | None:
    """Make the function for values of one type; ``None`` where there is nothing to normalise."""
    options = [option for option in get_args(kind) if option is not NoneType]
    if NoneType in get_args(kind) and len(options) == 1:
        return _normaliser(options[0])
    if attrs.has(kind):
        return _record_normaliser(kind)
    if get_origin(kind) in (list, tuple):
        each = _normaliser(options[0])
        return each and (lambda value: [*map(each, value)] if value and isinstance(value, list) else value)
    if get_origin(kind) is dict:
        return _without_nulls
    return _with_offset if kind is datetime else None


def _fields_of(cls: Any) -> "tuple[attrs.Attribute[Any], ...]":
    return tuple(field for field in attrs.fields(cls) if field.name != _EXTRA)


def _null_is_absent(field: "attrs.Attribute[Any]") -> bool:
    """Whether the field comes to the same if it is ``null`` or left out."""
    return field.default is None and NoneType in get_args(field.type)


def _record_normaliser(cls: Any) -> _Normaliser:
    """Drop nulls, and move what the record does not know into ``extra``, a field called ``extra`` too."""
    fields = _fields_of(cls)
    known = frozenset(field.name for field in fields)
    never_null = tuple(field.name for field in fields if not _null_is_absent(field))
    every = [(field.name, _normaliser(cast("Any", field.type))) for field in fields]
    normalisers = tuple((name, normalise) for name, normalise in every if normalise is not None)

    def normalise(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        changed: dict[str, Any] = {}
        for name, of_field in normalisers:
            item = value.get(name)
            if item is not None and (new := of_field(item)) is not item:
                changed[name] = new
        if not known.issuperset(value):
            changed[_EXTRA] = {name: item for name, item in value.items() if name not in known}
        if changed:
            value = {**value, **changed}
        for name in never_null:
            if value.get(name, "") is None:
                value = {key: item for key, item in value.items() if key != name}
        return value

    return normalise


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict) or None not in value.values():
        return value
    return {name: item for name, item in value.items() if item is not None}


def _with_offset(value: Any) -> Any:
    """Read a timestamp without an offset as UTC."""
    if not isinstance(value, str) or value.endswith("Z") or _OFFSET.search(value):
        return value
    return value + "Z"


# The fast path for pages: half the processor time of a page of records in which nothing is unusual. Such a page is
# proved before it is used: a strict twin of the record refuses unknown fields, timestamps without an offset, and
# nulls that do not mean absence. Whatever the twin refuses is structured as above.

_Plain = bool | int | float | str | list[Any] | dict[str, Any]


@cache
def page_decoder(cls: Any, key: str) -> Callable[[bytes], tuple[tuple[Any, ...], dict[str, Any]] | None]:
    """Make a reader of pages: the records under ``key`` and the other members, or ``None`` for the slow path."""
    proof, decoder = (msgspec.json.Decoder(_page(kind)) for kind in (_twin(cls), cls))

    def read(body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        text = body.removeprefix(_BOM)
        try:
            proof.decode(text)
            page: dict[str, Any] = decoder.decode(text)
        except _UNREADABLE:
            return None
        items = page.pop(key, None)
        usual = isinstance(items, tuple) and page.keys().isdisjoint(("error", "errors"))
        return (items, page) if usual else None

    return read


def _page(kind: Any) -> Any:
    return dict[str, tuple[kind, ...] | dict[str, Any] | str | int | float | bool | None]


@cache
def _twin(kind: Any) -> Any:
    """Make a type that takes no more than ``kind`` does, nothing that has to be normalised, and never a null."""
    if attrs.has(kind):
        fields = [(field.name, *_twin_field(field)) for field in _fields_of(kind)]
        # Untracked by the garbage collector: no twin is kept, and none is part of a circle.
        return msgspec.defstruct(kind.__name__, fields, kw_only=True, forbid_unknown_fields=True, gc=False)
    if kind is datetime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    if kind is Any:
        return _Plain
    parts = tuple(_twin(part) for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) in (Union, UnionType):
        return Union[parts]  # noqa: UP007 - of what was found
    if Ellipsis in parts:
        return list[parts[0]]  # type: ignore[valid-type]  # made faster than a tuple
    return get_origin(kind)[parts] if parts else kind


def _twin_field(field: "attrs.Attribute[Any]") -> tuple[Any, ...]:
    """The type of a field and, if it may be left out, a default."""
    twin = _twin(cast("Any", field.type))
    if field.default is attrs.NOTHING:
        return (twin,)
    return (twin | None if _null_is_absent(field) else twin, None)
