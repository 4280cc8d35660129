"""What one attempt to add records proved, and what its answer says of each. Pure.

The first line that fits decides; "envelope" is the vendor's own error body.

====================================================================== ==========
proof                                                                  verdict
====================================================================== ==========
nothing was sent, and no repeat would help                             Fatal
nothing was sent                                                       NotSent
no complete answer; 408; 5xx; a 2xx without records                    InDoubt
a 2xx with records                                                     Taken
429                                                                    Busy
413; 400 with code 0530936                                             TooLarge
400 with code 0530911                                                  Fatal
400 or 422 with envelope                                               Refused
3xx and the statuses of ``FATAL``; any other answer with envelope      Fatal
anything else                                                          InDoubt
====================================================================== ==========
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

from voiso_async.convert import decode
from voiso_async.decipher import ErrorBody, clean_text
from voiso_async.errors import (
    APIError,
    ConfigurationError,
    ResponseError,
    TLSError,
    UnexpectedError,
    UsageError,
    VoisoError,
)
from voiso_async.ingest.bisection import Refusal
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.verdict import FATAL, Busy, Fatal, InDoubt, NotSent, Refused, TooLarge
from voiso_async.phone import digits_of
from voiso_async.talkdesk.models import IdentifierType
from voiso_async.talkdesk.records import RecordRow, identity_of
from voiso_async.talkdesk.session import parse_talkdesk_error
from voiso_async.wire import Response

TOO_MANY = "0530936"
LIST_FULL = "0530911"
NOT_UNIQUE = "_NOT_UNIQUE"
MOST_CODES = 10
FIELDS = ("phone_number", "first_name", "last_name", "timezone", "priority", "external")
PASSING = frozenset({408, 429, *range(500, 600)})

Answered = Sequence[Mapping[str, Any]]


@frozen
class Accepted:
    """A usable answer: the records in it, as they came."""

    records: Answered


@frozen
class RecordReply:
    """What an answer says of one row."""

    outcome: Outcome
    reason: str | None = None
    field: str | None = None
    detail: str | None = None


AnyVerdict = NotSent | InDoubt | Accepted | Busy | TooLarge | Refused | Fatal


def verdict_of(answer: Response | VoisoError) -> AnyVerdict:
    """Judge one attempt by its answer, or by the error that came in its place."""
    if isinstance(answer, Response):
        return _of_response(answer)
    if isinstance(answer, UnexpectedError):
        return Fatal(everything=True)
    if answer.proof != "not_sent":
        return InDoubt()
    refused = isinstance(answer, APIError) and answer.status not in PASSING  # no token can be had
    permanent = isinstance(answer, TLSError | ConfigurationError | UsageError | ResponseError)
    return Fatal(everything=True) if refused or permanent else NotSent()


def _of_response(response: Response) -> AnyVerdict:
    status = response.status
    if status == 408 or status >= 500:
        return InDoubt()
    if 200 <= status < 300:
        records = _records_in(response)
        return InDoubt() if records is None else Accepted(records)
    return _of_refusal(status, parse_talkdesk_error(response.body))


def _of_refusal(status: int, error: ErrorBody | None) -> AnyVerdict:
    if status == 429:
        return Busy()
    if status == 413 or (error and error.code == TOO_MANY):
        return TooLarge()
    if status in (400, 422) and error and error.code != LIST_FULL:
        return Refused(Refusal(status, error.message, error.fields))
    if error or status in FATAL or 300 <= status < 400:
        return Fatal()
    return InDoubt()


def _records_in(response: Response) -> Answered | None:
    with suppress(ResponseError):
        body = decode(response.body)
        embedded = body.get("_embedded") if isinstance(body, dict) else None
        records = embedded.get("records") if isinstance(embedded, dict) else None
        if isinstance(records, list):
            return [record if isinstance(record, dict) else {} for record in records]
    return None


def record_reply(record: Mapping[str, Any]) -> RecordReply:
    """Read one record of an answer: it failed if and only if ``errors`` is a list with something in it."""
    errors = record.get("errors")
    if not isinstance(errors, list) or not errors:
        return RecordReply(Outcome.CREATED)
    codes = [clean_text(str(code)) for code in errors[:MOST_CODES]]
    if all(code.endswith(NOT_UNIQUE) for code in codes):
        return RecordReply(Outcome.DUPLICATE)
    worst = next(code for code in codes if not code.endswith(NOT_UNIQUE))
    field = next((name for name in FIELDS if worst.startswith(name.upper())), None)
    return RecordReply(
        Outcome.REJECTED, worst.lower(), field, f"the server refused this record: {', '.join(codes)}"
    )


def matched(
    rows: Sequence[RecordRow], answered: Answered, kind: IdentifierType | None
) -> tuple[list[Answered], int]:
    """Give for each row what the answer holds of it, and how many records of the answer belong to no row.

    By what the list tells records apart by; by position alone only for what is left, if the counts agree.
    """
    told = [_identities(record, kind) for record in answered]
    places: list[int | None] = list(range(len(rows))) if len(rows) == len(answered) else [None] * len(rows)
    found: list[list[int]] = [
        [at] if at is not None and row.identity in told[at] else [] for row, at in zip(rows, places, strict=True)
    ]
    used = {at for ats in found for at in ats}
    by_identity: dict[str, list[int]] = {}
    for at, identities in enumerate(told):
        for identity in identities if at not in used else ():
            by_identity.setdefault(identity, []).append(at)
    repeated = Counter(row.identity for row in rows)
    for row, ats in zip(rows, found, strict=True):
        if not ats and repeated[row.identity] == 1:
            ats.extend(by_identity.get(row.identity, ()))
    used = {at for ats in found for at in ats}
    for ats, place in zip(found, places, strict=True):
        if not ats and place is not None and place not in used and not told[place] & repeated.keys():
            ats.append(place)
    unexpected = len(answered) - len({at for ats in found for at in ats})
    return [[answered[at] for at in ats] for ats in found], unexpected


def _identities(record: Mapping[str, Any], kind: IdentifierType | None) -> set[str]:
    if kind is IdentifierType.EXTERNAL:
        return {identity_of(kind, "", record.get("external_provider"), record.get("external_id"))}
    return set(_phones(record))


def _phones(record: Mapping[str, Any]) -> Iterator[str]:
    numbers = record.get("phone_numbers")
    holders = [record, *(numbers if isinstance(numbers, list) else ())]
    for holder in holders:
        number = holder.get("phone_number") if isinstance(holder, dict) else None
        if isinstance(number, str):
            yield digits_of(number)
