"""Where the named values of a row stand: each alone in a column, or composed of several."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from attrs import frozen

from voiso_async.files.mapping import Template

__all__ = ["Places"]


@frozen
class Places:
    """The column of each name, or the template that makes its text of several columns."""

    alone: Sequence[tuple[str, int]]
    composed: Sequence[tuple[str, Template]]

    @classmethod
    def of(cls, places: Mapping[str, int | Template]) -> Self:
        """Tell the two kinds apart once, not for every row."""
        return cls(
            [(name, place) for name, place in places.items() if isinstance(place, int)],
            [(name, place) for name, place in places.items() if isinstance(place, Template)],
        )

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Give a row's texts by name; blank ones are left out."""
        found = {name: text for name, place in self.alone if (text := cells[place].strip())}
        if self.composed:
            found |= self._composed(cells)
        return found

    def values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Give a row's values by name as they are; what is absent or empty is left out."""
        found = {name: value for name, place in self.alone if (value := cells[place]) not in (None, "")}
        return found | self._composed(cells)

    def _composed(self, cells: Sequence[Any]) -> dict[str, str]:
        return {name: text for name, template in self.composed if (text := template.fill(cells))}
