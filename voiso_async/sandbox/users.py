"""Listing users, and the users of a campaign (contract 8 and 9.1)."""

from typing import Any

from voiso_async.sandbox.answers import Answer, refuse, refuse_fields
from voiso_async.sandbox.call import Call
from voiso_async.sandbox.checks import read_user_ids
from voiso_async.sandbox.state import User

__all__ = ["add_campaign_users", "list_campaign_users", "list_users", "remove_campaign_user"]

PARTIAL = ("name", "email")
EXACT = ("sip_account", "extension", "caller_id", "timezone")


async def list_users(call: Call) -> Answer:
    """Answer the users that pass every filter, one page of them."""
    shown = [(user, user.full()) for user in call.centre.users.values()]
    answer = call.page("users", [_styled(call, user) for user, record in shown if _matches(call, record)])
    await call.admit()
    return answer


def _matches(call: Call, record: dict[str, Any]) -> bool:
    group = (record.get("security_access_group") or {}).get("id")
    return (
        all(call.asked(name, "").casefold() in str(record.get(name)).casefold() for name in PARTIAL)
        and all(record.get(name) in call.query.get(name, [record.get(name)]) for name in EXACT)
        and call.asked("security_access_group_id", str(group)) == str(group)
    )


def _styled(call: Call, user: User) -> dict[str, Any]:
    """The full record with its id in the style of list answers (rule 23)."""
    return {**user.full(), "id": user.uuid if call.rules.user_id_style == "uuid" else user.id}


async def list_campaign_users(call: Call) -> Answer:
    """Answer the users of a campaign, one page of them."""
    users = call.centre.users
    assigned = [_styled(call, users[one]) for one in call.campaign.user_ids if one in users]
    answer = call.page("users", assigned)
    await call.admit()
    return answer


async def add_campaign_users(call: Call) -> Answer:
    """Assign users; those who were assigned before are left out of the answer (rule 21)."""
    campaign = call.campaign
    found = [_find(call, one) for one in read_user_ids(call.body, call.rules)]
    await call.admit()
    added = []
    for user in found:
        if user is not None and user.id not in campaign.user_ids:
            campaign.user_ids.append(user.id)
            added.append(user.short())
    return Answer.json(call.rules.success_status, {"added_users": added})


def _find(call: Call, wanted: int | str) -> User | None:
    for user in call.centre.users.values():
        if user.id == wanted or (call.rules.takes_uuids and str(wanted) in (user.uuid, str(user.id))):
            return user
    if call.rules.unknown_user_status == 422:
        raise refuse_fields(422, {"user_ids": ["holds an unknown user"]})
    if call.rules.unknown_user_status == 404:
        raise refuse(404)
    return None


async def remove_campaign_user(call: Call) -> Answer:
    """Unassign one user; one who is not assigned is a 404 (rule 22)."""
    campaign, wanted = call.campaign, call.ids["user"]
    for user in call.centre.users.values():
        names = {str(user.id), user.uuid} if call.rules.takes_uuids else {str(user.id)}
        if wanted in names and user.id in campaign.user_ids:
            await call.admit()
            campaign.user_ids.remove(user.id)
            return Answer.json(200, {"user": user.short()})
    raise refuse(404)
