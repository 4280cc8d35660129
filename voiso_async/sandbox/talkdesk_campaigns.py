"""Campaigns and users of the Talkdesk account (Talkdesk contract 4, 5 and 7)."""

import re
from typing import Any

from voiso_async.sandbox.answers import Answer
from voiso_async.sandbox.talkdesk import TalkdeskGroup
from voiso_async.sandbox.talkdesk_ask import Ask, hal
from voiso_async.sandbox.talkdesk_pages import page

__all__ = [
    "attach_lists",
    "get_group",
    "get_talkdesk_user",
    "list_group_lists",
    "list_group_users",
    "list_groups",
    "list_talkdesk_users",
    "patch_group",
    "shown_list",
]

STATES = ("RUNNING", "PAUSED")
CLAUSE = re.compile(r"id eq '([^']*)'")
LONGEST_FILTER = 2083
LARGEST_USER_PAGE = 200
MOST_LISTS = 100
CREATED_AT = "2026-02-03T08:00:00.120Z"


async def list_groups(ask: Ask) -> Answer:
    """Answer the campaigns that pass every filter."""
    found = [_shown(ask, group) for group in ask.talkdesk.campaigns.values() if _passes(ask, group)]
    return page(ask, "campaigns", found)


def _passes(ask: Ask, group: TalkdeskGroup) -> bool:
    user, record_list = ask.asked("user_id"), ask.asked("record_list_id")
    return (
        (ask.asked("name") or group.name) == group.name
        and (ask.asked("search") or "").casefold() in group.name.casefold()
        and (ask.asked("status") or group.status.lower()) == group.status.lower()
        and (user is None or user in group.user_ids)
        and (record_list is None or record_list in group.list_ids)
    )


def _group(ask: Ask) -> TalkdeskGroup:
    group = ask.talkdesk.campaigns.get(ask.ids["campaign"])
    if group is None:
        raise ask.deny(404)
    return group


def _shown(ask: Ask, group: TalkdeskGroup) -> dict[str, Any]:
    links = {"self": ask.link(f"/campaigns/{group.id}"), "campaigns": ask.link("/campaigns")}
    usual = {"dialing_mode": "PREDICTIVE", "priority": 5, "run_once": False, "action_required": False}
    own = {"id": group.id, "name": group.name, "status": group.status, "created_at": CREATED_AT}
    return {**own, **usual, "_links": links, **group.details}


async def get_group(ask: Ask) -> Answer:
    """Answer one campaign."""
    return hal(200, _shown(ask, _group(ask)))


async def patch_group(ask: Ask) -> Answer:
    """Change a campaign's status, name or priority (rule 5)."""
    change = ask.json()
    group = _group(ask)
    known = isinstance(change, dict) and change.get("op") == "REPLACE"
    path = str(change.get("path")).removeprefix("/") if known else ""
    value = change.get("value") if known else None
    if path == "name" and isinstance(value, str):
        group.name = value
    elif path == "priority" and type(value) is int:
        group.details["priority"] = value
    elif path == "status" and isinstance(value, str) and value.upper() in STATES:
        if group.status == "INCOMPLETE":
            raise ask.deny(422, description="the campaign is incomplete")
        group.status = value.upper()
    else:
        raise ask.deny(400, description="unknown operation")
    return hal(200, _shown(ask, group))


async def list_group_users(ask: Ask) -> Answer:
    """Answer who works in a campaign: ids and links, and nothing more."""
    wanted = _filter(ask)
    ask.number("page", 1, 10**18)
    ids = [one for one in _group(ask).user_ids if wanted is None or one in wanted]
    items = [
        {"id": one, "_links": {"self": ask.link(f"/users/{one}"), "users": ask.link("/users")}} for one in ids
    ]
    return page(ask, "users", items)


def _filter(ask: Ask) -> set[str] | None:
    text = ask.asked("filter")
    if text is None:
        return None
    clauses = [CLAUSE.fullmatch(clause) for clause in text.split(" or ")]
    if len(text) > LONGEST_FILTER or not all(clauses):
        raise ask.deny(400, fields={"filter": "is not understood"})
    return {clause[1] for clause in clauses if clause}


async def list_group_lists(ask: Ask) -> Answer:
    """Answer the record lists that a campaign dials."""
    lists = ask.talkdesk.lists
    return page(ask, "record_lists", [shown_list(ask, lists[one]) for one in _group(ask).list_ids if one in lists])


def shown_list(ask: Ask, found: Any) -> dict[str, Any]:
    """Show a record list."""
    own = {"id": found.id, "name": found.name, "status": found.status, "created_at": CREATED_AT}
    return {**own, "unique_identifier_type": found.kind, "_links": {"self": ask.link(f"/record-lists/{found.id}")}}


async def attach_lists(ask: Ask) -> Answer:
    """Let a campaign dial record lists."""
    ids = ask.json()
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_LISTS:
        raise ask.deny(400, description=f"1 to {MOST_LISTS} record lists")
    group = _group(ask)
    wanted = [str(one.get("id")) if isinstance(one, dict) else "" for one in ids]
    if not all(one in ask.talkdesk.lists for one in wanted):
        raise ask.deny(404, description="a record list does not exist")
    group.list_ids.extend(one for one in wanted if one not in group.list_ids)
    return Answer(status=204)


async def list_talkdesk_users(ask: Ask) -> Answer:
    """Answer the users of the account."""
    email, active = ask.asked("email"), ask.asked("active")
    found = [
        user
        for user in ask.talkdesk.users.values()
        if (email is None or email == user.get("email")) and active in (None, str(user.get("active")).lower())
    ]
    return page(ask, "users", found, largest=LARGEST_USER_PAGE, usual=20)


async def get_talkdesk_user(ask: Ask) -> Answer:
    """Answer one user."""
    user = ask.talkdesk.users.get(ask.ids["user"])
    if user is None:
        raise ask.deny(404)
    return Answer.json(200, {**user, "_links": {"self": ask.link(f"/users/{user['id']}")}})
