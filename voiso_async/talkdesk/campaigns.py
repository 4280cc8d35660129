"""Campaigns of a Talkdesk account: found, paused, resumed, fed."""

from collections.abc import Iterable, Mapping
from typing import Any

from voiso_async.convert import encode, structure
from voiso_async.decipher import decode_json, only_accepted
from voiso_async.errors import ConfigurationError, UsageError
from voiso_async.paginator import Paginator
from voiso_async.resources.params import query
from voiso_async.talkdesk.models import CampaignUser, RecordList, TalkdeskCampaign
from voiso_async.talkdesk.pages import listing
from voiso_async.talkdesk.session import TalkdeskSession, request_to

READ, WRITE = "campaigns:read", "campaigns:write"
CAMPAIGN = "/campaigns/{campaign_id}"
MOST_LISTS = 100  # record lists in one request
STATUS_PATH = "status"


class TalkdeskCampaigns:
    """``talkdesk.campaigns``: find campaigns, pause and resume them, say who works in them and whom they dial."""

    def __init__(self, calls: TalkdeskSession) -> None:
        self._calls = calls

    def list(
        self,
        *,
        name: str | None = None,
        search: str | None = None,
        status: str | None = None,
        dialing_mode: str | None = None,
        priority: int | None = None,
        action_required: bool | None = None,
        user_id: str | None = None,
        team_id: str | None = None,
        record_list_id: str | None = None,
        order_by: str | None = None,
        page_size: int = 100,
    ) -> Paginator[TalkdeskCampaign]:
        """List campaigns; needs the scope ``campaigns:read``.

        ``status`` is incomplete, ready, running or paused, in any case; ``search`` looks in names, and
        ``user_id`` gives the campaigns of one user. ``page_size`` is 1 to 100.

        >>> async for campaign in talkdesk.campaigns.list(status="running"): ...   # doctest: +SKIP
        """
        params = query(
            name=name,
            search=search,
            status=status.lower() if isinstance(status, str) else status,
            dialing_mode=dialing_mode.upper() if isinstance(dialing_mode, str) else dialing_mode,
            priority=priority,
            action_required=action_required,
            user_id=user_id,
            team_id=team_id,
            record_list_id=record_list_id,
            order_by=order_by,
        )
        request = request_to("GET", "/campaigns", params=params, scope=READ, personal=False)
        # the documents also spell it so
        return listing(self._calls, request, TalkdeskCampaign, "campaigns", "campaings", page_size=page_size)

    async def get(self, campaign_id: str) -> TalkdeskCampaign:
        """Read one campaign."""
        return await self._campaign("GET", campaign_id, READ)

    def users(self, campaign_id: str, *, page_size: int = 100) -> Paginator[CampaignUser]:
        """List the users of a campaign: ids alone, ``talkdesk.users.resolve`` has names for them."""
        request = request_to("GET", f"{CAMPAIGN}/users", {"campaign_id": campaign_id}, scope=READ)
        return listing(self._calls, request, CampaignUser, "users", page_size=page_size)

    async def resume(self, campaign_id: str) -> TalkdeskCampaign:
        """Start dialling, or go on with it; a campaign that cannot gives 422. A lost answer is asked for again."""
        return await self._set_status(campaign_id, "running")

    async def pause(self, campaign_id: str) -> TalkdeskCampaign:
        """Pause dialling; as ``resume``."""
        return await self._set_status(campaign_id, "paused")

    async def stop(self, campaign_id: str) -> TalkdeskCampaign:  # noqa: ARG002 - as its namesake of Voiso
        """Talkdesk has no such call: this raises ``UsageError`` and sends nothing."""
        raise UsageError("a Talkdesk campaign cannot be stopped, only paused; nothing was sent")

    def record_lists(self, campaign_id: str, *, page_size: int = 100) -> Paginator[RecordList]:
        """List the record lists that a campaign dials."""
        request = request_to("GET", f"{CAMPAIGN}/record-lists", {"campaign_id": campaign_id}, scope=READ)
        return listing(self._calls, request, RecordList, "record_lists", page_size=page_size)

    async def add_record_lists(self, campaign_id: str, list_ids: Iterable[str]) -> None:
        """Let a campaign dial record lists, 100 a request; a list that it dials already does no harm.

        Needs the scope ``campaigns:write``. A lost answer is asked for again.
        """
        ids = _checked(list_ids)
        for start in range(0, len(ids), MOST_LISTS):
            body = encode([{"id": one} for one in ids[start : start + MOST_LISTS]])
            request = request_to(
                "POST",
                f"{CAMPAIGN}/record-lists",
                {"campaign_id": campaign_id},
                body=body,
                scope=WRITE,
                personal=False,
            )
            await self._calls.send(request, repeat_in_doubt=True)

    async def _set_status(self, campaign_id: str, status: str) -> TalkdeskCampaign:
        body = encode({"op": "REPLACE", "path": STATUS_PATH, "value": status})
        return await self._campaign("PATCH", campaign_id, WRITE, body)

    async def _campaign(
        self, method: str, campaign_id: str, scope: str, body: bytes | None = None
    ) -> TalkdeskCampaign:
        ids = {"campaign_id": campaign_id}
        request = request_to(method, CAMPAIGN, ids, body=body, scope=scope, personal=False)
        response = await self._calls.send(request, repeat_in_doubt=True)
        if body is not None and only_accepted(response, request, "id"):
            return await self.get(campaign_id)
        return structure(decode_json(response, request), TalkdeskCampaign, request=request.name)


def _checked(list_ids: Any) -> tuple[str, ...]:
    if isinstance(list_ids, str | bytes | Mapping) or not isinstance(list_ids, Iterable):
        raise ConfigurationError("list_ids must be a list of ids; nothing was sent")
    ids = tuple(dict.fromkeys(list_ids))
    if not all(isinstance(one, str) and one for one in ids):
        raise ConfigurationError("list_ids must hold ids of record lists, as text; nothing was sent")
    return ids
