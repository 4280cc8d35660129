"""What one client sent and received, and what its callers handed over: two of the three histories."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import define, frozen

from voiso_async.errors import VoisoError
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.report import IngestReport
from voiso_async.sandbox import Exchange
from voiso_async.transport import Transport
from voiso_async.wire import Response

LEADS_PATH = re.compile(r"/campaigns/([0-9]+)/leads")
CREATED, DUPLICATES, REJECTED = "created", "duplicates", "rejected"
UPDATED = {"updated", "created", "contacts"}
ERRORS = ("error", "errors")
CLEAR = {401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 429, 431, 451}
"""A refusal even if a proxy says it; any other status needs the vendor's own words to be one."""


@define(eq=False, repr=False)
class Attempt:
    """One lead write of a client: its leads, and the answer."""

    client: Transport
    campaign: int
    method: str
    body: bytes
    began: float
    ended: float = float("inf")
    answer: Response | None = None
    proof: str | None = None
    exchange: Exchange | None = None

    @cached_property
    def leads(self) -> list[dict[str, Any]]:
        return list(json.loads(self.body))

    @cached_property
    def phones(self) -> list[str]:
        return [lead["phone_number"] for lead in self.leads]

    @cached_property
    def told(self) -> str:
        """What the client may conclude: answered, refused, unsent, vague (a refusal of unknown origin) or lost."""
        if self.answer is None:
            return "unsent" if self.proof == "not_sent" else "lost"
        status = self.answer.status
        if 200 <= status < 300:
            says = any(self.lists.values()) if self._names_an_error else bool(self.lists)
            return "answered" if says or self._is_silent_update else "lost"
        if 300 <= status < 500 and status != 408:
            return "refused" if b'"error' in self.answer.body or status < 400 or status in CLEAR else "vague"
        return "lost"

    @property
    def _is_silent_update(self) -> bool:
        """The answer to an update may have no lists: it may be empty, or an object that names no error."""
        body = b"" if self.answer is None else self.answer.body.strip()
        harmless = isinstance(_decoded(body), dict) and not self.lists and not self._names_an_error
        return self.method != "POST" and (not body or harmless)

    @property
    def _names_an_error(self) -> bool:
        """Whether an error field has any text, at the top or one level below."""
        decoded = _decoded(b"" if self.answer is None else self.answer.body)
        holders = [decoded, *decoded.values()] if isinstance(decoded, dict) else []
        errors = [holder.get(name) for holder in holders if isinstance(holder, dict) for name in ERRORS]
        return any(
            re.search(r"[^\s\[\]{}\",:]", re.sub(r'"[^"]*":|null|false', "", json.dumps(e))) for e in errors
        )

    @cached_property
    def lists(self) -> dict[str, set[str]]:
        """The lists of a 2xx answer, read independently of the client's reader."""
        if self.answer is None or not 200 <= self.answer.status < 300:
            return {}
        decoded = _decoded(self.answer.body)
        wrapped = [v for k, v in decoded.items() if k not in ERRORS] if isinstance(decoded, dict) else []
        holders = [*wrapped, decoded]
        names = {CREATED, DUPLICATES, REJECTED} if self.method == "POST" else {*UPDATED, REJECTED}
        for holder in holders:
            if isinstance(holder, dict) and any(isinstance(holder.get(name), list) for name in names):
                return {name: set(_numbers(holder.get(name))) for name in names}
        return {}

    @cached_property
    def by_phone(self) -> dict[str, Any]:
        return dict(zip(self.phones, self.leads, strict=True))

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(self.phones)

    @property
    def applied(self) -> tuple[str, ...]:
        """The numbers that the server newly created or updated."""
        return () if self.exchange is None else self.exchange.applied

    @property
    def asked_for(self) -> int:
        """The wait in seconds that the server asked for."""
        asked = "" if self.answer is None else self.answer.headers.get("retry-after", "")
        return int(asked) if asked.isdigit() else 0

    def leaves_open(self, phone: str) -> bool:
        """Whether this attempt leaves open what became of the phone."""
        wordless = self.told == "answered" and 1 != len(self.lists_of(phone))
        return wordless or self.told in {"lost", "vague"}

    @property
    def refused_as_a_whole(self) -> bool:
        """Whether the answer refuses all new leads because of some: that it stored none is an assumption."""
        whole = self.answer is not None and self.answer.status in {400, 422}
        return self.told == "refused" and whole and self.method == "POST"

    def lists_of(self, phone: str) -> list[str]:
        return [name for name, numbers in self.lists.items() if phone in numbers]


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))  # given bytes it would accept UTF-16 too
    except (ValueError, RecursionError):
        return None


def _numbers(items: Any) -> Iterator[str]:
    for item in items if isinstance(items, list) else []:
        number = item.get("phone_number") if isinstance(item, dict) else item
        yield re.sub(r"\D", "", str(number))


@frozen(eq=False, repr=False)
class Handed:
    """One ``add()`` or ``update()``: what the caller handed over, and the ingestion that reports on it."""

    client: Transport
    campaign: int
    leads: list[Any] | None
    ingestion: Ingestion

    @property
    def report(self) -> IngestReport:
        return self.ingestion.report

    @property
    def error(self) -> VoisoError | None:
        return self.ingestion._submission.error if self.ingestion._submission else None

    @property
    def went_through(self) -> bool:
        """Whether nothing ended it early."""
        submission = self.ingestion._submission
        return submission is not None and submission.done and not submission.cancelled and self.error is None

    @cached_property
    def phones(self) -> list[str]:
        return [phone for lead in self.leads or [] if (phone := _phone_of(lead)).isdigit()]


@frozen(eq=False, repr=False)
class Told:
    """The report that a caller got at the end, and when."""

    ingestion: Ingestion
    report: IngestReport
    at: float


def _phone_of(lead: Any) -> str:
    if isinstance(lead, Mapping):
        lead = lead.get("phone_number")
    return re.sub(r"\D", "", str(getattr(lead, "phone_number", lead)))
