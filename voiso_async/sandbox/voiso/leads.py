"""Add and update leads."""

import re
from collections.abc import Mapping
from typing import Any

from voiso_async.sandbox.replies import Reply, field_errors
from voiso_async.sandbox.voiso.checks import is_plausible, read_leads
from voiso_async.sandbox.voiso.request import VoisoRequest

Lead = dict[str, Any]
Lists = dict[str, list[str]]

UPDATABLE = ("name", "active", "priority")  # besides these, the two members of source
SOURCE_MEMBERS = ("system", "url")


async def _admitted_leads(request: VoisoRequest) -> list[Lead]:
    """Check the leads, wait as long as their processing takes, and return those to apply."""
    campaign, rules = request.campaign, request.rules
    leads = read_leads(request.body, rules)
    if rules.live_required and not campaign.live:
        raise field_errors(422, {"campaign": ["must be live"]})
    await request.admit(seconds=rules.server_time + rules.per_lead_time * len(leads))
    return leads if request.first is None else leads[: request.first]


async def add_leads(request: VoisoRequest) -> Reply:
    """Add leads; the reply lists each number as created, rejected or duplicate."""
    lists: Lists = {"created": [], "rejected": [], "duplicates": []}
    new: set[str] = set()
    for lead in await _admitted_leads(request):
        number = lead["phone_number"]
        target = _list_for(request, number)
        if target == "created":
            request.campaign.leads[number] = {"active": True, **lead}
            request.applied.append(number)
            new.add(number)
        # A repeat within the batch, unlike a lead that was there before, may be left out of the lists.
        if request.rules.repeats_listed or target != "duplicates" or number not in new:
            lists[target].append(number)
    return Reply.json(request.rules.success_status, {"leads_import": _as_echoed(request, lists)})


def _list_for(request: VoisoRequest, number: str) -> str:
    if not is_plausible(number) or number in request.rules.do_not_call:
        return "rejected"
    return "duplicates" if number in request.campaign.leads else "created"


async def update_leads(request: VoisoRequest) -> Reply:
    """Change leads by their numbers; unknown numbers are rejected."""
    known = request.campaign.leads
    lists: Lists = {"updated": [], "rejected": []}
    leads = await _admitted_leads(request)
    # A number is listed once, but each of its changes is applied, in order.
    for number in dict.fromkeys(lead["phone_number"] for lead in leads):
        lists["updated" if number in known else "rejected"].append(number)
    for lead in leads:
        if lead["phone_number"] in known:
            _update_lead(known[lead["phone_number"]], lead)
    request.applied.extend(lists["updated"])
    return _update_reply(request, lists)


def _update_lead(known: Lead, lead: Mapping[str, Any]) -> None:
    known.update({name: lead[name] for name in UPDATABLE if name in lead})
    source = {name: value for name, value in lead.get("source", {}).items() if name in SOURCE_MEMBERS}
    if source:
        known["source"] = {**known.get("source", {}), **source}


def _update_reply(request: VoisoRequest, lists: Lists) -> Reply:
    if request.rules.update_reply == "empty":
        return Reply(status=200)
    echoed = _as_echoed(request, lists)
    return Reply.json(200, echoed if request.rules.update_reply == "bare" else {"leads_import": echoed})


def _as_echoed(request: VoisoRequest, lists: Lists) -> Lists:
    if not request.rules.echo_plus:
        return lists
    return {name: [re.sub(r"^(?=\d)", "+", number) for number in numbers] for name, numbers in lists.items()}
