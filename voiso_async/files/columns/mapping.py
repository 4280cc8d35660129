"""A caller's own mapping: which column, or which template of columns, is which field."""

import re
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, Self

from attrs import Factory, frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.columns.aliases import (
    NAMES,
    OTHERS_NAMES,
    RESULT_COLUMNS,
    listed,
    shown,
    squeezed,
    usual_places,
)
from voiso_async.files.columns.cells import Cell
from voiso_async.ingest.prepare import HEADER_NAME

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


_NAME_PARTS = {"first_name", "last_name"}
_IGNORED = {squeezed(name) for name in RESULT_COLUMNS}
_MARKS = {"voisooutcome", "voisoreason", "outcome", "reason"}
"""Columns of rejects and results that say why a row was not sent."""


@frozen(kw_only=True)
class Wishes:
    """What a caller says about columns: a mapping, and which ones hold the key and the campaign."""

    mapping: Mapping[str, str] = Factory(dict)
    key_column: str | None = None
    campaign_column: str | None = None


class Layout(Protocol):
    """What a file's columns mean, for a plan to show.

    ``layout`` says in a few words how they were found, ``recognised`` which column became which field, ``unused``
    names the columns that mean nothing here. Those of JSON Lines grow with the objects that were read.
    """

    @property
    def layout(self) -> str:
        """How the columns were found."""
        ...

    @property
    def recognised(self) -> Mapping[str, str]:
        """The column, or the template of columns, of each field."""
        ...

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns that mean nothing here."""
        ...


@frozen(kw_only=True)
class Columns:
    """Where the fields stand in a row: at a place, or in a template of several."""

    places: Mapping[str, int | Template]
    headers: Mapping[str, int | Template]
    recognised: Mapping[str, str] = Factory(dict)
    unused: tuple[str, ...] = ()
    layout: str = "by the names in the first row"
    marks: tuple[int, ...] = ()
    """Where it may be said that a row was suppressed before."""

    @classmethod
    def of(cls, header: Sequence[str], wishes: Wishes | None = None, *, layout: str = "") -> "Columns":
        """Read a header by a caller's wishes, and for the rest by the usual names, however they are written.

        Columns named ``X-…`` become context headers. ``InputFileError`` if two columns have one name, or if it is
        not clear which one holds the phone number.
        """
        wishes = wishes or Wishes()
        names = [squeezed(name) for name in header]
        wanted = _wanted(header, wishes)
        places: dict[str, int | Template] = {}
        places.update((field, found[0]) for field, found in usual_places(names).items() if found)
        places.update((field, place) for field, place in wanted.items() if not field.startswith(HEADERS))
        if "phone_number" not in wanted:
            _check_phone(header, names)
        places = _with_names(places, names, wanted)
        headers: dict[str, int | Template] = {}
        headers.update((_header_name(name), place) for place, name in enumerate(header) if _is_header(name))
        headers.update(
            (field.removeprefix(HEADERS), place) for field, place in wanted.items() if field.startswith(HEADERS)
        )
        used = _used([*places.values(), *headers.values()])
        _refuse_repeats(header, names, used)
        return cls(
            places=places,
            headers=headers,
            recognised=_described(header, places, headers),
            marks=tuple(place for place, name in enumerate(names) if name in _MARKS),
            unused=tuple(
                shown(name)
                for place, name in enumerate(header)
                if place not in used and name.strip() and names[place] not in _IGNORED
            ),
            **({"layout": layout} if layout else {}),
        )

    @cached_property
    def phone_places(self) -> tuple[int, ...]:
        """Where the parts of the phone number stand."""
        place = self.places["phone_number"]
        return (place,) if isinstance(place, int) else place.places

    @cached_property
    def _fields(self) -> Places:
        return Places.of({name: place for name, place in self.places.items() if name != "phone_number"})

    @cached_property
    def _headers(self) -> Places:
        return Places.of(self.headers)

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Give a row's texts by field, context headers and blank ones left out, without the phone number."""
        return self._fields.texts(cells)

    def header_texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Give the texts of a row's context headers; blank ones are left out."""
        return self._headers.texts(cells)

    def values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Give a row's values by field as they are; what is absent or empty is left out."""
        return self._fields.values(cells)

    def header_values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Give the values of a row's context headers; absent and blank ones are left out."""
        values = self._headers.values(cells).items()
        stripped = [(name, value.strip() if isinstance(value, str) else value) for name, value in values]
        return {name: value for name, value in stripped if value != ""}

    def phone(self, cells: Sequence[Any]) -> Any:
        """Give the cell of the phone number."""
        place = self.places["phone_number"]
        if isinstance(place, int):
            return cells[place]
        damaged = (cells[part] for part in place.places if isinstance(cells[part], Cell))
        return next(damaged, None) or place.fill(cells)


def _wanted(header: Sequence[str], wishes: Wishes) -> dict[str, int | Template]:
    wanted = templates_of(header, wishes.mapping)
    for own, name in (("key", wishes.key_column), (CAMPAIGN, wishes.campaign_column)):
        if name is not None:
            wanted[own] = _column(header, name)
    return wanted


def _column(header: Sequence[str], name: str) -> int:
    place = find_column(header, name)
    if place is None:
        raise InputFileError(
            f"no one column is named {shown(name)!r}; there are {listed(header)}",
            row=1,
            column=shown(name),
            reason="no_such_column",
        )
    return place


def names_the_phone(first: Sequence[str], wishes: Wishes) -> bool:
    """Tell whether a row names the column of the phone number, by a caller's mapping or by a usual name."""
    if "phone_number" in wishes.mapping:
        try:
            templates_of(first, {"phone_number": wishes.mapping["phone_number"]})
        except InputFileError:
            return False
        return True
    return bool(usual_places([squeezed(name) for name in first])["phone_number"])


def _with_names(
    places: Mapping[str, int | Template], names: Sequence[str], wanted: Mapping[str, int | Template]
) -> dict[str, int | Template]:
    """Choose between a column of whole names, and those of first and last names, where there are both.

    A caller's own mapping wins. An account's or a contact's name serves only where the person's own is empty;
    first and last name serve only where a whole name is.
    """
    parts = places.keys() & _NAME_PARTS
    if "name" in wanted and not wanted.keys() & _NAME_PARTS:
        return {field: place for field, place in places.items() if field not in parts}
    place = places.get("name")
    if not parts or not isinstance(place, int) or "name" in wanted:
        return dict(places)
    if names[place] in OTHERS_NAMES or wanted.keys() & _NAME_PARTS:
        return {OTHER_NAME if field == "name" else field: place for field, place in places.items()}
    return dict(places)


def _refuse_repeats(header: Sequence[str], names: Sequence[str], used: Container[int]) -> None:
    """Refuse a second column of a name that means a field: nobody can tell which one is right."""
    seen: set[str] = set()
    needed = {names[place] for place in range(len(names)) if place in used}
    for name, title in zip(names, header, strict=True):
        if name in seen and name in needed:
            raise InputFileError(
                f"two columns are named {shown(title)!r}: rename or remove one",
                row=1,
                column=shown(title),
                reason="duplicate_column",
            )
        seen.add(name)


def _check_phone(header: Sequence[str], names: Sequence[str]) -> None:
    rivals = usual_places(names)["phone_number"]
    if not rivals:
        raise InputFileError(
            f"no column holds the phone number; there are {listed(header)}: name the right one phone_number, "
            "or map it",
            row=1,
            reason="no_phone_column",
        )
    if len(rivals) > 1 and names[rivals[0]] != "phonenumber":
        titles = " and ".join(repr(shown(header[place])) for place in rivals)
        raise InputFileError(
            f"the columns {titles} could each be the phone number: name the right one phone_number, or map it",
            row=1,
            column=shown(header[rivals[0]]),
            reason="ambiguous_phone_column",
        )


def _is_header(name: str) -> bool:
    if not name.strip().casefold().startswith("x-"):
        return False
    if not HEADER_NAME.fullmatch(_header_name(name)):
        raise InputFileError(
            f"the column {shown(name)!r} cannot be a context header: after X- come letters, digits, -_.!~*+",
            row=1,
            column=shown(name),
            reason="bad_header_name",
        )
    return True


def _header_name(name: str) -> str:
    return "X-" + name.strip()[2:]


def _used(places: Sequence[int | Template]) -> set[int]:
    return {place for found in places for place in ((found,) if isinstance(found, int) else found.places)}


def _described(
    header: Sequence[str], places: Mapping[str, int | Template], headers: Mapping[str, int | Template]
) -> dict[str, str]:
    fields = dict(places) | {HEADERS + name: place for name, place in headers.items()}
    return {
        field: " + ".join(shown(header[at]) for at in ((place,) if isinstance(place, int) else place.places))
        for field, place in fields.items()
    }
