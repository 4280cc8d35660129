"""A lead becomes a row: checked in every field, canonical, encoded once to the bytes that will be sent."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

import attrs
from attrs import frozen

from voiso_async.convert import encode
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.rows import Operation, Row, Submission
from voiso_async.ingest.usual import (
    HEADER_NAME,
    HIDDEN,
    LARGEST_LEAD,
    LARGEST_PRIORITY,
    LONGEST_HEADER,
    LONGEST_HEADER_NAME,
    LONGEST_KEY,
    LONGEST_NAME,
    LONGEST_URL,
    MOST_HEADERS,
    URL,
    usual_changes,
    usual_leads,
)
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate
from voiso_async.phone import PhoneFault, canonical
from voiso_async.values import Discreet, Struct

_BARE = (str, int, float)


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


class FileRow(Discreet, Struct, frozen=True, kw_only=True):
    """A lead with the place it was read from: its ``row`` in the file, the ``cells`` of that row as they were.

    ``campaign`` is what a column of the file says, if one splits it over campaigns.
    """

    lead: Any
    row: int
    cells: tuple[str, ...] = ()
    campaign: int | str | None = None

    _hidden: ClassVar[AbstractSet[str]] = {"lead", "cells"}


class _Invalid(Exception):  # noqa: N818 - not an error: the way out of a checker
    def __init__(self, field: str, reason: str, detail: str) -> None:
        self.field, self.reason, self.detail = field, reason, detail


def prepare(leads: Sequence[Any], first: int, operation: Operation, owner: Submission) -> list[Row | LeadOutcome]:
    """Make a row of each ``Lead``, mapping or bare phone number, or say why it is INVALID; ``first`` is an index.

    Never raises for any input; the outcome names the field, a reason code and what to do.
    """
    leads = [lead.lead if isinstance(lead, FileRow) else lead for lead in leads]
    usual = usual_leads(leads) if operation is Operation.ADD else usual_changes(leads)
    return [
        _prepared(leads[place], first + place, operation, owner)
        if one is None
        else Row(first + place, one[0], one[1], one[2], owner)
        for place, one in enumerate(usual)
    ]


def _prepared(lead: Any, index: int, operation: Operation, owner: Submission) -> Row | LeadOutcome:
    """The careful way: it takes every form of a lead, and names what is wrong with one."""
    phone = key = None
    if isinstance(lead, InvalidLead):
        return lead.at(index)
    try:
        fields = _fields_of(lead, operation)
        key = _key(fields.pop("key", None))
        phone = _phone(fields.pop("phone_number", None))
        payload = _checked(fields, operation, {"phone_number": phone})
        return Row(index, phone, _encoded(payload), key, owner)
    except _Invalid as fault:
        found = fault
    except Exception:  # noqa: BLE001 - a hostile mapping may raise anything
        found = _Invalid("lead", "unreadable", "reading this lead raised an error")
    refused = InvalidLead(field=found.field, reason=found.reason, detail=found.detail, phone=phone, key=key)
    return refused.at(index)


def _fields_of(lead: Any, operation: Operation) -> dict[str, Any]:
    if isinstance(lead, _BARE):
        return {"phone_number": lead}
    if type(lead) is dict or isinstance(lead, Mapping):
        return dict(lead)
    wanted = Lead if operation is Operation.ADD else LeadUpdate
    if isinstance(lead, wanted):
        return {name: getattr(lead, name) for name in _FIELDS[wanted]}
    raise _Invalid("lead", "wrong_type", f"give a {wanted.__name__}, a mapping or a phone number")


def _phone(value: Any) -> str:
    phone = canonical(value)
    if isinstance(phone, PhoneFault):
        raise _Invalid("phone_number", phone.value, phone.hint)
    return phone


def _key(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is int:
        value = str(value)
    return _text("key", value, LONGEST_KEY)


def _checked(fields: Mapping[Any, Any], operation: Operation, payload: dict[str, Any]) -> dict[str, Any]:
    checks = _CHECKS[operation]
    for name, value in fields.items():
        check = checks.get(name)
        if check is None:
            shown = name if isinstance(name, str) and name.isidentifier() and len(name) < 40 else "(unnamed)"
            raise _Invalid(shown, "unknown_field", f"known fields are phone_number, key, {', '.join(checks)}")
        if value is not None:
            payload[name] = check(value)
    if operation is Operation.UPDATE and len(payload) == 1:
        raise _Invalid("lead", "nothing_to_update", f"give at least one of {', '.join(checks)}")
    return {name: payload[name] for name in ("phone_number", *checks) if name in payload}


def _encoded(payload: dict[str, Any]) -> bytes:
    body = encode(payload)
    if len(body) > LARGEST_LEAD:
        raise _Invalid("lead", "too_large", f"a lead may take {LARGEST_LEAD} bytes as JSON")
    return body


def _text(field: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise _Invalid(field, "wrong_type", "give text")
    text: str = str.__str__(value)  # of a subclass only the true text counts
    if len(text) > longest:
        raise _Invalid(field, "too_long", f"at most {longest} characters")
    if not text.isprintable() and HIDDEN.search(text):
        raise _Invalid(field, "hidden_character", "control or invisible characters stand in it")
    return text


def _name(value: Any) -> str:
    return _text("name", value, LONGEST_NAME)


def _priority(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_PRIORITY:
        raise _Invalid("priority", "out_of_range", f"a whole number from 1 to {LARGEST_PRIORITY}")
    return value


def _active(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Invalid("active", "wrong_type", "True or False")
    return value


def _source(value: Any) -> dict[str, str]:
    if isinstance(value, LeadSource):
        value = {"system": value.system, "url": value.url}
    if not isinstance(value, Mapping) or not set(value) <= {"system", "url"}:
        raise _Invalid("source", "wrong_type", "an object with system and url")
    source = {}
    if value.get("system") is not None:
        source["system"] = _text("source.system", value["system"], LONGEST_NAME)
    if value.get("url") is not None:
        source["url"] = _url(value["url"])
    return source


def _url(value: Any) -> str:
    text = _text("source.url", value, LONGEST_URL)
    if not URL.fullmatch(text):
        raise _Invalid("source.url", "bad_url", "begin with http:// or https://; no user name, no blanks")
    return text


def _context_headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _Invalid("context_headers", "wrong_type", "an object of texts")
    value = dict(value)
    if len(value) > MOST_HEADERS:
        raise _Invalid("context_headers", "too_many", f"at most {MOST_HEADERS} headers")
    headers = {}
    for name, text in value.items():
        if not isinstance(name, str) or len(name) > LONGEST_HEADER_NAME or not HEADER_NAME.fullmatch(name):
            raise _Invalid("context_headers", "bad_header_name", "names begin with X- (contract 6.1)")
        headers[name] = _text(f"context_headers.{name}", text, LONGEST_HEADER)
    return headers


_FIELDS: dict[type, list[str]] = {cls: [a.name for a in attrs.fields(cls)] for cls in (Lead, LeadUpdate)}
_COMMON: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "source": _source,
    "priority": _priority,
    "active": _active,
}
_CHECKS = {
    Operation.ADD: _COMMON | {"context_headers": _context_headers},
    Operation.UPDATE: _COMMON,  # contract 7: only these can be changed
}
