"""Which column of a file is which field of a lead: the caller's own mapping, and for the rest the aliases."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from attrs import Factory, frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.columns.aliases import (
    ALIASES,
    FALLBACK_NAMES,
    RESULT_COLUMNS,
    columns_by_alias,
    join_names,
    normalised,
    safe_name,
)
from voiso_async.files.columns.cells import Cell
from voiso_async.ingest.prepare import HEADER_NAME

CAMPAIGN = "campaign"
HEADERS = "context_headers."
OTHER_NAME = "name (if no first or last name is given)"
"""The column of a name that may not be the person's own, such as the account's."""
FIELDS = (*ALIASES, "source")

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME_PARTS = {"first_name", "last_name"}
_RESULT_NAMES = {normalised(name) for name in RESULT_COLUMNS}
_OUTCOME_NAMES = {"voisooutcome", "voisoreason", "outcome", "reason"}
"""Columns of rejects and results that say why a row was not sent."""


@frozen
class Template:
    """Texts around columns: ``texts[0]``, the column at ``columns[0]``, ``texts[1]`` and so on."""

    texts: tuple[str, ...]
    columns: tuple[int, ...]

    def fill(self, cells: Sequence[Any]) -> str:
        """Insert the cells of a row. Empty if all of them are; blanks around an empty cell collapse."""
        parts = [_text(cells[column]) for column in self.columns]
        if not any(parts):
            return ""
        whole = self.texts[0] + "".join(part + text for part, text in zip(parts, self.texts[1:], strict=True))
        return " ".join(whole.split()) if not all(parts) else whole.strip()


ColumnRef = int | Template
"""The index of a column, or a template of several."""


@frozen
class ColumnRefs:
    """Named references to columns. The two kinds are separated once, not for every row."""

    single: Sequence[tuple[str, int]]
    composed: Sequence[tuple[str, Template]]

    @classmethod
    def of(cls, refs: Mapping[str, ColumnRef]) -> Self:
        """Separate the columns from the templates."""
        return cls(
            [(name, ref) for name, ref in refs.items() if isinstance(ref, int)],
            [(name, ref) for name, ref in refs.items() if isinstance(ref, Template)],
        )

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the texts of a row by name, without blank ones."""
        found = {name: text for name, column in self.single if (text := cells[column].strip())}
        if self.composed:
            found |= self._composed(cells)
        return found

    def values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Return the values of a row by name, unchanged, without absent and empty ones."""
        found = {name: value for name, column in self.single if (value := cells[column]) not in (None, "")}
        return found | self._composed(cells)

    def _composed(self, cells: Sequence[Any]) -> dict[str, str]:
        return {name: text for name, template in self.composed if (text := template.fill(cells))}


@frozen(kw_only=True)
class ColumnOptions:
    """What a caller says about columns: a mapping, and which ones hold the key and the campaign."""

    mapping: Mapping[str, str] = Factory(dict)
    key_column: str | None = None
    campaign_column: str | None = None


@frozen(kw_only=True)
class ColumnSummary:
    """What the columns of a file mean.

    ``layout`` says how they were found, ``recognised`` which column, or columns, became which field, ``unused``
    names the columns without a meaning. In JSON Lines both grow with the objects that were read.
    """

    layout: str = "by the names in the first row"
    recognised: Mapping[str, str] = Factory(dict)
    unused: tuple[str, ...] = ()


@frozen(kw_only=True)
class ColumnMap:
    """Where the fields and context headers stand in a row."""

    fields: Mapping[str, ColumnRef]
    headers: Mapping[str, ColumnRef]
    summary: ColumnSummary
    outcome_columns: tuple[int, ...] = ()
    """Where an earlier report may say that a row was suppressed."""

    @classmethod
    def of(cls, header: Sequence[str], options: ColumnOptions | None = None, *, layout: str = "") -> "ColumnMap":
        """Read a header: the caller's options first, then the aliases.

        Columns named ``X-…`` become context headers.

        Raises:
            InputFileError: Two columns have one name, or it is unclear which one holds the phone number.
        """
        names = [normalised(name) for name in header]
        requested = _requested(header, options or ColumnOptions())
        if "phone_number" not in requested:
            _check_phone(header, names)
        fields: dict[str, ColumnRef] = {
            field: found[0] for field, found in columns_by_alias(names).items() if found
        }
        fields |= {field: ref for field, ref in requested.items() if not field.startswith(HEADERS)}
        fields = _choose_names(fields, names, requested)
        headers: dict[str, ColumnRef] = {
            _header_name(name): column for column, name in enumerate(header) if _is_header(name)
        }
        headers |= {
            field.removeprefix(HEADERS): ref for field, ref in requested.items() if field.startswith(HEADERS)
        }
        used = {column for ref in (*fields.values(), *headers.values()) for column in _columns_of(ref)}
        _refuse_repeats(header, names, used)
        summary = ColumnSummary(
            recognised=_describe(header, fields, headers),
            unused=tuple(
                safe_name(name)
                for column, name in enumerate(header)
                if column not in used and name.strip() and names[column] not in _RESULT_NAMES
            ),
            **({"layout": layout} if layout else {}),
        )
        outcomes = tuple(column for column, name in enumerate(names) if name in _OUTCOME_NAMES)
        return cls(fields=fields, headers=headers, summary=summary, outcome_columns=outcomes)

    @cached_property
    def phone_columns(self) -> tuple[int, ...]:
        """The column of the phone number, or the columns that compose it."""
        return _columns_of(self.fields["phone_number"])

    @cached_property
    def _field_refs(self) -> ColumnRefs:
        return ColumnRefs.of({field: ref for field, ref in self.fields.items() if field != "phone_number"})

    @cached_property
    def _header_refs(self) -> ColumnRefs:
        return ColumnRefs.of(self.headers)

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the texts of a row by field, without blank ones, context headers and the phone number."""
        return self._field_refs.texts(cells)

    def header_texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the texts of a row's context headers, without blank ones."""
        return self._header_refs.texts(cells)

    def values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Return the values of a row by field, unchanged, without absent and empty ones."""
        return self._field_refs.values(cells)

    def header_values(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Return the values of a row's context headers, without absent and blank ones."""
        values = self._header_refs.values(cells).items()
        stripped = [(name, value.strip() if isinstance(value, str) else value) for name, value in values]
        return {name: value for name, value in stripped if value != ""}

    def phone(self, cells: Sequence[Any]) -> Any:
        """Return the cell of the phone number; of a composed one, the first damaged part."""
        ref = self.fields["phone_number"]
        if isinstance(ref, int):
            return cells[ref]
        damaged = (cells[column] for column in ref.columns if isinstance(cells[column], Cell))
        return next(damaged, None) or ref.fill(cells)


def check_mapping(mapping: Mapping[str, str] | None) -> dict[str, str]:
    """Check the fields of a mapping before any file is opened; ``ConfigurationError`` names an unknown one."""
    checked = {}
    for field, value in (mapping or {}).items():
        if not isinstance(field, str) or not isinstance(value, str) or not value.strip():
            raise ConfigurationError("a mapping gives each field the name of its column, or a template")
        header = HEADER_NAME.fullmatch(field.removeprefix(HEADERS)) if field.startswith(HEADERS) else None
        if field not in FIELDS and not header:
            raise ConfigurationError(
                f"there is no field {safe_name(field)!r} to map: there are {', '.join(FIELDS)} and {HEADERS}X-…"
            )
        checked["source.system" if field == "source" else field] = value
    return checked


def resolve_mapping(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, ColumnRef]:
    """Find the columns of a mapping in a header."""
    return {field: _resolve(header, field, value) for field, value in mapping.items()}


def columns_named(mapping: Mapping[str, str]) -> list[str]:
    """List the columns that a mapping names, also inside templates."""
    return [
        name
        for value in mapping.values()
        for name in ([part[1] for part in _PART.finditer(value) if part[1] is not None] or [value])
    ]


def find_column(header: Sequence[str], name: str) -> int | None:
    """Find a column by its exact name, else by its normalised name; ``None`` unless exactly one fits."""
    exact = [column for column, title in enumerate(header) if title.strip() == name.strip()]
    if len(exact) == 1:
        return exact[0]
    alike = [
        column for column, title in enumerate(header) if name.strip() and normalised(title) == normalised(name)
    ]
    return alike[0] if len(alike) == 1 else None


def has_phone_column(first: Sequence[str], options: ColumnOptions) -> bool:
    """Tell whether a row names the column of the phone number, by the caller's mapping or by an alias."""
    if "phone_number" in options.mapping:
        try:
            resolve_mapping(first, {"phone_number": options.mapping["phone_number"]})
        except InputFileError:
            return False
        return True
    return bool(columns_by_alias([normalised(name) for name in first])["phone_number"])


def _requested(header: Sequence[str], options: ColumnOptions) -> dict[str, ColumnRef]:
    requested = resolve_mapping(header, options.mapping)
    for field, name in (("key", options.key_column), (CAMPAIGN, options.campaign_column)):
        if name is not None:
            requested[field] = _find_or_refuse(header, name)
    return requested


def _resolve(header: Sequence[str], field: str, value: str) -> ColumnRef:
    # a column may itself be named with braces: its name comes before the template
    column = find_column(header, value)
    if column is not None:
        return column
    texts, columns, text, end = [], [], "", 0
    for part in _PART.finditer(value):
        text += value[end : part.start()]
        end = part.end()
        if part[0] in {"{{", "}}"}:
            text += part[0][0]
        elif part[1] is None:
            raise ConfigurationError(f"the template of {field} has a single {{ or }}: write it twice")
        else:
            columns.append(_find_or_refuse(header, part[1], field))
            texts.append(text)
            text = ""
    if not columns:
        raise _no_column(header, value, field)
    return Template((*texts, text + value[end:]), tuple(columns))


def _find_or_refuse(header: Sequence[str], name: str, field: str | None = None) -> int:
    column = find_column(header, name)
    if column is None:
        raise _no_column(header, name, field)
    return column


def _no_column(header: Sequence[str], name: str, field: str | None) -> InputFileError:
    source = "" if field is None else f", as the mapping of {field} says"
    return InputFileError(
        f"no one column is named {safe_name(name)!r}{source}; there are {join_names(header)}",
        row=1,
        column=safe_name(name),
        reason="no_such_column",
    )


def _choose_names(
    fields: Mapping[str, ColumnRef], names: Sequence[str], requested: Container[str]
) -> dict[str, ColumnRef]:
    """Choose between a column of whole names, and those of first and last names, where there are both.

    The caller's mapping wins. The name of an account or a contact is used only where the person's own is empty;
    first and last name only where a whole name is.
    """
    parts = fields.keys() & _NAME_PARTS
    own_parts = any(part in requested for part in _NAME_PARTS)
    if "name" in requested and not own_parts:
        return {field: ref for field, ref in fields.items() if field not in parts}
    ref = fields.get("name")
    if not parts or not isinstance(ref, int) or "name" in requested:
        return dict(fields)
    if names[ref] in FALLBACK_NAMES or own_parts:
        return {OTHER_NAME if field == "name" else field: ref for field, ref in fields.items()}
    return dict(fields)


def _refuse_repeats(header: Sequence[str], names: Sequence[str], used: Iterable[int]) -> None:
    """Refuse a second column of a name that means a field: nobody can tell which one is right."""
    seen: set[str] = set()
    needed = {names[column] for column in used}
    for name, title in zip(names, header, strict=True):
        if name in seen and name in needed:
            raise InputFileError(
                f"two columns are named {safe_name(title)!r}: rename or remove one",
                row=1,
                column=safe_name(title),
                reason="duplicate_column",
            )
        seen.add(name)


def _check_phone(header: Sequence[str], names: Sequence[str]) -> None:
    rivals = columns_by_alias(names)["phone_number"]
    if not rivals:
        raise InputFileError(
            f"no column holds the phone number; there are {join_names(header)}: name the right one phone_number, "
            "or map it",
            row=1,
            reason="no_phone_column",
        )
    if len(rivals) > 1 and names[rivals[0]] != "phonenumber":
        titles = " and ".join(repr(safe_name(header[column])) for column in rivals)
        raise InputFileError(
            f"the columns {titles} could each be the phone number: name the right one phone_number, or map it",
            row=1,
            column=safe_name(header[rivals[0]]),
            reason="ambiguous_phone_column",
        )


def _is_header(name: str) -> bool:
    if not name.strip().casefold().startswith("x-"):
        return False
    if not HEADER_NAME.fullmatch(_header_name(name)):
        raise InputFileError(
            f"the column {safe_name(name)!r} cannot be a context header: after X- come letters, digits, -_.!~*+",
            row=1,
            column=safe_name(name),
            reason="bad_header_name",
        )
    return True


def _header_name(name: str) -> str:
    return "X-" + name.strip()[2:]


def _columns_of(ref: ColumnRef) -> tuple[int, ...]:
    return (ref,) if isinstance(ref, int) else ref.columns


def _describe(
    header: Sequence[str], fields: Mapping[str, ColumnRef], headers: Mapping[str, ColumnRef]
) -> dict[str, str]:
    refs = dict(fields) | {HEADERS + name: ref for name, ref in headers.items()}
    return {
        field: " + ".join(safe_name(header[column]) for column in _columns_of(ref)) for field, ref in refs.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if type(value) in {int, float} else ""
