"""Users of a Talkdesk account."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import anyio

from voiso_async.convert import structure
from voiso_async.decipher import decode_json
from voiso_async.errors import ConfigurationError, NotFoundError, VoisoError
from voiso_async.paginator import Paginator
from voiso_async.resources.params import query
from voiso_async.talkdesk.models import TalkdeskUser
from voiso_async.talkdesk.pages import listing
from voiso_async.talkdesk.session import TalkdeskSession, request_to

READ = "users:read"
LARGEST_PAGE = 200
MOST_ASKING = 4
FEW = 20
"""So many users are asked for one by one; of more, the account's own size decides."""


class TalkdeskUsers:
    """``talkdesk.users``: names and addresses; all of it needs the scope ``users:read``."""

    def __init__(self, calls: TalkdeskSession) -> None:
        self._calls = calls

    def list(
        self, *, email: str | None = None, active: bool | None = None, page_size: int = LARGEST_PAGE
    ) -> Paginator[TalkdeskUser]:
        """List the users of the account; ``page_size`` is 1 to 200."""
        request = request_to("GET", "/users", params=query(email=email, active=active), scope=READ)
        return listing(self._calls, request, TalkdeskUser, "users", page_size=page_size, largest=LARGEST_PAGE)

    async def get(self, user_id: str) -> TalkdeskUser:
        """Read one user."""
        request = request_to("GET", "/users/{user_id}", {"user_id": user_id}, scope=READ)
        response = await self._calls.send(request)
        return structure(decode_json(response, request), TalkdeskUser, request=request.name)

    async def resolve(self, user_ids: Iterable[str]) -> Mapping[str, TalkdeskUser | None]:
        """Find who the users of a campaign are; one that is not known any more is ``None``.

        Asks for each, a few at a time, or reads the whole account where that takes fewer requests.

        >>> members = await talkdesk.campaigns.users(campaign_id).collect()        # doctest: +SKIP
        >>> who = await talkdesk.users.resolve(user.id for user in members)        # doctest: +SKIP
        """
        if isinstance(user_ids, str | bytes | Mapping):
            raise ConfigurationError("user_ids must be a list of ids; nothing was sent")
        found: dict[str, TalkdeskUser | None] = dict.fromkeys(user_ids)
        if len(found) > FEW:
            await self._sweep(found)
        await self._ask([one for one, user in found.items() if user is None], found)
        return found

    async def _sweep(self, found: dict[str, TalkdeskUser | None]) -> None:
        """Read the account page by page, unless its first page tells that asking for each is cheaper."""
        async for page in self.list().pages():
            found.update({user.id: user for user in page if user.id in found})
            missing = sum(user is None for user in found.values())
            if not missing or (page.total or 0) > missing * LARGEST_PAGE:
                return

    async def _ask(self, ids: Sequence[str], found: dict[str, TalkdeskUser | None]) -> None:
        failures = deque[VoisoError]()
        waiting = iter(ids)

        async def ask() -> None:
            for one in waiting:
                try:
                    found[one] = await self.get(one)
                except NotFoundError:
                    found[one] = None
                except VoisoError as error:
                    failures.append(error)
                if failures:
                    return

        async with anyio.create_task_group() as group:
            for _ in range(min(MOST_ASKING, len(ids))):
                group.start_soon(ask)
        if failures:
            raise failures[0]
