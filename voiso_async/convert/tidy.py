"""What an answer may hold and a record may not, put in order: nulls, unknown fields, timestamps without an offset.

A tidier is a walk by a table made once for each type. It copies only what it changes.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, cast, get_args, get_origin

import attrs

__all__ = ["EXTRA", "Tidier", "known_fields", "null_is_absent", "tidier"]

EXTRA = "extra"
OFFSET = re.compile(r"([Zz]|[+-]\d\d:?\d\d)$")

Tidier = Callable[[Any], Any]


@cache
def tidier(kind: Any) -> Tidier | None:
    """Build the walk through values of one type; ``None`` where there is nothing to tidy."""
    options = [option for option in get_args(kind) if option is not NoneType]
    if NoneType in get_args(kind) and len(options) == 1:
        return tidier(options[0])
    if attrs.has(kind):
        return _tidy_record(kind)
    if get_origin(kind) in (list, tuple):
        return _tidy_items(tidier(options[0]))
    if get_origin(kind) is dict:
        return _without_nulls
    return _aware if kind is datetime else None


def known_fields(cls: Any) -> "tuple[attrs.Attribute[Any], ...]":
    """Give the fields that an answer may fill: all but ``extra``."""
    return tuple(field for field in attrs.fields(cls) if field.name != EXTRA)


def null_is_absent(field: "attrs.Attribute[Any]") -> bool:
    """Whether the field comes to the same if it is ``null`` or left out."""
    return field.default is None and NoneType in get_args(field.type)


def _tidy_record(cls: Any) -> Tidier:
    """Drop nulls, and move what the record does not know into ``extra``, a field called ``extra`` too."""
    fields = known_fields(cls)
    known = frozenset(field.name for field in fields)
    never_null = tuple(field.name for field in fields if not null_is_absent(field))
    tidiers: list[tuple[str, Tidier | None]] = [(field.name, tidier(cast("Any", field.type))) for field in fields]
    walks = tuple((name, walk) for name, walk in tidiers if walk is not None)

    def tidy(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        tidied: dict[str, Any] = {}
        for name, walk in walks:
            item = value.get(name)
            if item is not None and (tidy_item := walk(item)) is not item:
                tidied[name] = tidy_item
        if not known.issuperset(value):
            tidied[EXTRA] = {name: item for name, item in value.items() if name not in known}
        if tidied:
            value = {**value, **tidied}
        for name in never_null:
            if value.get(name, "") is None:
                value = {key: item for key, item in value.items() if key != name}
        return value

    return tidy


def _tidy_items(walk: Tidier | None) -> Tidier | None:
    if walk is None:
        return None
    return lambda value: [walk(item) for item in value] if value and isinstance(value, list) else value


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict) or None not in value.values():
        return value
    return {name: item for name, item in value.items() if item is not None}


def _aware(value: Any) -> Any:
    """Give a timestamp without an offset the one of UTC (contract 4)."""
    if not isinstance(value, str) or value.endswith("Z") or OFFSET.search(value):
        return value
    return value + "Z"
