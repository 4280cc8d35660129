"""Structs for the values that are made for every lead, and for those that every import defines.

Both cost a fraction of what attrs would take. What a vendor sends and what a caller configures are attrs classes.
"""

from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import asdict, replace

__all__ = ["Discreet", "Struct", "asdict", "field", "replace"]


class Discreet:
    """Beside ``Struct``: no ``repr``, nor that of rich, shows what no log may receive, or what would fill it."""

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    _hidden: ClassVar[AbstractSet[str]] = frozenset()

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__rich_repr__()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self._hidden]
