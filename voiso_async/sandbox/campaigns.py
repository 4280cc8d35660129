"""Listing, reading, starting, pausing and stopping campaigns (contract 5)."""

from typing import Any

from voiso_async.sandbox.answers import Answer, refuse_fields
from voiso_async.sandbox.call import Call
from voiso_async.sandbox.checks import read_flag
from voiso_async.sandbox.state import Campaign

__all__ = ["get_campaign", "list_campaigns", "pause_campaign", "start_campaign", "stop_campaign"]

STARTABLE = frozenset({"draft", "paused", "auto_paused"})  # rule 16
PAUSABLE = frozenset({"active", "auto_paused"})  # rule 15
STOPPABLE = frozenset({"active", "paused", "auto_paused"})  # rule 17


async def list_campaigns(call: Call) -> Answer:
    """Answer the campaigns that pass every filter, one page of them."""
    matches = [campaign for campaign in call.centre.campaigns.values() if _matches(call, campaign)]
    answer = call.page("campaigns", [_shown(call, campaign.item(), campaign) for campaign in matches])
    await call.admit()
    return answer


def _matches(call: Call, campaign: Campaign) -> bool:
    query = call.query
    exact = {"status": campaign.status, "strategy": campaign.strategy, "method": campaign.method}
    flags = [read_flag(text) for text in query.get("live", [])]
    return (
        call.asked("name", "").casefold() in campaign.name.casefold()
        and all(value in query.get(name, [value]) for name, value in exact.items())
        and all(flag is campaign.live for flag in flags)
    )


def _shown(call: Call, item: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    if call.rules.show_live:
        item |= {"live": campaign.live, "method": campaign.method}
    return item


async def get_campaign(call: Call) -> Answer:
    """Answer one campaign, wrapped (contract 5.3)."""
    campaign = call.campaign
    await call.admit()
    return Answer.json(200, {"campaign": _shown(call, campaign.full(), campaign)})


async def start_campaign(call: Call) -> Answer:
    """Start dialling; needs a user and a lead (rules 14 and 16)."""
    campaign = call.campaign
    await call.admit()
    allowed = STARTABLE | {"stopped"} if call.rules.stopped_can_start else STARTABLE
    _demand(campaign, allowed, "started")
    for name, present in (("users", campaign.user_ids), ("leads", campaign.leads)):
        if not present:
            raise refuse_fields(409, {name: ["is missing"]})
    campaign.status = "active"
    return _state(call, campaign)


async def pause_campaign(call: Call) -> Answer:
    """Pause dialling (rules 15 and 19)."""
    campaign = call.campaign
    await call.admit()
    _demand(campaign, PAUSABLE, "paused")
    campaign.move("pausing", "paused", call.rules.slow_transitions)
    return _state(call, campaign)


async def stop_campaign(call: Call) -> Answer:
    """End dialling (rules 17 and 19)."""
    campaign = call.campaign
    await call.admit()
    _demand(campaign, STOPPABLE, "stopped")
    campaign.move("stopping", "stopped", call.rules.slow_transitions)
    return _state(call, campaign)


def _demand(campaign: Campaign, allowed: frozenset[str], verb: str) -> None:
    if campaign.status not in allowed:
        raise refuse_fields(409, {"status": [f"cannot be {verb} while {campaign.status}"]})


def _state(call: Call, campaign: Campaign) -> Answer:
    short = campaign.short()
    return Answer.json(200, {"campaign": short} if call.rules.state_wrapped else short)
