"""Leads of campaigns: added and updated in bulk (contract 6 and 7)."""

from typing import Literal

from voiso_async.errors import APIError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.row import Operation
from voiso_async.ingest.source import Leads as AnyLeads
from voiso_async.session import Session
from voiso_async.wire import Request, Response

__all__ = ["LeadWrites", "Leads"]


class LeadWrites:
    """The two calls that write leads, as the lanes use them."""

    def __init__(self, session: Session, update_verb: Literal["PATCH", "PUT"]) -> None:
        self._session = session
        self._verbs = {Operation.ADD: "POST", Operation.UPDATE: update_verb}

    async def post(self, campaign: int, operation: Operation, body: bytes) -> Response:
        """Send one batch, once."""
        return await self._session.attempt(self._request(campaign, operation, body))

    def explain(self, operation: Operation, response: Response) -> APIError:
        """Make the error of an answer that says no."""
        return self._session.api_error(self._request(1, operation), response)

    def _request(self, campaign: int, operation: Operation, body: bytes | None = None) -> Request:
        return Request.to(
            self._verbs[operation],
            "/campaigns/{campaign_id}/leads",
            {"campaign_id": campaign},
            body=body,
            scope="campaigns.manage",
        )


class Leads:
    """``voiso.leads``: hand over leads in any number, from any number of tasks."""

    def __init__(self, batcher: LeadBatcher) -> None:
        self._batcher = batcher

    def add(
        self,
        campaign_id: int | str,
        leads: AnyLeads,
        *,
        dedupe: bool = True,
        timeout: float | None = None,
    ) -> Ingestion:
        """Add leads to a campaign: await the result for the report, or iterate it for each lead's outcome.

        ``leads`` is any iterable or async iterable, of any length, of ``Lead``, mappings with the same fields, or
        phone numbers. They leave in batches of up to 1000, one at a time for each campaign, two seconds apart
        (contract 6.3), together with the leads of every other call on that campaign. A phone that comes twice in
        one call is sent once, which costs about 110 bytes a lead; ``dedupe=False`` is for endless sources.
        ``timeout`` is this caller's deadline in seconds. See ``Ingestion`` for what is raised.

        >>> report = await voiso.leads.add(3, [Lead("441632960123", name="R. Okafor")])   # doctest: +SKIP
        >>> print(report)                                                                  # doctest: +SKIP
        created 1
        """
        return self._batcher.ingest(Operation.ADD, campaign_id, leads, dedupe=dedupe, timeout=timeout)

    def update(self, campaign_id: int | str, updates: AnyLeads, *, timeout: float | None = None) -> Ingestion:
        """Change leads of a campaign, found by phone number: as ``add``, through the same lane.

        ``updates`` are ``LeadUpdate`` or mappings; only name, source, active and priority can be changed. Two
        updates of one phone keep their order. The verb is not published (contract 7): if every update gives 404
        or 405, make the client with ``update_verb="PUT"``. An answer without lists leaves rows UNREPORTED.
        """
        return self._batcher.ingest(Operation.UPDATE, campaign_id, updates, dedupe=False, timeout=timeout)
