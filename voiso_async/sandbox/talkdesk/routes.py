"""Which path and method lead to which endpoint of Talkdesk, and which scope the token needs for it."""

from collections.abc import Collection

from aiohttp import web

from voiso_async.sandbox.handler import Endpoint, Request, RequestHandler, Routes, find_endpoint
from voiso_async.sandbox.replies import Reply
from voiso_async.sandbox.talkdesk.account import Talkdesk
from voiso_async.sandbox.talkdesk.campaigns import (
    attach_lists,
    get_campaign,
    get_user,
    list_campaign_lists,
    list_campaign_users,
    list_campaigns,
    list_users,
    update_campaign,
)
from voiso_async.sandbox.talkdesk.records import add_records, create_list, get_list, list_lists
from voiso_async.sandbox.talkdesk.request import TalkdeskRequest, api_error
from voiso_async.sandbox.talkdesk.tokens import issue_token
from voiso_async.sandbox.voiso.state import State

TALKDESK_ROOT = "/talkdesk"
READ, WRITE, MANAGE, USERS = "campaigns:read", "campaigns:write", "record-lists:manage", "users:read"

CAMPAIGN = r"/campaigns/(?P<campaign>[^/]+)"
LIST = r"/record-lists/(?P<list>[^/]+)"
ROUTES: Routes = {
    r"/oauth/token": {"POST": Endpoint("", issue_token)},
    r"/campaigns": {"GET": Endpoint(READ, list_campaigns)},
    CAMPAIGN: {"GET": Endpoint(READ, get_campaign), "PATCH": Endpoint(WRITE, update_campaign)},
    CAMPAIGN + "/users": {"GET": Endpoint(READ, list_campaign_users)},
    CAMPAIGN + "/record-lists": {
        "GET": Endpoint(READ, list_campaign_lists),
        "POST": Endpoint(WRITE, attach_lists),
    },
    r"/users": {"GET": Endpoint(USERS, list_users)},
    r"/users/(?P<user>[^/]+)": {"GET": Endpoint(USERS, get_user)},
    r"/record-lists": {"GET": Endpoint(MANAGE, list_lists), "POST": Endpoint(MANAGE, create_list)},
    LIST: {"GET": Endpoint(MANAGE, get_list)},
    LIST + "/records/bulks": {"POST": Endpoint(MANAGE, add_records)},
}


class TalkdeskHandler(RequestHandler):
    """Handles one request to the Talkdesk account; ``origin`` is what its links begin with."""

    def __init__(
        self,
        http_request: web.BaseRequest,
        state: State,
        *,
        path: str,
        fault: str | None,
        account: Talkdesk,
        origin: str,
    ) -> None:
        self._account = account
        self._root = f"{origin}{TALKDESK_ROOT}"
        super().__init__(http_request, state, path=path, fault=fault)

    def _keys(self) -> Collection[str]:
        return self._account.tokens

    def _accept(self, key: str | None) -> tuple[Endpoint, TalkdeskRequest]:
        path = self.exchange.path.removeprefix(TALKDESK_ROOT)
        endpoint, ids = find_endpoint(ROUTES, self.http_request.method, path, wrong_method=405)
        family = path.split("/")[1]
        if endpoint.scope:
            self._check_token(family, endpoint.scope, key)
        headers = {name.lower(): value for name, value in self.http_request.headers.items()}
        return endpoint, TalkdeskRequest(
            account=self._account,
            family=family,
            root=self._root,
            path=path,
            query=self._query,
            headers=headers,
            ids=ids,
        )

    def _check_token(self, family: str, scope: str, key: str | None) -> None:
        token = self._account.tokens.get(key or "")
        if token is None or token.until <= self._account.clock():
            raise api_error(family, 401)
        if scope not in token.scopes:
            raise api_error(family, 403, description=f"{scope} is missing")

    async def _run_endpoint(self, endpoint: Endpoint, request: Request) -> Reply:
        posted = self.http_request.method == "POST"
        # Count bulk requests that overlap: the client must not send two to one list at once.
        target = self._account.lists.get(request.ids.get("list", "")) if posted else None
        if target is not None:
            target.concurrent_requests += target.in_flight > 0
            target.in_flight += 1
        try:
            await self.pause(self._account.rules.latency)
            return await super()._run_endpoint(endpoint, request)
        finally:
            if target is not None:
                target.in_flight -= 1
