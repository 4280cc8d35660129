"""Which column of a file is which field of a lead, and what its cells mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from voiso_async.errors import InputFileError
from voiso_async.ingest.row import HEADER_NAME, InvalidLead
from voiso_async.phone import PhoneFault, canonical

__all__ = ["Columns"]

LONGEST_NATIONAL = 10
"""A number without ``+`` and with no more digits than this may well lack its country code."""
MOST_SHOWN = 20
LONGEST_SHOWN = 40
LONGEST_PRIORITY = 9

NAMES: Mapping[str, Sequence[str]] = {
    "phone_number": (
        "phonenumber",
        *("phone", "phoneno", "telephone", "telephonenumber", "tel", "msisdn", "number", "contactnumber"),
        *("mobile", "mobilephone", "mobilenumber", "cell", "cellphone", "cellnumber"),
    ),
    "name": ("name", "fullname", "contactname", "leadname", "displayname"),
    "first_name": ("firstname", "givenname", "forename"),
    "last_name": ("lastname", "familyname", "surname"),
    "source.system": ("sourcesystem", "source", "leadsource", "system"),
    "source.url": ("sourceurl", "url", "link"),
    "priority": ("priority",),
    "active": ("active", "isactive"),
    "key": ("key", "externalid", "crmid", "leadid", "contactid", "customerid", "id"),
}
"""The usual names of each field's column, the preferred one first."""

YES, NO = ("true", "yes", "y", "1", "on"), ("false", "no", "n", "0", "off")
FLAGS: dict[str, bool] = {word: words is YES for words in (YES, NO) for word in words}

_DROPPED = str.maketrans("", "", "_-.")


@frozen(kw_only=True)
class Columns:
    """Where the fields stand in a row; ``unused`` names the columns that mean nothing here."""

    places: Mapping[str, int]
    headers: Mapping[str, int]
    unused: tuple[str, ...]

    @classmethod
    def of(cls, header: Sequence[str]) -> "Columns":
        """Read a header by the usual names, whatever their case, blanks, dashes and underscores.

        Columns named ``X-…`` become context headers. ``InputFileError`` if two columns have one name, or if it is
        not clear which one holds the phone number.
        """
        names = [_squeezed(name) for name in header]
        _refuse_repeats(header, names)
        places = {field: names.index(found[0]) for field, found in _found(names).items() if found}
        _check_phone(header, names, places)
        headers = {_header_name(name): place for place, name in enumerate(header) if _is_header(name)}
        if "name" in places:
            places = {field: place for field, place in places.items() if field not in {"first_name", "last_name"}}
        used = {*places.values(), *headers.values()}
        unused = tuple(_shown(name) for place, name in enumerate(header) if place not in used and name.strip())
        return cls(places=places, headers=headers, unused=unused)

    def lead(self, cells: Sequence[str], row: int, *, international: bool) -> Mapping[str, Any] | InvalidLead:
        """Make a lead of a row's cells; without a key of its own, its key is ``row N``."""
        texts = {field: cells[place].strip() for field, place in self.places.items()}
        key = texts.pop("key", "") or f"row {row}"
        if not international and _is_national(texts["phone_number"]):
            detail = f"with at most {LONGEST_NATIONAL} digits the country code may be missing: write it, with a +"
            return InvalidLead(field="phone_number", reason="national_without_region", detail=detail, key=key)
        flag = texts.get("active", "").lower()
        if flag and flag not in FLAGS:
            detail = "write yes or no, true or false, 1 or 0"
            return InvalidLead(field="active", reason="not_a_flag", detail=detail, key=key)
        lead = {
            "phone_number": texts["phone_number"],
            "name": texts.get("name") or _joined(texts) or None,
            "source": _source(texts),
            "priority": _priority(texts.get("priority", "")),
            "active": FLAGS.get(flag),
            "context_headers": {name: text for name, at in self.headers.items() if (text := cells[at].strip())},
            "key": key,
        }
        return {field: value for field, value in lead.items() if value not in (None, {})}


def _squeezed(name: str) -> str:
    return "".join(name.casefold().split()).translate(_DROPPED)


def _found(names: Sequence[str]) -> dict[str, list[str]]:
    return {field: [name for name in usual if name in names] for field, usual in NAMES.items()}


def _refuse_repeats(header: Sequence[str], names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise InputFileError(
                f"two columns are named {_shown(header[place])!r}: rename or remove one",
                row=1,
                column=_shown(header[place]),
                reason="duplicate_column",
            )


def _check_phone(header: Sequence[str], names: Sequence[str], places: Mapping[str, int]) -> None:
    if "phone_number" not in places:
        raise _no_phone(header)
    rivals = [name for name in _found(names)["phone_number"] if name in names]
    if len(rivals) > 1 and "phonenumber" not in rivals:
        shown = " and ".join(repr(_shown(header[names.index(name)])) for name in rivals)
        raise InputFileError(
            f"the columns {shown} could each be the phone number: name the right one phone_number",
            row=1,
            column=_shown(header[places["phone_number"]]),
            reason="ambiguous_phone_column",
        )


def _no_phone(header: Sequence[str]) -> InputFileError:
    if any(not isinstance(canonical(name), PhoneFault) for name in header):
        return InputFileError(
            "the first row holds a phone number, so the names of the columns are missing: put a row such as "
            "phone_number,name above it",
            row=1,
            reason="no_header",
        )
    seen = [repr(_shown(name)) for name in header if name.strip()]
    more = f" and {len(seen) - MOST_SHOWN} more" if len(seen) > MOST_SHOWN else ""
    return InputFileError(
        f"no column holds the phone number; there are {', '.join(seen[:MOST_SHOWN])}{more}: name the right one "
        "phone_number",
        row=1,
        reason="no_phone_column",
    )


def _is_header(name: str) -> bool:
    if not name.strip().casefold().startswith("x-"):
        return False
    if not HEADER_NAME.fullmatch(_header_name(name)):
        raise InputFileError(
            f"the column {_shown(name)!r} cannot be a context header: after X- come letters, digits, -_.!~*+",
            row=1,
            column=_shown(name),
            reason="bad_header_name",
        )
    return True


def _header_name(name: str) -> str:
    return "X-" + name.strip()[2:]


def _shown(name: str) -> str:
    """Show a column's name in a message: one line, short, and no number that could be a phone's."""
    text = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    if sum(char.isdigit() for char in text) >= 7:
        return "(a number)"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _is_national(text: str) -> bool:
    phone = canonical(text)
    return isinstance(phone, str) and len(phone) <= LONGEST_NATIONAL and "+" not in text


def _joined(texts: Mapping[str, str]) -> str:
    return f"{texts.get('first_name', '')} {texts.get('last_name', '')}".strip()


def _source(texts: Mapping[str, str]) -> dict[str, str]:
    members = {"system": texts.get("source.system"), "url": texts.get("source.url")}
    return {name: text for name, text in members.items() if text}


def _priority(text: str) -> int | str | None:
    """Read a whole number; any other text stays as it is, and is refused with the reason when it is prepared."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_PRIORITY:
        return int(text)
    return text or None
