"""Read query and body of a request, or raise the error that Voiso replies with."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from voiso_async.sandbox.replies import field_errors, http_error
from voiso_async.sandbox.rules import Rules

INTEGER = re.compile(r"-?[0-9]{1,18}")
PLAUSIBLE = re.compile(r"[1-9][0-9]{6,14}")  # a country code and the rest, no plus
HEADER_NAME = re.compile(r"X-[A-Za-z0-9\-_.!~*+]+")
PRIORITIES = range(1, 1001)

Fields = dict[str, list[str]]


def read_json(body: bytes) -> Any:
    """Decode a body; what is not JSON is a 400."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise http_error(400) from None


def read_page(limit_text: str, offset_text: str, rules: Rules) -> tuple[int, int]:
    """Read ``limit`` and ``offset``; no integer or one out of range is a 400."""
    limit, offset = _integer(limit_text), _integer(offset_text)
    if rules.clamp_limit:
        limit = min(limit, rules.max_page)
    if not 1 <= limit <= rules.max_page or offset < 0:
        raise http_error(400)
    return limit, offset


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise http_error(400)
    return int(text)


def read_flag(text: str) -> bool:
    """Read ``true`` or ``false``; anything else is a 400."""
    if text not in ("true", "false"):
        raise http_error(400)
    return text == "true"


def is_plausible(number: str) -> bool:
    """Whether a number is digits only and begins with a country code."""
    return PLAUSIBLE.fullmatch(number) is not None


def read_leads(body: bytes, rules: Rules) -> list[dict[str, Any]]:
    """Read the leads of a body; one bad lead makes the whole request a 422."""
    leads = read_json(body)
    if not isinstance(leads, list):
        raise field_errors(422, {"leads": ["must be an array"]})
    if not 1 <= len(leads) <= rules.max_leads:
        raise field_errors(422, {"leads": [f"must hold 1 to {rules.max_leads} items"]})
    fields: Fields = {}
    for index, lead in enumerate(leads):
        for name, texts in _wrong_in(lead, rules).items():
            position = f"{index}.{name}" if rules.name_index else name
            fields.setdefault(position, texts)  # without an index, only the first error of a field is shown
    if fields:
        raise field_errors(422, fields)
    return leads


def _wrong_in(lead: Any, rules: Rules) -> Fields:
    if not isinstance(lead, dict):
        return {"lead": ["must be an object"]}
    wrong = {
        "phone_number": _wrong_number(lead),
        "name": _wrong_text(lead, "name"),
        "source": _wrong_source(lead),
        "priority": _wrong_priority(lead),
        "active": "" if isinstance(lead.get("active", True), bool) else "must be a boolean",
        "context_headers": _wrong_headers(lead),
    }
    fields = {name: [text] for name, text in wrong.items() if text}
    if not fields and rules.poison is not None and (text := rules.poison(lead)):
        return {"phone_number": [text]}
    return fields


def _wrong_number(lead: Mapping[str, Any]) -> str:
    if lead.get("phone_number") in (None, ""):
        return "is missing"
    return _wrong_text(lead, "phone_number")


def _wrong_text(values: Mapping[str, Any], name: str) -> str:
    return "" if isinstance(values.get(name, ""), str) else "must be a string"


def _wrong_source(lead: Mapping[str, Any]) -> str:
    source = lead.get("source", {})
    if not isinstance(source, dict):
        return "must be an object"
    return _wrong_text(source, "system") or _wrong_text(source, "url")


def _wrong_priority(lead: Mapping[str, Any]) -> str:
    priority = lead.get("priority", PRIORITIES[0])
    # Not isinstance: True is an int in Python, but no number in JSON.
    if type(priority) is int and priority in PRIORITIES:
        return ""
    return f"must be an integer from {PRIORITIES[0]} to {PRIORITIES[-1]}"


def _wrong_headers(lead: Mapping[str, Any]) -> str:
    headers = lead.get("context_headers", {})
    if not isinstance(headers, dict):
        return "must be an object"
    if not all(HEADER_NAME.fullmatch(name) for name in headers):
        return "has a name that does not begin with X- or has other characters"
    return "" if all(isinstance(value, str) for value in headers.values()) else "must hold strings"


def read_user_ids(body: bytes, rules: Rules) -> list[int | str]:
    """Read ``user_ids``; what is not an array of ids is a 422."""
    payload = read_json(body)
    ids = payload.get("user_ids") if isinstance(payload, dict) else None
    if text := _wrong_ids(ids, rules):
        raise field_errors(422, {"user_ids": [text]})
    return ids or []


def _wrong_ids(ids: Any, rules: Rules) -> str:
    if ids is None:
        return "is missing"
    if not isinstance(ids, list):
        return "must be an array"
    if not 1 <= len(ids) <= rules.max_user_ids:
        return f"must hold 1 to {rules.max_user_ids} items"
    kinds = (int, str) if rules.takes_uuids else (int,)
    return "" if all(type(one) in kinds for one in ids) else "must hold integers"
