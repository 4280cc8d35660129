"""A caller's own mapping: which column, or which template of columns, is which field."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.names import NAMES, listed, shown, squeezed
from voiso_async.ingest.usual import HEADER_NAME

__all__ = [
    "CAMPAIGN",
    "HEADERS",
    "OTHER_NAME",
    "Template",
    "checked_mapping",
    "columns_named",
    "find_column",
    "templates_of",
]

CAMPAIGN = "campaign"
HEADERS = "context_headers."
OTHER_NAME = "name (if no first or last name is given)"
"""The column of a name that may not be the person's own, such as the account's."""
FIELDS = (*NAMES, "source")

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@frozen
class Template:
    """Texts around columns: ``texts[0]``, the column at ``places[0]``, ``texts[1]`` and so on."""

    texts: tuple[str, ...]
    places: tuple[int, ...]

    def fill(self, cells: Sequence[Any]) -> str:
        """Put a row's cells in; empty if all of them are, and blanks that an empty one leaves are closed up."""
        parts = [_text(cells[place]) for place in self.places]
        if not any(parts):
            return ""
        whole = self.texts[0] + "".join(part + text for part, text in zip(parts, self.texts[1:], strict=True))
        return " ".join(whole.split()) if not all(parts) else whole.strip()


def checked_mapping(mapping: Mapping[str, str] | None) -> dict[str, str]:
    """Check the fields of a mapping, before any file is opened; ``ConfigurationError`` names one there is not."""
    checked = {}
    for field, value in (mapping or {}).items():
        if not isinstance(field, str) or not isinstance(value, str) or not value.strip():
            raise ConfigurationError("a mapping gives each field the name of its column, or a template")
        header = HEADER_NAME.fullmatch(field.removeprefix(HEADERS)) if field.startswith(HEADERS) else None
        if field not in FIELDS and not header:
            raise ConfigurationError(
                f"there is no field {shown(field)!r} to map: there are {', '.join(FIELDS)} and {HEADERS}X-…"
            )
        checked["source.system" if field == "source" else field] = value
    return checked


def templates_of(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int | Template]:
    """Find the columns of a mapping in a header: a place if it names one column, else a template."""
    return {field: _read(header, field, value) for field, value in mapping.items()}


def columns_named(mapping: Mapping[str, str]) -> list[str]:
    """List the columns that a mapping speaks of."""
    return [
        name
        for value in mapping.values()
        for name in ([part[1] for part in _PART.finditer(value) if part[1] is not None] or [value])
    ]


def find_column(header: Sequence[str], name: str) -> int | None:
    """Find a column by its exact name, else by what it means without case, accents and blanks."""
    exact = [place for place, title in enumerate(header) if title.strip() == name.strip()]
    if len(exact) == 1:
        return exact[0]
    alike = [place for place, title in enumerate(header) if name.strip() and squeezed(title) == squeezed(name)]
    return alike[0] if len(alike) == 1 else None


def _read(header: Sequence[str], field: str, value: str) -> int | Template:
    place = find_column(header, value)
    if place is not None:
        return place
    texts, places, text, end = [], [], "", 0
    for part in _PART.finditer(value):
        text += value[end : part.start()]
        end = part.end()
        if part[0] in {"{{", "}}"}:
            text += part[0][0]
        elif part[1] is None:
            raise ConfigurationError(f"the template of {field} has a single {{ or }}: write it twice")
        else:
            places.append(_place(header, field, part[1]))
            texts.append(text)
            text = ""
    if not places:
        raise _no_column(header, field, value)
    return Template((*texts, text + value[end:]), tuple(places))


def _place(header: Sequence[str], field: str, name: str) -> int:
    place = find_column(header, name)
    if place is None:
        raise _no_column(header, field, name)
    return place


def _no_column(header: Sequence[str], field: str, name: str) -> InputFileError:
    return InputFileError(
        f"no one column is named {shown(name)!r}, as the mapping of {field} says; there are {listed(header)}",
        row=1,
        column=shown(name),
        reason="no_such_column",
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if type(value) in {int, float} else ""
