"""Usual leads, checked and encoded many at a time; whatever is unusual about one is left to the careful way.

Exactly as strict as that way (``row.prepare``), with the same bytes: it only says yes more quickly.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct, convert

from voiso_async.convert import encode_lines
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate
from voiso_async.phone import PhoneFault, are_canonical, canonical

LONGEST_NAME = 1000
LONGEST_URL = 2083
LONGEST_KEY = 256
MOST_HEADERS = 64
LONGEST_HEADER_NAME = 128
LONGEST_HEADER = 1024
LARGEST_LEAD = 64 * 1024
LARGEST_PRIORITY = 1000  # contract 12.5

# Control, bidi, line and paragraph separators, lone surrogates: none of them belongs in one line of text, and
# header values become SIP headers behind the API.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
URL = re.compile(r"https?://[^\s@/?#\\<>\"]+([/?#][^\s\\<>\"]*)?", re.IGNORECASE)
HEADER_NAME = re.compile(r"X-[A-Za-z0-9\-_.!~*+]+")  # contract 6.1

BACKSLASH, DELETE = ord("\\"), 0x7F  # looking for a byte is seven times as fast as looking for bytes

_Text = Annotated[str, Meta(max_length=LONGEST_NAME)]
_Url = Annotated[str, Meta(max_length=LONGEST_URL)]
_HeaderName = Annotated[str, Meta(max_length=LONGEST_HEADER_NAME)]
_Header = Annotated[str, Meta(max_length=LONGEST_HEADER)]


class _Source(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    system: _Text | None = None
    url: _Url | None = None


class _Change(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """In the order in which fields are sent; ``key`` is taken out before that."""

    phone_number: str
    name: _Text | None = None
    source: _Source | None = None
    priority: Annotated[int, Meta(ge=1, le=LARGEST_PRIORITY)] | None = None
    active: bool | None = None
    key: Annotated[str, Meta(max_length=LONGEST_KEY)] | None = None


class _Lead(_Change, forbid_unknown_fields=True, omit_defaults=True):
    context_headers: Annotated[dict[_HeaderName, _Header], Meta(max_length=MOST_HEADERS)] | None = None


Usual: TypeAlias = tuple[str, bytes, str | None]
"""What a row needs of a lead: canonical digits, the exact JSON, the caller's own key."""


class _Form(Struct, frozen=True):
    """What leads of an operation look like: in a shape of ``convert``, one and many, and as our own record."""

    one: type[_Change]
    many: type[list[Any]]
    record: type


_LEADS, _CHANGES = _Form(_Lead, list[_Lead], Lead), _Form(_Change, list[_Change], LeadUpdate)


def usual_leads(leads: Sequence[Any]) -> list[Usual | None]:
    """Check and encode dicts, ``Lead``s or bare numbers to be added; ``None`` for each that is not as usual."""
    if all(type(lead) is str for lead in leads):
        return [_number(lead) for lead in leads]
    return _usual(leads, _LEADS)


def usual_changes(changes: Sequence[Any]) -> list[Usual | None]:
    """Check and encode dicts or ``LeadUpdate``s; ``None`` for each that is not as usual."""
    usual = _usual(changes, _CHANGES)
    return [one if one and b"," in one[1] else None for one in usual]  # a number alone changes nothing


def _number(text: str) -> Usual | None:
    phone = canonical(text)
    return None if isinstance(phone, PhoneFault) else (phone, b'{"phone_number":"%b"}' % phone.encode(), None)


def _usual(leads: Sequence[Any], form: _Form) -> list[Usual | None]:
    found = [one if one is not None and _sound(one) else None for one in _with_phones(_converted(leads, form))]
    sound = [one for one in found if one is not None]
    keys = [one.key for one in sound]
    for one in sound:
        one.key = None  # it is never sent
    made = [
        None if body is None else (one.phone_number, body, key)
        for one, body, key in zip(sound, _bodies(sound), keys, strict=True)
    ]
    if len(made) == len(found):
        return made
    each = iter(made)
    return [None if one is None else next(each) for one in found]


def _converted(leads: Sequence[Any], form: _Form) -> Sequence[_Change | None]:
    """Convert all together; if that fails, each alone."""
    try:
        together: list[_Change] | None = None
        if all(_plain(lead, form.record) for lead in leads):
            together = convert(leads, form.many, from_attributes=True)
    except Exception:  # noqa: BLE001 - a hostile mapping may raise anything
        together = None
    return together if together is not None else [_converted_alone(lead, form) for lead in leads]


def _converted_alone(lead: Any, form: _Form) -> _Change | None:
    try:
        return convert(lead, form.one, from_attributes=True) if _plain(lead, form.record) else None
    except Exception:  # noqa: BLE001 - as above
        return None


def _plain(lead: Any, record: type) -> bool:
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


def _with_phones(found: Sequence[_Change | None]) -> Sequence[_Change | None]:
    """Make phones canonical; ``None`` for what has none."""
    if are_canonical([one.phone_number for one in found if one is not None]):
        return found
    return [None if one is None else _with_phone(one) for one in found]


def _with_phone(found: _Change) -> _Change | None:
    phone = canonical(found.phone_number)
    if isinstance(phone, PhoneFault):
        return None
    found.phone_number = phone
    return found


def _sound(found: _Change) -> bool:
    """Check what the shape cannot say."""
    name, source, key = found.name, found.source, found.key
    if type(found.phone_number) is not str or (name is not None and type(name) is not str):
        return False  # an enum that is text would be written as its value
    if source is not None and not _sound_source(source):
        return False
    if key is not None and (type(key) is not str or HIDDEN.search(key)):
        return False
    headers = found.context_headers if type(found) is _Lead else None
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


def _bodies(found: Sequence[_Change]) -> list[bytes | None]:
    """Encode all together; ``None`` for what must not be sent like that."""
    try:
        lines = encode_lines(found)
    except UnicodeEncodeError:  # a lone surrogate
        return [None] if len(found) == 1 else [body for one in found for body in _bodies([one])]
    bodies = lines.split(b"\n")
    bodies.pop()  # the last line is ended too
    clean = _shows_all(lines.replace(b"\n", b""))
    return [body if len(body) <= LARGEST_LEAD and (clean or _shows_all(body)) else None for body in bodies]


def _shows_all(body: bytes) -> bool:
    """Whether no hidden character stands in it: below the blank they are escaped, and others stand out."""
    if BACKSLASH in body and BACKSLASH in body.replace(rb"\\", b"").replace(rb"\"", b""):
        return False
    return DELETE not in body if body.isascii() else HIDDEN.search(body.decode()) is None
