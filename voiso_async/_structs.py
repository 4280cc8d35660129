"""Structs for the values that are made for every lead, and for those that every import defines.

Both cost a fraction of what attrs would take. What a vendor sends and what a caller configures are attrs classes.
"""

from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from msgspec import Struct, field, to_builtins
from msgspec.structs import asdict, replace

__all__ = ["RedactedRepr", "Struct", "Value", "asdict", "field", "replace"]


class RedactedRepr:
    """Beside ``Struct``: hides the fields in ``_redacted`` from repr and rich, since no log may receive them."""

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    _redacted: ClassVar[AbstractSet[str]] = frozenset()

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__rich_repr__()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self._redacted]


class Value(RedactedRepr):
    """Beside ``Struct``: a value that users get."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as plain JSON values: times as ISO 8601, enums as their text, personal fields too."""
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.as_dict() if isinstance(value, Value) else to_builtins(value, str_keys=True)
