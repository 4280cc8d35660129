"""Record lists and their records (Talkdesk contract 9 and rule 7)."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from voiso_async.sandbox.answers import Answer
from voiso_async.sandbox.talkdesk import TalkdeskList
from voiso_async.sandbox.talkdesk_ask import Ask, hal
from voiso_async.sandbox.talkdesk_campaigns import shown_list
from voiso_async.sandbox.talkdesk_pages import page

__all__ = ["add_records", "create_list", "get_list", "list_lists"]

KINDS = ("PHONE_NUMBER", "EXTERNAL", "NOTHING")
LARGEST_PAGE = 500
LONGEST_NAME = 120
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
PHONE_TYPES = ("HOME", "OFFICE", "MOBILE", "EXTRA_1", "EXTRA_2", "EXTRA_3")


async def list_lists(ask: Ask) -> Answer:
    """Answer the record lists; ``name`` matches in part."""
    name = (ask.asked("name") or "").casefold()
    found = [shown_list(ask, one) for one in ask.talkdesk.lists.values() if name in one.name.casefold()]
    return page(ask, "record_lists", found, largest=LARGEST_PAGE)


async def create_list(ask: Ask) -> Answer:
    """Make a record list."""
    wanted = ask.json()
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise ask.deny(400, fields={"name": f"must have 1 to {LONGEST_NAME} characters"})
    kind = wanted.get("unique_identifier_type", KINDS[0])
    if kind not in KINDS:
        raise ask.deny(400, code="0530941")
    made = ask.talkdesk.add_list(name=name, kind=kind)
    ask.applied.append(made.id)
    return hal(201, shown_list(ask, made))


def _list(ask: Ask) -> TalkdeskList:
    found = ask.talkdesk.lists.get(ask.ids["list"])
    if found is None:
        raise ask.deny(404)
    return found


async def get_list(ask: Ask) -> Answer:
    """Answer one record list."""
    return hal(200, shown_list(ask, _list(ask)))


async def add_records(ask: Ask) -> Answer:
    """Add records in bulk: 201, whatever became of each."""
    rules = ask.talkdesk.rules
    body = ask.json()
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ask.deny(400, description="records must be an array of objects")
    if len(records) > rules.max_bulk:
        raise ask.deny(400, code="0530936", description="too many records")
    found = _list(ask)
    if rules.capacity is not None and len(found.records) + len(records) > rules.capacity:
        raise ask.deny(400, code="0530911", description="the list is full")
    if rules.poison is not None and (said := next(filter(None, map(rules.poison, records)), None)):
        raise ask.deny(400, description=said)
    return hal(201, _summary(ask, found, [_added(ask, found, record) for record in records[: ask.first]]))


def _added(ask: Ask, found: TalkdeskList, record: Mapping[str, Any]) -> dict[str, Any]:
    errors = _faults(found, record)
    if errors:
        return {**record, "errors": errors}
    kept = {**record, "id": str(uuid4()), "record_list_id": found.id}
    found.records.append(kept)
    found.known |= _references(found, record, _numbers(record))
    ask.applied.append(_numbers(record)[0])
    return kept


def _summary(ask: Ask, found: TalkdeskList, shown: list[dict[str, Any]]) -> dict[str, Any]:
    refused = sum("errors" in record for record in shown)
    told = shown[ask.talkdesk.rules.forget :]
    link = ask.link(f"/record-lists/{found.id}")
    return {
        "record_list_id": found.id,
        "has_errors": refused > 0,
        "total_errors": refused,
        "total_created": len(shown) - refused,
        "_links": {"self": {"href": f"{link['href']}/records?upload_request=91d0"}, "record_list": link},
        "_embedded": {"records": told[::-1] if ask.talkdesk.rules.shuffled else told},
    }


def _numbers(record: Mapping[str, Any]) -> list[str]:
    phones = record.get("phone_numbers")
    holders = phones if isinstance(phones, list) else [record] if "phone_number" in record else []
    return [str(one.get("phone_number")) for one in holders if isinstance(one, dict)]


def _faults(found: TalkdeskList, record: Mapping[str, Any]) -> list[str]:
    numbers = _numbers(record)
    errors = [] if numbers else ["PHONE_NUMBER_MISSING"]
    if not all(NUMBER.fullmatch(number) for number in numbers):
        errors.append("PHONE_NUMBER_INVALID")
    phones = record.get("phone_numbers")
    if isinstance(phones, list) and not all(one.get("phone_type") in PHONE_TYPES for one in phones):
        errors.append("OTHER")
    for name in ("first_name", "last_name"):
        if not record.get(name):
            errors.append(f"{name.upper()}_MISSING")
        elif len(str(record[name])) > 80:
            errors.append(f"{name.upper()}_INVALID")
    if "priority" in record and record["priority"] not in range(1, 11):
        errors.append("PRIORITY_INVALID")
    return errors or _repeats(found, record, numbers)


def _repeats(found: TalkdeskList, record: Mapping[str, Any], numbers: list[str]) -> list[str]:
    references = _references(found, record, numbers)
    if not all(references):
        return ["EXTERNAL_REF_MISSING"]
    if found.known & references:
        return [f"{'PHONE_NUMBER' if found.kind == KINDS[0] else 'EXTERNAL_REF'}_NOT_UNIQUE"]
    return []


def _references(found: TalkdeskList, record: Mapping[str, Any], numbers: list[str]) -> set[str]:
    """What this list tells a record by; nothing if it does not tell records apart."""
    if found.kind == "PHONE_NUMBER":
        return set(numbers)
    provider, number = record.get("external_provider"), record.get("external_id")
    if found.kind == "EXTERNAL":
        return {f"{provider} {number}" if provider and number else ""}
    return set()
