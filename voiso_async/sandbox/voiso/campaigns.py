"""List, read, start, pause and stop campaigns."""

from typing import Any

from voiso_async.sandbox.replies import Reply, field_errors
from voiso_async.sandbox.voiso.checks import read_flag
from voiso_async.sandbox.voiso.request import VoisoRequest
from voiso_async.sandbox.voiso.state import Campaign

STARTABLE = frozenset({"draft", "paused", "auto_paused"})
PAUSABLE = frozenset({"active", "auto_paused"})
STOPPABLE = frozenset({"active", "paused", "auto_paused"})


async def list_campaigns(request: VoisoRequest) -> Reply:
    """Reply with one page of the campaigns that match every filter."""
    matches = [campaign for campaign in request.state.campaigns.values() if _matches(request, campaign)]
    reply = request.page("campaigns", [_with_live(request, campaign.item(), campaign) for campaign in matches])
    await request.admit()
    return reply


def _matches(request: VoisoRequest, campaign: Campaign) -> bool:
    query = request.query
    exact = {"status": campaign.status, "strategy": campaign.strategy, "method": campaign.method}
    flags = [read_flag(text) for text in query.get("live", [])]
    return (
        request.param("name", "").casefold() in campaign.name.casefold()
        and all(value in query.get(name, [value]) for name, value in exact.items())
        and all(flag is campaign.live for flag in flags)
    )


def _with_live(request: VoisoRequest, item: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    if request.rules.show_live:
        item |= {"live": campaign.live, "method": campaign.method}
    return item


async def get_campaign(request: VoisoRequest) -> Reply:
    """Reply with one campaign, as the member ``campaign``."""
    campaign = request.campaign
    await request.admit()
    return Reply.json(200, {"campaign": _with_live(request, campaign.full(), campaign)})


async def start_campaign(request: VoisoRequest) -> Reply:
    """Start dialling; a campaign without users or leads is a 409."""
    campaign = request.campaign
    await request.admit()
    allowed = STARTABLE | {"stopped"} if request.rules.stopped_can_start else STARTABLE
    _require_status(campaign, allowed, "started")
    # The status comes first: a running campaign without leads is told that it runs.
    for name, present in (("users", campaign.user_ids), ("leads", campaign.leads)):
        if not present:
            raise field_errors(409, {name: ["is missing"]})
    campaign.status = "active"
    return _state_reply(request, campaign)


async def pause_campaign(request: VoisoRequest) -> Reply:
    """Pause dialling; this may take a while, see ``Rules.slow_transitions``."""
    campaign = request.campaign
    await request.admit()
    _require_status(campaign, PAUSABLE, "paused")
    campaign.move("pausing", "paused", request.rules.slow_transitions)
    return _state_reply(request, campaign)


async def stop_campaign(request: VoisoRequest) -> Reply:
    """Stop dialling; this may take a while, see ``Rules.slow_transitions``."""
    campaign = request.campaign
    await request.admit()
    _require_status(campaign, STOPPABLE, "stopped")
    campaign.move("stopping", "stopped", request.rules.slow_transitions)
    return _state_reply(request, campaign)


def _require_status(campaign: Campaign, allowed: frozenset[str], verb: str) -> None:
    if campaign.status not in allowed:
        raise field_errors(409, {"status": [f"cannot be {verb} while {campaign.status}"]})


def _state_reply(request: VoisoRequest, campaign: Campaign) -> Reply:
    short = campaign.short()
    return Reply.json(200, {"campaign": short} if request.rules.state_wrapped else short)
