"""Campaigns and users of the Talkdesk account."""

import re
from typing import Any

from voiso_async.sandbox.replies import Reply
from voiso_async.sandbox.talkdesk.account import TalkdeskCampaign, TalkdeskList
from voiso_async.sandbox.talkdesk.request import TalkdeskRequest, hal_reply, page

STATES = ("RUNNING", "PAUSED")
CLAUSE = re.compile(r"id eq '([^']*)'")
LONGEST_FILTER = 2083  # characters
LARGEST_USER_PAGE = 200
MOST_LISTS = 100
CREATED_AT = "2026-02-03T08:00:00.120Z"


async def list_campaigns(request: TalkdeskRequest) -> Reply:
    """Reply with the campaigns that match every filter."""
    campaigns = request.account.campaigns.values()
    return page(request, "campaigns", [_record(request, one) for one in campaigns if _matches(request, one)])


def _matches(request: TalkdeskRequest, campaign: TalkdeskCampaign) -> bool:
    user, record_list = request.param("user_id", None), request.param("record_list_id", None)
    return (
        (request.param("name", None) or campaign.name) == campaign.name
        and (request.param("search", None) or "").casefold() in campaign.name.casefold()
        and (request.param("status", None) or campaign.status.lower()) == campaign.status.lower()
        and (user is None or user in campaign.user_ids)
        and (record_list is None or record_list in campaign.list_ids)
    )


def _campaign(request: TalkdeskRequest) -> TalkdeskCampaign:
    campaign = request.account.campaigns.get(request.ids["campaign"])
    if campaign is None:
        raise request.error(404)
    return campaign


def _record(request: TalkdeskRequest, campaign: TalkdeskCampaign) -> dict[str, Any]:
    links = {"self": request.link(f"/campaigns/{campaign.id}"), "campaigns": request.link("/campaigns")}
    usual = {"dialing_mode": "PREDICTIVE", "priority": 5, "run_once": False, "action_required": False}
    own = {"id": campaign.id, "name": campaign.name, "status": campaign.status, "created_at": CREATED_AT}
    return {**own, **usual, "_links": links, **campaign.details}


async def get_campaign(request: TalkdeskRequest) -> Reply:
    """Reply with one campaign."""
    return hal_reply(200, _record(request, _campaign(request)))


async def update_campaign(request: TalkdeskRequest) -> Reply:
    """Change a campaign's status, name or priority."""
    change = request.json()
    campaign = _campaign(request)
    known = isinstance(change, dict) and change.get("op") == "REPLACE"
    path = str(change.get("path")).removeprefix("/") if known else ""
    value = change.get("value") if known else None
    if path == "name" and isinstance(value, str):
        campaign.name = value
    elif path == "priority" and type(value) is int:
        campaign.details["priority"] = value
    elif path == "status" and isinstance(value, str) and value.upper() in STATES:
        if campaign.status == "INCOMPLETE":
            raise request.error(422, description="the campaign is incomplete")
        campaign.status = value.upper()
    else:
        raise request.error(400, description="unknown operation")
    return hal_reply(200, _record(request, campaign))


async def list_campaign_users(request: TalkdeskRequest) -> Reply:
    """Reply with the users of a campaign: only ids and links, so names need one more request for each."""
    wanted = _ids_in_filter(request)
    request.number("page", 1, 10**18)  # a bad page number is a 400 even for an unknown campaign
    ids = [one for one in _campaign(request).user_ids if wanted is None or one in wanted]
    everyone = request.link("/users")
    items = [{"id": one, "_links": {"self": request.link(f"/users/{one}"), "users": everyone}} for one in ids]
    return page(request, "users", items)


def _ids_in_filter(request: TalkdeskRequest) -> set[str] | None:
    text = request.param("filter", None)
    if text is None:
        return None
    clauses = [CLAUSE.fullmatch(clause) for clause in text.split(" or ")]
    if len(text) > LONGEST_FILTER or not all(clauses):
        raise request.error(400, fields={"filter": "is not understood"})
    return {clause[1] for clause in clauses if clause}


async def list_campaign_lists(request: TalkdeskRequest) -> Reply:
    """Reply with the record lists of a campaign."""
    lists, ids = request.account.lists, _campaign(request).list_ids
    return page(request, "record_lists", [list_record(request, lists[one]) for one in ids if one in lists])


def list_record(request: TalkdeskRequest, found: TalkdeskList) -> dict[str, Any]:
    """The object of a record list, in lists and alone."""
    return {
        "id": found.id,
        "name": found.name,
        "status": found.status,
        "created_at": CREATED_AT,
        "unique_identifier_type": found.kind,
        "_links": {"self": request.link(f"/record-lists/{found.id}")},
    }


async def attach_lists(request: TalkdeskRequest) -> Reply:
    """Add record lists to a campaign."""
    ids = request.json()
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_LISTS:
        raise request.error(400, description=f"1 to {MOST_LISTS} record lists")
    campaign = _campaign(request)
    wanted = [str(one.get("id")) if isinstance(one, dict) else "" for one in ids]
    if not all(one in request.account.lists for one in wanted):
        raise request.error(404, description="a record list does not exist")
    campaign.list_ids.extend(one for one in wanted if one not in campaign.list_ids)
    return Reply(status=204)


async def list_users(request: TalkdeskRequest) -> Reply:
    """Reply with the users of the account."""
    email, active = request.param("email", None), request.param("active", None)
    found = [
        user
        for user in request.account.users.values()
        if (email is None or email == user.get("email")) and active in (None, str(user.get("active")).lower())
    ]
    return page(request, "users", found, largest=LARGEST_USER_PAGE, usual=20)


async def get_user(request: TalkdeskRequest) -> Reply:
    """Reply with one user."""
    user = request.account.users.get(request.ids["user"])
    if user is None:
        raise request.error(404)
    return Reply.json(200, {**user, "_links": {"self": request.link(f"/users/{user['id']}")}})
