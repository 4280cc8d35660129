"""One request as the Voiso endpoints see it."""

from typing import Any

from attrs import define

from voiso_async.sandbox.handler import Request
from voiso_async.sandbox.replies import HttpError, Reply, busy_reply, http_error, retry_after_header
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.voiso.checks import read_page
from voiso_async.sandbox.voiso.state import Campaign, LeadRequest, State


@define(kw_only=True, eq=False)
class VoisoRequest(Request):
    """Adds the data, the rules that were in force when the request arrived, and what endpoints have in common."""

    state: State
    rules: Rules
    lead_request: LeadRequest | None = None

    @property
    def campaign(self) -> Campaign:
        """The campaign in the path; an unknown one is a 404."""
        campaign = self.state.campaigns.get(int(self.ids["campaign"]))
        if campaign is None:
            raise http_error(404)
        return campaign

    async def admit(self, *, seconds: float | None = None) -> None:
        """Do the last checks, 429 and then busy, and wait as long as the work takes.

        Endpoints call it after all other checks and before they change anything.
        """
        limit = self.rules.limit
        if limit is not None and not self.state.limiter.admits(self.state.clock(), limit):
            raise http_error(429, retry_after_header(limit.retry_after))
        if self.lead_request is not None and self.lead_request.early:
            self.lead_request.busy = True
            raise HttpError(busy_reply(self.rules.busy_status, self.rules.busy_retry_after))
        await self.state.pause(self.rules.latency if seconds is None else seconds)

    def page(self, name: str, items: list[Any]) -> Reply:
        """Reply with one page of ``items``; call it before ``admit``, since it checks the query."""
        limit, offset = read_page(
            self.param("limit", str(self.rules.max_page)), self.param("offset", "0"), self.rules
        )
        if self.rules.page_cap is not None:
            limit = min(limit, self.rules.page_cap)
        if self.rules.ignore_offset:
            offset = 0
        return Reply.json(200, {name: items[offset : offset + limit], "metadata": {"total": len(items)}})
