"""A lead becomes a row: checked in every field, canonical, encoded once to the bytes that will be sent.

One schema decides, for many leads at a time. A lead that it does not take as it came, because it is a bare number,
another mapping or has text of a subclass, is normalised and tried once more. What it refuses then is explained by
``_fault_in``, which names the field and the reason and accepts nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, ClassVar

import attrs
import msgspec
from attrs import frozen
from msgspec import Meta

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.convert import encode_lines
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.rows import Operation, Row, Submission
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate
from voiso_async.phone import PhoneFault, are_canonical, canonical

MAX_NAME = 1000
MAX_URL = 2083
MAX_KEY = 256
MAX_HEADERS = 64
MAX_HEADER_NAME = 128
MAX_HEADER = 1024
MAX_LEAD = 64 * 1024
MAX_PRIORITY = 1000

# Control, bidi, line and paragraph separators, lone surrogates: none of them belongs in one line of text, and
# header values become SIP headers behind the API.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
URL = re.compile(r"https?://[^\s@/?#\\<>\"]+([/?#][^\s\\<>\"]*)?", re.IGNORECASE)
HEADER_NAME = re.compile(r"X-[A-Za-z0-9\-_.!~*+]+")

_BACKSLASH, _DELETE = ord("\\"), 0x7F  # a search for one byte is seven times as fast as one for many
_BARE = (str, int, float)

# The schema

_Text = Annotated[str, Meta(max_length=MAX_NAME)]
_Headers = dict[Annotated[str, Meta(max_length=MAX_HEADER_NAME)], Annotated[str, Meta(max_length=MAX_HEADER)]]


class _Source(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    system: _Text | None = None
    url: Annotated[str, Meta(max_length=MAX_URL)] | None = None


class _Update(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields in the order in which they are sent; ``key`` is taken out before that."""

    phone_number: str
    name: _Text | None = None
    source: _Source | None = None
    priority: Annotated[int, Meta(ge=1, le=MAX_PRIORITY)] | None = None
    active: bool | None = None
    key: Annotated[str, Meta(max_length=MAX_KEY)] | None = None


class _Add(_Update, forbid_unknown_fields=True, omit_defaults=True):
    context_headers: Annotated[_Headers, Meta(max_length=MAX_HEADERS)] | None = None


class _Schema(Struct, frozen=True):
    """What leads of an operation look like: one and many as the schema has them, and as our own record."""

    one: type[_Update]
    many: type[list[Any]]
    record: type
    names: tuple[str, ...]


_COMMON = ("name", "source", "priority", "active")  # an update changes nothing else
_SCHEMAS = {
    Operation.ADD: _Schema(_Add, list[_Add], Lead, (*_COMMON, "context_headers")),
    Operation.UPDATE: _Schema(_Update, list[_Update], LeadUpdate, _COMMON),
}

Prepared = tuple[str, bytes, str | None]
"""What a row needs of a lead: canonical digits, the exact JSON, the caller's own key."""

# What readers of files give in place of a lead


@frozen(kw_only=True)
class InvalidLead:
    """What a reader yields in place of a lead that is never sent: ``outcome`` is INVALID or SUPPRESSED.

    ``phone`` is the canonical number, if there is one.
    """

    field: str
    reason: str
    detail: str = attrs.field(repr=False)
    key: str | None = attrs.field(default=None, repr=False)
    phone: str | None = attrs.field(default=None, repr=False)
    outcome: Outcome = Outcome.INVALID

    def at(self, index: int) -> LeadOutcome:
        """Give the outcome of the row with this index."""
        return LeadOutcome(
            index=index,
            outcome=self.outcome,
            phone=self.phone,
            key=self.key,
            reason=self.reason,
            field=self.field,
            detail=self.detail,
        )


class FileRow(RedactedRepr, Struct, frozen=True, kw_only=True):
    """A lead with the place it was read from: its ``row`` in the file, the ``cells`` of that row as they were.

    ``campaign`` is the id in a column of the file that assigns each row to a campaign.
    """

    lead: Any
    row: int
    cells: tuple[str, ...] = ()
    campaign: int | str | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"lead", "cells"}


def prepare(leads: Sequence[Any], first: int, operation: Operation, owner: Submission) -> list[Row | LeadOutcome]:
    """Make a row of each ``Lead``, mapping or bare phone number, or say why it is INVALID; ``first`` is an index.

    Never raises for any input; the outcome names the field, a reason code and what to do.
    """
    leads = [lead.lead if isinstance(lead, FileRow) else lead for lead in leads]
    found = accept(leads, operation)
    normalised: dict[int, dict[str, Any] | _Fault] = {}
    if not all(found):
        normalised = {
            place: _normalised(leads[place], operation) for place, one in enumerate(found) if one is None
        }
        for place, one in zip(normalised, accept(list(normalised.values()), operation), strict=True):
            found[place] = one
    return [
        _refusal(leads[place], first + place, normalised[place], operation)
        if one is None
        else Row(first + place, one[0], one[1], one[2], owner)
        for place, one in enumerate(found)
    ]


def _refusal(lead: Any, index: int, fields: "dict[str, Any] | _Fault", operation: Operation) -> LeadOutcome:
    if isinstance(lead, InvalidLead):
        return lead.at(index)
    if isinstance(fields, _Fault):
        return LeadOutcome(
            index=index, outcome=Outcome.INVALID, reason=fields.reason, field=fields.field, detail=fields.detail
        )
    fault = _fault_in(fields, operation)
    phone, key = fields.get("phone_number"), fields.get("key")
    return LeadOutcome(
        index=index,
        outcome=Outcome.INVALID,
        phone=None if fault.field == "key" or _fault_in_phone(phone) else phone,
        key=None if _fault_in_key(key) else key,
        reason=fault.reason,
        field=fault.field,
        detail=fault.detail,
    )


# The one acceptor


def accept(leads: Sequence[Any], operation: Operation) -> list[Prepared | None]:
    """Check and encode dicts, records or bare numbers by the schema; ``None`` for each that it does not take."""
    schema = _SCHEMAS[operation]
    if operation is Operation.ADD and all(type(lead) is str for lead in leads):
        return [_number(lead) for lead in leads]
    found = [one if one is not None and _sound(one) else None for one in _with_phones(_converted(leads, schema))]
    sound = [one for one in found if one is not None]
    # All bodies are encoded in one call, so what must not be in them is taken out before.
    keys = [one.key for one in sound]
    for one in sound:
        one.key = None  # it is never sent
    made = [
        None if body is None else (one.phone_number, body, key)
        for one, body, key in zip(sound, _bodies(sound), keys, strict=True)
    ]
    if operation is Operation.UPDATE:
        made = [one if one and b"," in one[1] else None for one in made]  # a number alone changes nothing
    if len(made) == len(found):
        return made
    each = iter(made)
    return [None if one is None else next(each) for one in found]


def _number(text: str) -> Prepared | None:
    phone = canonical(text)
    return None if isinstance(phone, PhoneFault) else (phone, b'{"phone_number":"%b"}' % phone.encode(), None)


def _converted(leads: Sequence[Any], schema: _Schema) -> Sequence[_Update | None]:
    """Convert all together, which is ten times as fast; if that fails, each alone."""
    try:
        if all(_is_plain(lead, schema.record) for lead in leads):
            many: list[_Update] = msgspec.convert(leads, schema.many, from_attributes=True)
            return many
    except Exception:  # noqa: BLE001, S110 - a hostile mapping may raise anything: see which one it is
        pass
    return [_converted_alone(lead, schema) for lead in leads]


def _converted_alone(lead: Any, schema: _Schema) -> _Update | None:
    try:
        plain = _is_plain(lead, schema.record)
        return msgspec.convert(lead, schema.one, from_attributes=True) if plain else None
    except Exception:  # noqa: BLE001 - as above
        return None


def _is_plain(lead: Any, record: type) -> bool:
    """Whether it and its parts are of the types themselves: ``convert`` also takes what is derived from them."""
    kind = type(lead)
    if kind is dict:
        priority, source, headers = lead.get("priority"), lead.get("source"), lead.get("context_headers")
    elif kind is record:
        priority, source, headers = lead.priority, lead.source, getattr(lead, "context_headers", None)
    else:
        return False
    return (
        (priority is None or type(priority) is int)
        and (source is None or type(source) is dict or type(source) is LeadSource)
        and (headers is None or type(headers) is dict)
    )


def _with_phones(found: Sequence[_Update | None]) -> Sequence[_Update | None]:
    """Make phones canonical; ``None`` for what has none."""
    if are_canonical([one.phone_number for one in found if one is not None]):
        return found
    return [None if one is None else _with_phone(one) for one in found]


def _with_phone(found: _Update) -> _Update | None:
    phone = canonical(found.phone_number)
    if isinstance(phone, PhoneFault):
        return None
    found.phone_number = phone
    return found


def _sound(found: _Update) -> bool:
    """Check what the schema cannot say: patterns, and exact types, since an enum would be sent as its value."""
    name, source, key = found.name, found.source, found.key
    if type(found.phone_number) is not str or (name is not None and type(name) is not str):
        return False
    if source is not None and not _sound_source(source):
        return False
    if key is not None and (type(key) is not str or HIDDEN.search(key)):
        return False
    headers = found.context_headers if type(found) is _Add else None
    return headers is None or _sound_headers(headers)


def _sound_source(source: _Source) -> bool:
    system, url = source.system, source.url
    return (system is None or type(system) is str) and (
        url is None or (type(url) is str and URL.fullmatch(url) is not None)
    )


def _sound_headers(headers: dict[str, str]) -> bool:
    for name, value in headers.items():
        if type(name) is not str or type(value) is not str or HEADER_NAME.fullmatch(name) is None:
            return False
    return True


def _bodies(found: Sequence[_Update]) -> list[bytes | None]:
    """Encode all together; ``None`` for what must not be sent like that."""
    try:
        lines = encode_lines(found)
    except UnicodeEncodeError:  # a lone surrogate
        return [None] if len(found) == 1 else [body for one in found for body in _bodies([one])]
    bodies = lines.split(b"\n")
    bodies.pop()  # the last line is ended too
    clean = _shows_all(lines.replace(b"\n", b""))
    return [body if len(body) <= MAX_LEAD and (clean or _shows_all(body)) else None for body in bodies]


def _shows_all(body: bytes) -> bool:
    """Whether no hidden character is in it: those below the blank are escaped, others can be searched for."""
    if _BACKSLASH in body and _BACKSLASH in body.replace(rb"\\", b"").replace(rb"\"", b""):
        return False
    return _DELETE not in body if body.isascii() else HIDDEN.search(body.decode()) is None


# Other forms of a lead


def _normalised(lead: Any, operation: Operation) -> "dict[str, Any] | _Fault":
    """Give a lead of any form as a dict of plain values."""
    try:
        fields = _fields_of(lead, _SCHEMAS[operation].record)
        if fields is None:
            name = _SCHEMAS[operation].record.__name__
            return _Fault("lead", "wrong_type", f"give a {name}, a mapping or a phone number")
        phone = canonical(fields.get("phone_number"))
        if not isinstance(phone, PhoneFault):
            fields["phone_number"] = phone
        if type(fields.get("key")) is int:
            fields["key"] = str(fields["key"])
        if isinstance(fields.get("source"), LeadSource):
            fields["source"] = {"system": fields["source"].system, "url": fields["source"].url}
        return {name: _plain(value) for name, value in fields.items()}
    except Exception:  # noqa: BLE001 - a hostile mapping may raise anything
        return _Fault("lead", "unreadable", "reading this lead raised an error")


def _fields_of(lead: Any, record: type) -> dict[str, Any] | None:
    if isinstance(lead, _BARE):
        return {"phone_number": lead}
    if isinstance(lead, Mapping):
        return dict(lead)
    return {a.name: getattr(lead, a.name) for a in attrs.fields(record)} if isinstance(lead, record) else None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass only the true text counts
    if isinstance(value, Mapping):
        return {_plain(name): _plain(part) for name, part in value.items()}
    return value


# Why a lead is refused: the order of the checks is that of the fields, so that the first fault is named


class _Fault(Struct, frozen=True):
    field: str
    reason: str
    detail: str


def _fault_in(fields: Mapping[Any, Any], operation: Operation) -> _Fault:
    """Name what the schema refused."""
    schema = _SCHEMAS[operation]
    if fault := _fault_in_key(fields.get("key")) or _fault_in_phone(fields.get("phone_number")):
        return fault
    given = {name: value for name, value in fields.items() if name not in ("key", "phone_number")}
    for name, value in given.items():
        if name not in schema.names:
            shown = name if isinstance(name, str) and name.isidentifier() and len(name) < 40 else "(unnamed)"
            known = ", ".join(schema.names)
            return _Fault(shown, "unknown_field", f"known fields are phone_number, key, {known}")
        if value is not None and (fault := _CHECKS[name](value)):
            return fault
    if operation is Operation.UPDATE and all(value is None for value in given.values()):
        return _Fault("lead", "nothing_to_update", f"give at least one of {', '.join(schema.names)}")
    return _Fault("lead", "too_large", f"a lead may take {MAX_LEAD} bytes as JSON")


def _fault_in_phone(value: Any) -> _Fault | None:
    phone = canonical(value)
    return _Fault("phone_number", phone.value, phone.hint) if isinstance(phone, PhoneFault) else None


def _fault_in_key(value: Any) -> _Fault | None:
    return None if value is None else _fault_in_text("key", value, MAX_KEY)


def _fault_in_text(field: str, value: Any, longest: int) -> _Fault | None:
    if not isinstance(value, str):
        return _Fault(field, "wrong_type", "give text")
    if len(value) > longest:
        return _Fault(field, "too_long", f"at most {longest} characters")
    if HIDDEN.search(value):
        return _Fault(field, "hidden_character", "it holds a control character or an invisible one")
    return None


def _fault_in_priority(value: Any) -> _Fault | None:
    if type(value) is int and 1 <= value <= MAX_PRIORITY:
        return None
    return _Fault("priority", "out_of_range", f"a whole number from 1 to {MAX_PRIORITY}")


def _fault_in_source(value: Any) -> _Fault | None:
    if not isinstance(value, Mapping) or not set(value) <= {"system", "url"}:
        return _Fault("source", "wrong_type", "an object with system and url")
    system, url = value.get("system"), value.get("url")
    if system is not None and (fault := _fault_in_text("source.system", system, MAX_NAME)):
        return fault
    if url is not None and (fault := _fault_in_text("source.url", url, MAX_URL)):
        return fault
    if url is not None and not URL.fullmatch(url):
        return _Fault("source.url", "bad_url", "begin with http:// or https://; no user name, no blanks")
    return None


def _fault_in_headers(value: Any) -> _Fault | None:
    if not isinstance(value, Mapping):
        return _Fault("context_headers", "wrong_type", "an object of texts")
    if len(value) > MAX_HEADERS:
        return _Fault("context_headers", "too_many", f"at most {MAX_HEADERS} headers")
    for name, text in value.items():
        if not isinstance(name, str) or len(name) > MAX_HEADER_NAME or not HEADER_NAME.fullmatch(name):
            return _Fault("context_headers", "bad_header_name", "names begin with X- and have no blanks")
        if fault := _fault_in_text(f"context_headers.{name}", text, MAX_HEADER):
            return fault
    return None


_CHECKS: dict[str, Callable[[Any], _Fault | None]] = {
    "name": lambda value: _fault_in_text("name", value, MAX_NAME),
    "source": _fault_in_source,
    "priority": _fault_in_priority,
    "active": lambda value: None if isinstance(value, bool) else _Fault("active", "wrong_type", "True or False"),
    "context_headers": _fault_in_headers,
}
