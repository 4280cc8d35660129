"""Record lists: the way people to call reach a Talkdesk campaign."""

import time
from collections.abc import Callable
from typing import Any

import anyio

from voiso_async.convert import encode, structure
from voiso_async.decipher import decode_json, only_accepted
from voiso_async.errors import APIError, ConfigurationError, VoisoError
from voiso_async.ingest.policy import LanePolicy
from voiso_async.paginator import Paginator
from voiso_async.resources.params import query
from voiso_async.retry import RetryPolicy
from voiso_async.talkdesk.addition import RecordAddition
from voiso_async.talkdesk.models import IdentifierType, RecordList
from voiso_async.talkdesk.pages import listing
from voiso_async.talkdesk.session import TalkdeskSession, request_to
from voiso_async.talkdesk.submission import REPEATABLE, RecordRows, Records, RecordSource, RecordSubmission
from voiso_async.wire import Request, Response, check_seconds

MANAGE = "record-lists:manage"
LARGEST_PAGE = 500
LONGEST_NAME = 120
MOST_RECORDS = 100
HAL = "application/hal+json"
BULKS = "/record-lists/{list_id}/records/bulks"

RECORD_POLICY = LanePolicy(cooldown=0.0, max_rows=MOST_RECORDS)
"""A hundred records a request, no pace between them; every other bound and wait is that of a lane."""


class RecordLists:
    """``talkdesk.record_lists``: make and find lists, and fill them; needs the scope ``record-lists:manage``."""

    def __init__(
        self,
        calls: TalkdeskSession,
        *,
        policy: LanePolicy,
        retry: RetryPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._policy = policy
        self._retry = retry
        self._clock = clock
        self._locks: dict[str, anyio.Lock] = {}
        self._doubts: dict[str, set[str]] = {}

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        team_id: str | None = None,
        order_by: str | None = None,
        page_size: int = 100,
    ) -> Paginator[RecordList]:
        """List the record lists of the account; ``page_size`` is 1 to 500.

        How ``name`` matches is not documented; ``find`` compares whole names.
        """
        params = query(name=name, status=status, team_id=team_id, order_by=order_by)
        request = request_to("GET", "/record-lists", params=params, scope=MANAGE, personal=False)
        return listing(self._calls, request, RecordList, "record_lists", page_size=page_size, largest=LARGEST_PAGE)

    async def get(self, list_id: str) -> RecordList:
        """Read one list."""
        request = request_to("GET", "/record-lists/{list_id}", {"list_id": list_id}, scope=MANAGE)
        return _read(await self._calls.send(request), request)

    async def find(self, name: str) -> RecordList | None:
        """Find the list with exactly this name; several are a ``ConfigurationError``: give the id of one then."""
        found = [one async for one in self.list(name=_checked(name)) if one.name == name]
        if len(found) > 1:
            raise ConfigurationError("several record lists have this name: give the id of one; nothing was sent")
        return found[0] if found else None

    async def create(self, name: str, unique_identifier_type: str = IdentifierType.PHONE_NUMBER) -> RecordList:
        """Make a list; ``unique_identifier_type`` is PHONE_NUMBER, EXTERNAL or NOTHING.

        Sent once: after a lost answer the error has ``proof == "in_doubt"``, and ``find`` may tell.
        """
        kind = IdentifierType(unique_identifier_type)
        if kind not in list(IdentifierType):
            raise ConfigurationError(
                f"unique_identifier_type must be one of {', '.join(IdentifierType)}; nothing was sent"
            )
        body = encode({"name": _checked(name), "unique_identifier_type": kind.value})
        request = request_to("POST", "/record-lists", body=body, body_type=HAL, scope=MANAGE, personal=False)
        response = await self._calls.send(request)
        if only_accepted(response, request, "id") and (found := await self.find(name)):
            return found
        return _read(response, request)

    async def ensure(self, name: str, unique_identifier_type: str = IdentifierType.PHONE_NUMBER) -> RecordList:
        """Find the list with this name, or make it; after a lost answer it is looked for once more."""
        if (found := await self.find(name)) is not None:
            return found
        try:
            return await self.create(name, unique_identifier_type)
        except VoisoError as error:
            if error.proof != "in_doubt":
                raise
            lost = error
        if (found := await self.find(name)) is not None:
            return found
        raise lost

    def add(
        self,
        record_list: RecordList | str,
        records: Records,
        *,
        dedupe: bool = True,
        timeout: float | None = None,
    ) -> RecordAddition:
        """Add records to a list: await the result for the report, or iterate it for each record's outcome.

        ``records`` is any iterable or async iterable, of any length, of ``Record`` or mappings with its fields.
        They leave a hundred at a time, one request after the other for each list. A record whose identity (phone
        number, or external provider and id, as the list has it) came earlier in the call is REPEATED.

        After a lost answer the same records go again if the list tells records apart: what is there already is
        then CONFIRMED. A list of the type NOTHING is never sent a record twice: such records are UNKNOWN.

        >>> rui = Record("441632960123", first_name="Rui", last_name="Mota")     # doctest: +SKIP
        >>> report = await talkdesk.record_lists.add(list_id, [rui])             # doctest: +SKIP
        """
        feed = RecordSource(records)
        if timeout is not None:
            check_seconds("timeout", timeout)

        async def begin(streamed: bool) -> RecordSubmission:  # noqa: FBT001 - called by RecordAddition alone
            self._calls.ensure_usable()
            found = record_list if isinstance(record_list, RecordList) else await self.get(record_list)
            return self._submission(found, feed, dedupe=dedupe, streamed=streamed)

        return RecordAddition(begin, timeout)

    def _submission(
        self, found: RecordList, feed: RecordSource, *, dedupe: bool, streamed: bool
    ) -> RecordSubmission:
        kind, ids = found.unique_identifier_type, {"list_id": found.id}
        lock = self._locks.setdefault(found.id, anyio.Lock())

        async def post(body: bytes) -> Response:
            request = request_to("POST", BULKS, ids, body=body, body_type=HAL, scope=MANAGE)
            async with lock:
                return await self._calls.attempt(request)

        def explain(response: Response) -> APIError:
            return self._calls.api_error(request_to("POST", BULKS, ids, scope=MANAGE, personal=True), response)

        distinct = dedupe and kind in REPEATABLE
        return RecordSubmission(
            feed,
            RecordRows(kind, self._policy, self._clock, dedupe=distinct, streamed=streamed),
            post,
            explain,
            kind=kind,
            policy=self._policy,
            retry=self._retry,
            doubts=self._doubts.setdefault(found.id, set()),
            clock=self._clock,
        )


def _read(response: Response, request: Request) -> RecordList:
    return structure(decode_json(response, request), RecordList, request=request.name)


def _checked(name: Any) -> str:
    if isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME and name.isprintable():
        return name
    raise ConfigurationError(f"name must be a text of 1 to {LONGEST_NAME} characters; nothing was sent")
