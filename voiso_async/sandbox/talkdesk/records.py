"""Record lists and their records."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from voiso_async.sandbox.replies import Reply
from voiso_async.sandbox.talkdesk.account import TalkdeskList
from voiso_async.sandbox.talkdesk.campaigns import list_record
from voiso_async.sandbox.talkdesk.request import TalkdeskRequest, hal_reply, page

KINDS = ("PHONE_NUMBER", "EXTERNAL", "NOTHING")
LARGEST_PAGE = 500
LONGEST_NAME = 120
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
PHONE_TYPES = ("HOME", "OFFICE", "MOBILE", "EXTRA_1", "EXTRA_2", "EXTRA_3")


async def list_lists(request: TalkdeskRequest) -> Reply:
    """Reply with the record lists; ``name`` matches in part."""
    name = (request.param("name", None) or "").casefold()
    found = [list_record(request, one) for one in request.account.lists.values() if name in one.name.casefold()]
    return page(request, "record_lists", found, largest=LARGEST_PAGE)


async def create_list(request: TalkdeskRequest) -> Reply:
    """Make a record list."""
    wanted = request.json()
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise request.error(400, fields={"name": f"must have 1 to {LONGEST_NAME} characters"})
    kind = wanted.get("unique_identifier_type", KINDS[0])
    if kind not in KINDS:
        raise request.error(400, code="0530941")
    made = request.account.add_list(name=name, kind=kind)
    request.applied.append(made.id)
    return hal_reply(201, list_record(request, made))


def _list(request: TalkdeskRequest) -> TalkdeskList:
    target = request.account.lists.get(request.ids["list"])
    if target is None:
        raise request.error(404)
    return target


async def get_list(request: TalkdeskRequest) -> Reply:
    """Reply with one record list."""
    return hal_reply(200, list_record(request, _list(request)))


async def add_records(request: TalkdeskRequest) -> Reply:
    """Add records in bulk: the status is 201 even if each record has errors."""
    rules = request.account.rules
    body = request.json()
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise request.error(400, description="records must be an array of objects")
    if len(records) > rules.max_bulk:
        raise request.error(400, code="0530936", description="too many records")
    target = _list(request)
    if rules.capacity is not None and len(target.records) + len(records) > rules.capacity:
        raise request.error(400, code="0530911", description="the list is full")
    if rules.poison is not None and (text := next(filter(None, map(rules.poison, records)), None)):
        raise request.error(400, description=text)
    shown = [_added(request, target, record) for record in records[: request.first]]
    return hal_reply(201, _summary(request, target, shown))


def _added(request: TalkdeskRequest, target: TalkdeskList, record: Mapping[str, Any]) -> dict[str, Any]:
    errors = _record_errors(target, record)
    if errors:
        return {**record, "errors": errors}
    kept = {**record, "id": str(uuid4()), "record_list_id": target.id}
    target.records.append(kept)
    target.known_keys |= _unique_keys(target, record, _numbers(record))
    request.applied.append(_numbers(record)[0])
    return kept


def _summary(request: TalkdeskRequest, target: TalkdeskList, shown: list[dict[str, Any]]) -> dict[str, Any]:
    failed = sum("errors" in record for record in shown)
    listed = shown[request.account.rules.forget :]
    link = request.link(f"/record-lists/{target.id}")
    return {
        "record_list_id": target.id,
        "has_errors": failed > 0,
        "total_errors": failed,
        "total_created": len(shown) - failed,
        "_links": {"self": {"href": f"{link['href']}/records?upload_request=91d0"}, "record_list": link},
        "_embedded": {"records": listed[::-1] if request.account.rules.shuffled else listed},
    }


def _numbers(record: Mapping[str, Any]) -> list[str]:
    phones = record.get("phone_numbers")
    holders = phones if isinstance(phones, list) else [record] if "phone_number" in record else []
    return [str(one.get("phone_number")) for one in holders if isinstance(one, dict)]


def _record_errors(target: TalkdeskList, record: Mapping[str, Any]) -> list[str]:
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
    return errors or _repeat_errors(target, record, numbers)


def _repeat_errors(target: TalkdeskList, record: Mapping[str, Any], numbers: list[str]) -> list[str]:
    keys = _unique_keys(target, record, numbers)
    if not all(keys):
        return ["EXTERNAL_REF_MISSING"]
    if target.known_keys & keys:
        return [f"{'PHONE_NUMBER' if target.kind == KINDS[0] else 'EXTERNAL_REF'}_NOT_UNIQUE"]
    return []


def _unique_keys(target: TalkdeskList, record: Mapping[str, Any], numbers: list[str]) -> set[str]:
    """What must be unique in this list; empty if the list allows repeated records."""
    if target.kind == "PHONE_NUMBER":
        return set(numbers)
    provider, number = record.get("external_provider"), record.get("external_id")
    if target.kind == "EXTERNAL":
        return {f"{provider} {number}" if provider and number else ""}
    return set()
