"""Structs for the values that are made for every lead, and for those that every import defines.

Both cost a fraction of what attrs would take. What a vendor sends and what a caller configures are attrs classes.
"""

from collections.abc import Set as AbstractSet
from typing import ClassVar

from msgspec import Struct, field
from msgspec.structs import asdict, replace

__all__ = ["Discreet", "Struct", "asdict", "field", "replace"]


class Discreet(Struct, frozen=True):
    """A value whose ``repr`` leaves out what no log may receive, or what would fill it."""

    _hidden: ClassVar[AbstractSet[str]] = frozenset()

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self._hidden]
        return f"{type(self).__name__}({', '.join(shown)})"
