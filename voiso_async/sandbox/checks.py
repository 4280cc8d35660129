"""What a query and a body must look like (rules 5 to 10 and 20)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from voiso_async.sandbox.answers import refuse, refuse_fields
from voiso_async.sandbox.rules import Rules

__all__ = ["is_plausible", "read_flag", "read_json", "read_leads", "read_page", "read_user_ids"]

INTEGER = re.compile(r"-?[0-9]{1,18}")
PLAUSIBLE = re.compile(r"[1-9][0-9]{6,14}")  # contract 12.14
HEADER_NAME = re.compile(r"X-[A-Za-z0-9\-_.!~*+]+")  # contract 6.1
PRIORITIES = range(1, 1001)  # contract 6.1

Fields = dict[str, list[str]]


def read_json(body: bytes) -> Any:
    """Decode a body, or refuse it with 400 (rule 6)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise refuse(400) from None


def read_page(limit_text: str, offset_text: str, rules: Rules) -> tuple[int, int]:
    """Read ``limit`` and ``offset``, or refuse them with 400 (rule 5)."""
    limit, offset = _integer(limit_text), _integer(offset_text)
    if rules.clamp_limit:
        limit = min(limit, rules.max_page)
    if not 1 <= limit <= rules.max_page or offset < 0:
        raise refuse(400)
    return limit, offset


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise refuse(400)
    return int(text)


def read_flag(text: str) -> bool:
    """Read ``true`` or ``false``, or refuse it with 400 (contract 5.2)."""
    if text not in ("true", "false"):
        raise refuse(400)
    return text == "true"


def is_plausible(number: str) -> bool:
    """Whether a number is digits with a country code (rule 10)."""
    return PLAUSIBLE.fullmatch(number) is not None


def read_leads(body: bytes, rules: Rules) -> list[dict[str, Any]]:
    """Read the leads of a lead call, or refuse them with 400 or 422 (rules 6 to 9)."""
    leads = read_json(body)
    if not isinstance(leads, list):
        raise refuse_fields(422, {"leads": ["must be an array"]})
    if not 1 <= len(leads) <= rules.max_leads:
        raise refuse_fields(422, {"leads": [f"must hold 1 to {rules.max_leads} items"]})
    fields: Fields = {}
    for index, lead in enumerate(leads):
        for name, texts in _wrong_in(lead, rules).items():
            place = f"{index}.{name}" if rules.name_index else name
            fields.setdefault(place, texts)
    if fields:
        raise refuse_fields(422, fields)
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
    """Read ``user_ids``, or refuse them with 400 or 422 (rule 20)."""
    payload = read_json(body)
    ids = payload.get("user_ids") if isinstance(payload, dict) else None
    if text := _wrong_ids(ids, rules):
        raise refuse_fields(422, {"user_ids": [text]})
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
