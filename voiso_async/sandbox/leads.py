"""Adding and updating leads (contract 6 and 7)."""

import re
from collections.abc import Mapping
from typing import Any

from voiso_async.sandbox.answers import Answer, refuse_fields
from voiso_async.sandbox.call import Call
from voiso_async.sandbox.checks import is_plausible, read_leads

__all__ = ["add_leads", "update_leads"]

Lead = dict[str, Any]
Lists = dict[str, list[str]]

UPDATABLE = ("name", "active", "priority")  # contract 7, with the two members of source
SOURCE_MEMBERS = ("system", "url")


async def _taken(call: Call) -> list[Lead]:
    """Check the leads, spend the time of their processing, and give those that are to be applied."""
    campaign, rules = call.campaign, call.rules
    leads = read_leads(call.body, rules)
    if rules.live_required and not campaign.live:
        raise refuse_fields(422, {"campaign": ["must be live"]})
    await call.admit(seconds=rules.server_time + rules.per_lead_time * len(leads))
    return leads if call.first is None else leads[: call.first]


async def add_leads(call: Call) -> Answer:
    """Import leads; each number lands in one list (contract 6.2)."""
    lists: Lists = {"created": [], "rejected": [], "duplicates": []}
    fresh: set[str] = set()
    for lead in await _taken(call):
        number = lead["phone_number"]
        place = _place(call, number)
        if place == "created":
            call.campaign.leads[number] = {"active": True, **lead}
            call.applied.append(number)
            fresh.add(number)
        if call.rules.repeats_listed or place != "duplicates" or number not in fresh:
            lists[place].append(number)
    return Answer.json(call.rules.success_status, {"leads_import": _echoed(call, lists)})


def _place(call: Call, number: str) -> str:
    if not is_plausible(number) or number in call.rules.do_not_call:
        return "rejected"
    return "duplicates" if number in call.campaign.leads else "created"


async def update_leads(call: Call) -> Answer:
    """Change leads by their numbers; unknown numbers are rejected (rule 25)."""
    known = call.campaign.leads
    lists: Lists = {"updated": [], "rejected": []}
    leads = await _taken(call)
    for number in dict.fromkeys(lead["phone_number"] for lead in leads):
        lists["updated" if number in known else "rejected"].append(number)
    for lead in leads:
        if lead["phone_number"] in known:
            _change(known[lead["phone_number"]], lead)
    call.applied.extend(lists["updated"])
    return _update_answer(call, lists)


def _change(known: Lead, lead: Mapping[str, Any]) -> None:
    known.update({name: lead[name] for name in UPDATABLE if name in lead})
    source = {name: value for name, value in lead.get("source", {}).items() if name in SOURCE_MEMBERS}
    if source:
        known["source"] = {**known.get("source", {}), **source}


def _update_answer(call: Call, lists: Lists) -> Answer:
    if call.rules.update_answer == "empty":
        return Answer(status=200)
    echoed = _echoed(call, lists)
    return Answer.json(200, echoed if call.rules.update_answer == "bare" else {"leads_import": echoed})


def _echoed(call: Call, lists: Lists) -> Lists:
    if not call.rules.echo_plus:
        return lists
    return {name: [re.sub(r"^(?=\d)", "+", number) for number in numbers] for name, numbers in lists.items()}
