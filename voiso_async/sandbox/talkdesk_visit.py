"""One request to the Talkdesk account on its way through the sandbox (Talkdesk contract 11.2)."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping

from aiohttp import web
from attrs import frozen

from voiso_async.sandbox.answers import Answer, refuse
from voiso_async.sandbox.centre import Centre
from voiso_async.sandbox.talkdesk import Talkdesk
from voiso_async.sandbox.talkdesk_ask import Ask, denied
from voiso_async.sandbox.talkdesk_campaigns import (
    attach_lists,
    get_group,
    get_talkdesk_user,
    list_group_lists,
    list_group_users,
    list_groups,
    list_talkdesk_users,
    patch_group,
)
from voiso_async.sandbox.talkdesk_records import add_records, create_list, get_list, list_lists
from voiso_async.sandbox.talkdesk_tokens import give_token
from voiso_async.sandbox.visit import Visit

__all__ = ["TALKDESK_ROOT", "TalkdeskVisit"]

TALKDESK_ROOT = "/talkdesk"
READ, WRITE, MANAGE, USERS = "campaigns:read", "campaigns:write", "record-lists:manage", "users:read"


@frozen
class _Endpoint:
    scope: str
    handler: Callable[[Ask], Awaitable[Answer]]


GROUP = r"/campaigns/(?P<campaign>[^/]+)"
LIST = r"/record-lists/(?P<list>[^/]+)"
ROUTES: Mapping[str, Mapping[str, _Endpoint]] = {
    r"/oauth/token": {"POST": _Endpoint("", give_token)},
    r"/campaigns": {"GET": _Endpoint(READ, list_groups)},
    GROUP: {"GET": _Endpoint(READ, get_group), "PATCH": _Endpoint(WRITE, patch_group)},
    GROUP + "/users": {"GET": _Endpoint(READ, list_group_users)},
    GROUP + "/record-lists": {"GET": _Endpoint(READ, list_group_lists), "POST": _Endpoint(WRITE, attach_lists)},
    r"/users": {"GET": _Endpoint(USERS, list_talkdesk_users)},
    r"/users/(?P<user>[^/]+)": {"GET": _Endpoint(USERS, get_talkdesk_user)},
    r"/record-lists": {"GET": _Endpoint(MANAGE, list_lists), "POST": _Endpoint(MANAGE, create_list)},
    LIST: {"GET": _Endpoint(MANAGE, get_list)},
    LIST + "/records/bulks": {"POST": _Endpoint(MANAGE, add_records)},
}


class TalkdeskVisit(Visit):
    """One request; faults play with it as with any other."""

    def __init__(
        self,
        request: web.BaseRequest,
        centre: Centre,
        *,
        path: str,
        fault: str | None,
        talkdesk: Talkdesk,
        origin: str,
    ) -> None:
        self._talkdesk = talkdesk
        self._origin = origin
        self._ask: Ask | None = None
        self._to: _Endpoint | None = None
        super().__init__(request, centre, path=path, fault=fault)

    def _keys(self) -> Collection[str]:
        return self._talkdesk.tokens

    def _arrive(self, key: str | None) -> None:
        path = self.exchange.path.removeprefix(TALKDESK_ROOT)
        family = path.split("/")[1]
        for pattern, verbs in ROUTES.items():
            if match := re.fullmatch(pattern, path):
                self._to = verbs.get(self.request.method)
                break
        else:
            raise refuse(404)
        if self._to is None:
            raise refuse(405)
        if self._to.scope:
            self._admit(family, self._to.scope, key)
        self._ask = Ask(
            talkdesk=self._talkdesk,
            family=family,
            root=f"{self._origin}{TALKDESK_ROOT}",
            path=path,
            query={name: self.request.query.getall(name) for name in self.request.query},
            headers={name.lower(): value for name, value in self.request.headers.items()},
            ids=match.groupdict(),
        )

    def _admit(self, family: str, scope: str, key: str | None) -> None:
        token = self._talkdesk.tokens.get(key or "")
        if token is None or token.until <= self._talkdesk.clock():
            raise denied(family, 401)
        if scope not in token.scopes:
            raise denied(family, 403, description=f"{scope} is missing")

    async def _handle(self) -> Answer:
        if self._refused is not None or self._ask is None or self._to is None:
            raise self._refused or refuse(404)
        if self.rules.max_body is not None and len(self._call.body) > self.rules.max_body:
            raise refuse(413)
        ask = self._ask
        ask.body, ask.first, ask.applied = self._call.body, self._call.first, self._call.applied
        found = self._talkdesk.lists.get(ask.ids.get("list", "")) if self.request.method == "POST" else None
        if found is not None:
            found.crowded += found.flying > 0
            found.flying += 1
        try:
            await self.pause(self._talkdesk.rules.latency)
            return await self._to.handler(ask)
        finally:
            if found is not None:
                found.flying -= 1
