"""Campaigns, their state, and their users."""

from collections.abc import Iterable
from typing import Any

import anyio

from voiso_async.decipher import decode_json, only_accepted
from voiso_async.errors import ConfigurationError, DeadlineExceededError, VoisoError
from voiso_async.models.campaigns import Campaign, campaign_from
from voiso_async.models.users import User
from voiso_async.pages import OffsetPages, page_of
from voiso_async.paginator import Paginator
from voiso_async.resources.campaign_users import READ, CampaignUsers, campaign_request
from voiso_async.resources.params import query
from voiso_async.session import Session
from voiso_async.wire import Request, check_seconds, positive_id

SHORTEST = 0.001
"""Seconds of a wait that rests at all."""

_REACHED = {
    "start": {"active", "processing", "auto_paused", "auto_pausing"},
    "pause": {"paused", "pausing"},
    "stop": {"stopped", "stopping"},
}
"""What a campaign may show once the call has worked."""


class Campaigns:
    """``voiso.campaigns``: find, watch and drive campaigns, and say who works in them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._members = CampaignUsers(session)

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        strategy: str | None = None,
        method: str | None = None,
        live: bool | None = None,
        page_size: int = 100,
    ) -> Paginator[Campaign]:
        """List campaigns; ``name`` usually matches in part, ``page_size`` is 1 to 100.

        >>> async for campaign in voiso.campaigns.list(status="active"): ...   # doctest: +SKIP
        """
        params = query(name=name, status=status, strategy=strategy, method=method, live=live)
        request = Request.to("GET", "/campaigns", params=params, scope=READ, personal=False)
        return Paginator(
            self._session.send, OffsetPages(request, page_size=page_size), page_of(Campaign, "campaigns")
        )

    async def get(self, campaign_id: int | str) -> Campaign:
        """Read one campaign with its full configuration.

        Raises:
            APIError: the server refused it: ``NotFoundError`` 404, ``PermissionDeniedError`` 403 and so on.
            TransportError: no usable answer came, after the retries of ``RetryPolicy``.

        >>> campaign = await voiso.campaigns.get(3)                             # doctest: +SKIP
        """
        return await self._campaign(campaign_request("GET", "", campaign_id, scope=READ))

    async def start(self, campaign_id: int | str) -> Campaign:
        """Start dialling; the status of the answer may be a transition, see ``wait_for``.

        Sent once. If the answer is lost, one look at the campaign tells whether it worked; else the error is
        raised with ``proof == "in_doubt"``. An answer without a campaign makes for a look at it too.

        Raises:
            APIError: the server refused it: ``ConflictError`` 409 if the state does not allow it.
            TransportError: no usable answer came, and a look did not tell; ``proof`` says what is certain.

        >>> campaign = await voiso.campaigns.start(3)                           # doctest: +SKIP
        """
        return await self._change_state("start", campaign_id)

    async def pause(self, campaign_id: int | str) -> Campaign:
        """Pause dialling; as careful as ``start``.

        Raises:
            APIError: the server refused it: ``ConflictError`` 409 if the campaign is not active.
            TransportError: no usable answer came, and a look did not tell.
        """
        return await self._change_state("pause", campaign_id)

    async def stop(self, campaign_id: int | str) -> Campaign:
        """End dialling; as careful as ``start``.

        Raises:
            APIError: the server refused it.
            TransportError: no usable answer came, and a look did not tell.
        """
        return await self._change_state("stop", campaign_id)

    async def wait_for(
        self,
        campaign_id: int | str,
        status: str | Iterable[str],
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - part of the public face
        poll: float = 2.0,
    ) -> Campaign:
        """Look every ``poll`` seconds until the campaign has the status, or one of several; give it as it is then.

        ``timeout`` and ``poll`` are seconds. The API has no event for a change, so each look is a GET.

        Raises:
            APIError: the server refused a look.
            TransportError: a look got no usable answer, after the retries.
            DeadlineExceededError: the time is over; its ``campaign`` is how the campaign was last seen, if it was.
        """
        wanted = _checked(status)
        check_seconds("timeout", timeout, least=SHORTEST, endless=True)
        check_seconds("poll", poll, least=SHORTEST, endless=True)
        self._session.ensure_usable()  # without a running loop there is no timer either
        campaign = None
        with anyio.move_on_after(timeout):
            while True:
                campaign = await self.get(campaign_id)
                if campaign.status in wanted:
                    return campaign
                await anyio.sleep(poll)
        seen = "was never seen" if campaign is None else f"is {campaign.status}"
        error = DeadlineExceededError(
            f"after {timeout:g} s the campaign {seen}, not {' or '.join(sorted(wanted))}"
        )
        error.campaign = campaign
        raise error

    def users(self, campaign_id: int | str, *, page_size: int = 100) -> Paginator[User]:
        """List the users assigned to a campaign."""
        return self._members.paginate(campaign_id, page_size)

    async def add_users(self, campaign_id: int | str, user_ids: Iterable[int | str]) -> tuple[User, ...]:
        """Assign any number of users, 100 a request; give those that were added.

        Users who were assigned already are usually left out. After a lost answer the request is repeated, which is
        harmless, and those found assigned are given.

        Raises:
            APIError: the server refused a request.
            TransportError: a request got no usable answer.

        When a request fails, the users of those before it stay: ``error.added_users`` says how far it came.
        """
        return await self._members.add(campaign_id, user_ids)

    async def remove_user(self, campaign_id: int | str, user_id: int | str) -> User | None:
        """Take a user out of a campaign.

        After a lost answer the request is repeated; ``None`` if the user is gone by then.

        Raises:
            NotFoundError: the user was not assigned, or there is no such campaign.
            APIError: the server refused it otherwise.
            TransportError: no usable answer came.
        """
        return await self._members.remove(campaign_id, user_id)

    async def _campaign(self, request: Request) -> Campaign:
        response = await self._session.send(request)
        return campaign_from(decode_json(response, request), request.name)

    async def _change_state(self, action: str, campaign_id: int | str) -> Campaign:
        request = campaign_request("POST", f"/{action}", campaign_id)
        try:
            response = await self._session.send(request)
            if not only_accepted(response, request, "campaign", "id"):
                return campaign_from(decode_json(response, request), request.name)
            lost = None
        except VoisoError as error:
            if error.proof != "in_doubt":
                raise
            lost = error
        campaign = await self._look(campaign_id)
        if lost is None:
            return campaign or Campaign(id=positive_id(campaign_id))
        if campaign is not None and campaign.status in _REACHED[action]:
            return campaign
        raise lost

    async def _look(self, campaign_id: int | str) -> Campaign | None:
        try:
            return await self.get(campaign_id)
        except VoisoError:
            return None


def _checked(status: Any) -> set[str]:
    statuses = {status} if isinstance(status, str) else set(status) if isinstance(status, Iterable) else set()
    if not statuses or not all(isinstance(one, str) and one for one in statuses):
        raise ConfigurationError("status must be a status, such as paused, or several; nothing was sent")
    return statuses
