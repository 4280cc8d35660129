"""The users assigned to a campaign: listed, added, removed."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from voiso_async.convert import encode, structure_field
from voiso_async.decipher import decode_json, only_accepted
from voiso_async.errors import ConfigurationError, NotFoundError, VoisoError
from voiso_async.models.users import User, user_from
from voiso_async.pages import OffsetPages, page_of
from voiso_async.paginator import Paginator
from voiso_async.session import Session
from voiso_async.wire import Request, id_text, positive_id

READ, MANAGE = "campaigns.read", "campaigns.manage"
MOST_USER_IDS = 100

Ids = tuple[int | str, ...]


@frozen(kw_only=True)
class AddedUsers:
    """How far ``add_users`` came before it failed: the error's ``report``.

    ``added`` were given by the requests before; ``in_doubt`` are the ids of the request whose answer was lost,
    if that is what happened; ``not_added`` are certainly not added by this call.
    """

    added: tuple[User, ...]
    in_doubt: Ids = ()
    not_added: Ids = ()


class CampaignUsers:
    """Who works in a campaign. What a lost answer leaves open is asked again and looked up."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def paginate(self, campaign_id: int | str, page_size: int = 100) -> Paginator[User]:
        """List the users of a campaign."""
        request = campaign_request("GET", "/users", campaign_id, scope=READ)
        return Paginator(self._session.send, OffsetPages(request, page_size=page_size), page_of(User, "users"))

    async def add(self, campaign_id: int | str, user_ids: Iterable[int | str]) -> tuple[User, ...]:
        """Add users in chunks; an error tells how far it came."""
        campaign, ids = positive_id(campaign_id), _checked(user_ids)
        added: tuple[User, ...] = ()
        for start in range(0, len(ids), MOST_USER_IDS):
            chunk, rest = ids[start : start + MOST_USER_IDS], ids[start + MOST_USER_IDS :]
            try:
                added += await self._add_chunk(campaign, chunk)
            except VoisoError as error:
                if error.proof == "in_doubt":
                    error.added_users = AddedUsers(added=added, in_doubt=chunk, not_added=rest)
                else:
                    error.added_users = AddedUsers(added=added, not_added=chunk + rest)
                raise
        return added

    async def remove(self, campaign_id: int | str, user_id: int | str) -> User | None:
        """Remove one user; a 404 after a lost answer means that the first try did it."""
        request = Request.to(
            "DELETE",
            "/campaigns/{campaign_id}/users/{user_id}",
            {"campaign_id": positive_id(campaign_id), "user_id": user_id},
            scope=MANAGE,
        )
        try:
            return await self._removed(request)
        except VoisoError as error:
            if error.proof != "in_doubt":
                raise
            lost = error
        try:
            return await self._removed(request, again=True)
        except NotFoundError:
            return None
        except VoisoError:
            pass  # whatever it says, the first try stays in doubt
        raise lost

    async def _removed(self, request: Request, *, again: bool = False) -> User | None:
        response = await self._session.send(request, repeat_in_doubt=again)
        if only_accepted(response, request, "user", "id"):
            return None
        return user_from(decode_json(response, request), request.name)

    async def _add_chunk(self, campaign: int, ids: Ids) -> tuple[User, ...]:
        request = campaign_request("POST", "/users", campaign, body=encode({"user_ids": ids}), personal=False)
        try:
            added = await self._added(request)
        except VoisoError as error:
            if error.proof != "in_doubt":
                raise
            lost = error
        else:
            return await self._assigned(campaign, ids) if added is None else added
        added = await self._added_after_doubt(request, campaign, ids)
        if added is None:
            raise lost
        return added

    async def _assigned(self, campaign: int, ids: Ids) -> tuple[User, ...]:
        """After a success that names nobody: whom the campaign has; their bare ids if it cannot be read."""
        found = await self._look_up(campaign, {str(user_id) for user_id in ids})
        return tuple(User(id=user_id) for user_id in ids) if found is None else found

    async def _added_after_doubt(self, request: Request, campaign: int, ids: Ids) -> tuple[User, ...] | None:
        """Ask again, and look up whom the second answer leaves out; ``None`` if the doubt remains."""
        added: tuple[User, ...] = ()
        refused = False
        try:
            added = await self._added(request, again=True) or ()
        except VoisoError as error:
            if error.proof != "refused":
                return None
            refused = True  # that everybody is assigned already may be a refusal
        left_out = {str(user_id) for user_id in ids} - {str(user.id) for user in added}
        found = await self._look_up(campaign, left_out) if left_out else ()
        if found is None or (refused and len(found) < len(left_out)):
            return None
        return added + found

    async def _look_up(self, campaign: int, wanted: set[str]) -> tuple[User, ...] | None:
        try:
            members = await self.paginate(campaign).collect()
        except VoisoError:
            return None
        return tuple(user for user in members if str(user.id) in wanted)

    async def _added(self, request: Request, *, again: bool = False) -> tuple[User, ...] | None:
        response = await self._session.send(request, repeat_in_doubt=again)
        if only_accepted(response, request, "added_users"):
            return None
        body = decode_json(response, request)
        return structure_field(body, "added_users", tuple[User, ...], request=request.name)


def campaign_request(
    method: str,
    rest: str,
    campaign_id: int | str,
    *,
    body: bytes | None = None,
    scope: str = MANAGE,
    personal: bool | None = None,
) -> Request:
    """Make a request below one campaign."""
    route, ids = f"/campaigns/{{campaign_id}}{rest}", {"campaign_id": positive_id(campaign_id)}
    return Request.to(method, route, ids, body=body, scope=scope, personal=personal)


def _checked(user_ids: Any) -> Ids:
    """Check ids before anything is sent; digits become integers, repeats are dropped."""
    if isinstance(user_ids, str | bytes | Mapping) or not isinstance(user_ids, Iterable):
        raise ConfigurationError("user_ids must be a list of ids; nothing was sent")
    return tuple(dict.fromkeys(_checked_id(user_id) for user_id in user_ids))


def _checked_id(user_id: Any) -> int | str:
    text = id_text(user_id, "user_ids")
    return positive_id(text, "user_ids") if text.isdigit() else text
