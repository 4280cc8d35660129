"""A record becomes a row: checked in every field, canonical, encoded once."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

import attrs
from attrs import frozen

from voiso_async.convert import encode
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.prepare import HIDDEN, InvalidLead
from voiso_async.ingest.rows import Row, Submission
from voiso_async.phone import PhoneFault, canonical
from voiso_async.talkdesk.models import IdentifierType

LONGEST_NAME = 80
LONGEST_TIMEZONE = 35
LONGEST_TEXT = 2083
LONGEST_KEY = 256
LARGEST_PRIORITY = 10
LARGEST_RECORD = 64 * 1024
PHONE_TYPES = ("MOBILE", "HOME", "OFFICE", "EXTRA_1", "EXTRA_2", "EXTRA_3")
DEFAULT_PHONE_TYPE = PHONE_TYPES[0]


@frozen
class Record:
    """One person to call; ``priority`` is 1 to 10 and a higher one is dialled earlier.

    ``phones`` are further numbers by type: HOME, OFFICE, MOBILE, EXTRA_1 to EXTRA_3. ``key`` is the caller's own:
    it comes back on the outcome and is never sent. The repr shows nothing personal.
    """

    phone_number: str | int = attrs.field(repr=False)
    first_name: str | None = attrs.field(default=None, kw_only=True, repr=False)
    last_name: str | None = attrs.field(default=None, kw_only=True, repr=False)
    phone_type: str = attrs.field(default=DEFAULT_PHONE_TYPE, kw_only=True)
    phones: Mapping[str, str] | None = attrs.field(default=None, kw_only=True, repr=False, hash=False)
    timezone: str | None = attrs.field(default=None, kw_only=True)
    priority: int | None = attrs.field(default=None, kw_only=True)
    external_provider: str | None = attrs.field(default=None, kw_only=True)
    external_id: str | None = attrs.field(default=None, kw_only=True, repr=False)
    external_url: str | None = attrs.field(default=None, kw_only=True, repr=False)
    sync_external_id: bool | None = attrs.field(default=None, kw_only=True)
    extra_data: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False, hash=False)
    key: str | None = attrs.field(default=None, kw_only=True, repr=False)


class RecordRow(Row, eq=False, gc=False):
    """A record inside a push; ``identity`` is what its list tells it by, ``phones`` counts its numbers."""

    identity: str = ""
    phones: int = 1

    _redacted: ClassVar[AbstractSet[str]] = {"phone", "body", "key", "submission", "identity"}


class _Invalid(Exception):  # noqa: N818 - not an error: the way out of a checker
    def __init__(self, field: str, reason: str, detail: str) -> None:
        self.field, self.reason, self.detail = field, reason, detail


def identity_of(kind: IdentifierType | None, phone: str, provider: Any, external_id: Any) -> str:
    """What a list of this kind tells records apart by; of one that does not, the phone number."""
    return f"{provider}\n{external_id}" if kind is IdentifierType.EXTERNAL else phone


def prepare_record(
    record: Any, index: int, kind: IdentifierType | None, owner: Submission
) -> RecordRow | LeadOutcome:
    """Make a row of a ``Record`` or a mapping with its fields, or say why it is not sent; never raises.

    A mapping may give ``name`` in place of first and last name: it is split at its last blank.
    """
    phone = key = None
    if isinstance(record, InvalidLead):
        return record.at(index)
    try:
        fields = _fields_of(record)
        key = _key(fields.pop("key", None))
        phone = _phone("phone_number", fields.pop("phone_number", None))
        payload = _checked(fields, phone)
        count = len(payload["phone_numbers"])
        identity = _identity(kind, phone, payload)
        return RecordRow(index, phone, _encoded(payload), key, owner, identity=identity, phones=count)
    except _Invalid as fault:
        found = fault
    except Exception:  # noqa: BLE001 - a hostile mapping may raise anything
        found = _Invalid("record", "unreadable", "reading this record raised an error")
    refused = InvalidLead(field=found.field, reason=found.reason, detail=found.detail, phone=phone, key=key)
    return refused.at(index)


def _fields_of(record: Any) -> dict[str, Any]:
    if isinstance(record, Record):
        fields = {name: getattr(record, name) for name in _NAMES}
    elif isinstance(record, Mapping):
        fields = dict(record)
    else:
        raise _Invalid("record", "wrong_type", "give a Record or a mapping with its fields")
    name = fields.pop("name", None)
    if name is not None and not (fields.get("first_name") or fields.get("last_name")):
        fields["first_name"], _, fields["last_name"] = " ".join(_text("name", name, 161).split()).rpartition(" ")
    return fields


def _checked(fields: Mapping[Any, Any], phone: str) -> dict[str, Any]:
    first = {
        "phone_number": f"+{phone}",
        "phone_type": _phone_type(fields.get("phone_type") or DEFAULT_PHONE_TYPE),
    }
    payload: dict[str, Any] = {"phone_numbers": [first, *_more_phones(fields.get("phones"), first["phone_type"])]}
    for name, value in fields.items():
        if name not in _NAMES:
            shown = name if isinstance(name, str) and name.isidentifier() and len(name) < 40 else "(unnamed)"
            raise _Invalid(shown, "unknown_field", f"known fields are {', '.join(_NAMES)}")
        if value is not None and name in _CHECKS:
            payload[name] = _CHECKS[name](value)
    for name in ("first_name", "last_name"):
        if not payload.get(name):
            raise _Invalid(name, "missing", "Talkdesk takes no record without first and last name")
    return payload


def _identity(kind: IdentifierType | None, phone: str, payload: Mapping[str, Any]) -> str:
    provider, external_id = payload.get("external_provider"), payload.get("external_id")
    if kind is IdentifierType.EXTERNAL and not (provider and external_id):
        raise _Invalid("external_id", "missing", "this list needs external_provider and external_id")
    return identity_of(kind, phone, provider, external_id)


def _phone(field: str, value: Any) -> str:
    phone = canonical(value)
    if isinstance(phone, PhoneFault):
        raise _Invalid(field, phone.value, phone.hint)
    return phone


def _phone_type(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in PHONE_TYPES:
        raise _Invalid("phone_type", "unknown_type", f"one of {', '.join(PHONE_TYPES)}")
    return value.upper()


def _more_phones(phones: Any, taken: str) -> list[dict[str, str]]:
    if phones is None:
        return []
    if not isinstance(phones, Mapping):
        raise _Invalid("phones", "wrong_type", "an object of numbers by type")
    found = {_phone_type(kind): f"+{_phone('phones', number)}" for kind, number in phones.items()}
    if taken in found:
        raise _Invalid("phones", "repeated_type", "the type of phone_number stands among phones too")
    return [{"phone_number": number, "phone_type": kind} for kind, number in found.items()]


def _encoded(payload: dict[str, Any]) -> bytes:
    body = encode(payload)
    if len(body) > LARGEST_RECORD:
        raise _Invalid("record", "too_large", f"a record may take {LARGEST_RECORD} bytes as JSON")
    return body


def _key(value: Any) -> str | None:
    if value is None:
        return None
    return _text("key", str(value) if type(value) is int else value, LONGEST_KEY)


def _text(field: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise _Invalid(field, "wrong_type", "give text")
    text: str = str.__str__(value)  # of a subclass only the true text counts
    if len(text) > longest:
        raise _Invalid(field, "too_long", f"at most {longest} characters")
    if HIDDEN.search(text):
        raise _Invalid(field, "hidden_character", "control or invisible characters stand in it")
    return text


def _texts(field: str, longest: int) -> Callable[[Any], str]:
    return lambda value: _text(field, value.strip() if isinstance(value, str) else value, longest)


def _priority(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_PRIORITY:
        raise _Invalid(
            "priority", "out_of_range", f"a whole number from 1 to {LARGEST_PRIORITY}, 10 is dialled first"
        )
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Invalid("sync_external_id", "wrong_type", "True or False")
    return value


def _extra_data(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _Invalid("extra_data", "wrong_type", "an object")
    return dict(value)


_NAMES = tuple(attribute.name for attribute in attrs.fields(Record))
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "first_name": _texts("first_name", LONGEST_NAME),
    "last_name": _texts("last_name", LONGEST_NAME),
    "timezone": _texts("timezone", LONGEST_TIMEZONE),
    "priority": _priority,
    "external_provider": _texts("external_provider", LONGEST_TEXT),
    "external_id": _texts("external_id", LONGEST_TEXT),
    "external_url": _texts("external_url", LONGEST_TEXT),
    "sync_external_id": _flag,
    "extra_data": _extra_data,
}
