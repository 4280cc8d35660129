"""List users; list, add and remove the users of a campaign."""

from typing import Any

from voiso_async.sandbox.replies import Reply, field_errors, http_error
from voiso_async.sandbox.voiso.checks import read_user_ids
from voiso_async.sandbox.voiso.request import VoisoRequest
from voiso_async.sandbox.voiso.state import User

PARTIAL = ("name", "email")
EXACT = ("sip_account", "extension", "caller_id", "timezone")


async def list_users(request: VoisoRequest) -> Reply:
    """Reply with one page of the users that match every filter."""
    users = [user for user in request.state.users.values() if _matches(request, user.full())]
    reply = request.page("users", [_list_record(request, user) for user in users])
    await request.admit()
    return reply


def _matches(request: VoisoRequest, record: dict[str, Any]) -> bool:
    group = (record.get("security_access_group") or {}).get("id")
    return (
        all(request.param(name, "").casefold() in str(record.get(name)).casefold() for name in PARTIAL)
        and all(record.get(name) in request.query.get(name, [record.get(name)]) for name in EXACT)
        and request.param("security_access_group_id", str(group)) == str(group)
    )


def _list_record(request: VoisoRequest, user: User) -> dict[str, Any]:
    """The full record, its id an integer or a UUID."""
    return {**user.full(), "id": user.uuid if request.rules.user_id_style == "uuid" else user.id}


async def list_campaign_users(request: VoisoRequest) -> Reply:
    """Reply with one page of the users of a campaign."""
    users = request.state.users
    assigned = [_list_record(request, users[one]) for one in request.campaign.user_ids if one in users]
    reply = request.page("users", assigned)
    await request.admit()
    return reply


async def add_campaign_users(request: VoisoRequest) -> Reply:
    """Add users; the reply leaves out those who were in the campaign already."""
    campaign = request.campaign
    found = [_find(request, one) for one in read_user_ids(request.body, request.rules)]
    await request.admit()
    added = []
    for user in found:
        if user is not None and user.id not in campaign.user_ids:
            campaign.user_ids.append(user.id)
            added.append(user.short())
    return Reply.json(request.rules.success_status, {"added_users": added})


def _find(request: VoisoRequest, wanted: int | str) -> User | None:
    for user in request.state.users.values():
        if user.id == wanted or (request.rules.takes_uuids and str(wanted) in (user.uuid, str(user.id))):
            return user
    if request.rules.unknown_user_status == 422:
        raise field_errors(422, {"user_ids": ["holds an unknown user"]})
    if request.rules.unknown_user_status == 404:
        raise http_error(404)
    return None


async def remove_campaign_user(request: VoisoRequest) -> Reply:
    """Remove one user; one who is not in the campaign is a 404."""
    campaign, wanted = request.campaign, request.ids["user"]
    for user in request.state.users.values():
        names = {str(user.id), user.uuid} if request.rules.takes_uuids else {str(user.id)}
        if wanted in names and user.id in campaign.user_ids:
            await request.admit()  # only now: an unknown user is a 404 even above the rate limit
            campaign.user_ids.remove(user.id)
            return Reply.json(200, {"user": user.short()})
    raise http_error(404)
