"""One request as the handlers see it."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, define, field

from voiso_async.sandbox.answers import Answer, Refused, busy_answer, refuse, retry_after_header
from voiso_async.sandbox.centre import Centre
from voiso_async.sandbox.checks import read_page
from voiso_async.sandbox.gate import Turn
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.state import Campaign

__all__ = ["Call"]


@define(kw_only=True, eq=False)
class Call:
    """What a handler needs; ``first`` bounds how many leads are applied, ``applied`` says which were."""

    centre: Centre
    rules: Rules
    query: Mapping[str, Sequence[str]]
    ids: Mapping[str, str] = Factory(dict)
    body: bytes = field(default=b"", repr=False)
    turn: Turn | None = None
    first: int | None = None
    applied: list[str] = field(factory=list, repr=False)

    @property
    def campaign(self) -> Campaign:
        """The campaign of the path; unknown ones are refused with 404 (rule 3)."""
        campaign = self.centre.campaigns.get(int(self.ids["campaign"]))
        if campaign is None:
            raise refuse(404)
        return campaign

    def asked(self, name: str, default: str) -> str:
        """Give the first value of a query parameter."""
        return self.query.get(name, [default])[0]

    async def admit(self, *, seconds: float | None = None) -> None:
        """Pass the last checks, 429 and then busy, and spend the time that the work takes."""
        limit = self.rules.limit
        if limit is not None and not self.centre.limiter.admits(self.centre.clock(), limit):
            raise refuse(429, retry_after_header(limit.retry_after))
        if self.turn is not None and self.turn.early:
            self.turn.busy = True
            raise Refused(busy_answer(self.rules.busy_status, self.rules.busy_retry_after))
        await self.centre.pause(self.rules.latency if seconds is None else seconds)

    def page(self, name: str, items: list[Any]) -> Answer:
        """Answer one page of ``items`` (contract 4); call it before ``admit`` to check the query."""
        limit, offset = read_page(
            self.asked("limit", str(self.rules.max_page)), self.asked("offset", "0"), self.rules
        )
        if self.rules.page_cap is not None:
            limit = min(limit, self.rules.page_cap)
        if self.rules.ignore_offset:
            offset = 0
        return Answer.json(200, {name: items[offset : offset + limit], "metadata": {"total": len(items)}})
