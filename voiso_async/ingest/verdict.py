"""The verdict on one attempt: what a status and the lists of a reply prove.

Replies are read leniently: the vendor documents neither the body of an update nor the wrapper of the lists.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.convert import decode
from voiso_async.decipher import error_body_in, parse_voiso_error
from voiso_async.errors import (
    ConfigurationError,
    ResponseError,
    TLSError,
    UnexpectedError,
    UsageError,
    VoisoError,
)
from voiso_async.events import Verdict
from voiso_async.ingest.bisection import Refusal
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.phone import are_canonical, digits_of
from voiso_async.retry import retry_after
from voiso_async.wire import Response

_ADD_LISTS = {
    "created": Outcome.CREATED,
    "duplicates": Outcome.DUPLICATE,
    "rejected": Outcome.REJECTED,
}
_UPDATE_LISTS = {
    "updated": Outcome.UPDATED,
    "created": Outcome.UPDATED,
    "contacts": Outcome.UPDATED,
    "rejected": Outcome.REJECTED,
    "invalid_numbers": Outcome.REJECTED,
    "not_found": Outcome.REJECTED,
}


class LeadReply(RedactedRepr, Struct, frozen=True, kw_only=True):
    """What a reply says of each number; ``no_lists`` if it had no list at all.

    ``conflicting`` numbers are in two lists that disagree, and are treated as unreported. ``error_text`` is the
    server's own text about numbers that it does not list.
    """

    outcomes: Mapping[str, Outcome]
    conflicting: frozenset[str] = frozenset()
    not_found: frozenset[str] = frozenset()
    no_lists: bool = False
    error_text: str = ""

    _redacted: ClassVar[AbstractSet[str]] = {"outcomes", "conflicting", "not_found", "error_text"}

    def unexpected(self, phones: AbstractSet[str]) -> int:
        """Count the numbers in the reply that were never sent."""
        return len((self.outcomes.keys() | self.conflicting) - phones)


def parse_reply(operation: Operation, decoded: Any) -> LeadReply | None:
    """Find the lists in a decoded 2xx body, or ``None`` if it proves nothing.

    An add needs at least one of its three lists; an update may be answered by any object without an error. What a
    list says of a number holds even beside an error message: that is about the rest, which stays in doubt.
    """
    if not isinstance(decoded, dict):
        return None
    known = _ADD_LISTS if operation is Operation.ADD else _UPDATE_LISTS
    holder, lists = _lists_in(decoded, known)
    error_text = _error_text(decoded) or ("" if holder is decoded else _error_text(holder))
    if not lists and (operation is Operation.ADD or error_text):
        return None
    outcomes: dict[str, Outcome] = {}
    conflicting: set[str] = set()
    for name, items in lists.items():
        found = dict.fromkeys(_numbers(items), known[name])
        conflicting.update(phone for phone in outcomes.keys() & found if outcomes[phone] is not found[phone])
        outcomes |= found
    if error_text and not outcomes:
        return None
    for phone in conflicting:
        del outcomes[phone]
    return LeadReply(
        outcomes=outcomes,
        conflicting=frozenset(conflicting),
        not_found=frozenset(_numbers(lists.get("not_found", []))),
        no_lists=not lists,
        error_text=error_text,
    )


def _lists_in(
    decoded: dict[str, Any], known: Mapping[str, Outcome]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Look in the wrapper, whatever its name, then in the body itself; a field error is no list."""
    wrappers = [value for key, value in decoded.items() if key not in {"error", "errors"}]
    for holder in [*wrappers, decoded]:
        if isinstance(holder, dict):
            lists = {name: holder[name] for name in known if isinstance(holder.get(name), list)}
            if lists:
                return holder, lists
    return {}, {}


def _error_text(part: dict[str, Any]) -> str:
    error = error_body_in(part)
    return "" if error is None else error.message


def _numbers(items: list[Any]) -> list[str]:
    return items if not items or are_canonical(items) else list(_digits(items))


def _digits(items: list[Any]) -> Iterator[str]:
    for item in items:
        number = item.get("phone_number") if isinstance(item, dict) else item
        if isinstance(number, str):
            if digits := digits_of(number):
                yield digits
        elif type(number) is int:
            yield str(number)


FATAL = frozenset({401, 403, 404, 405, 406, 410, 411, 414, 415, 431, 451})
BUSY = frozenset({409, 423})
REFUSED = frozenset({400, 422})


class NotSent(Struct, frozen=True):
    """Nothing left this machine: retry after a while; the gate stays as it was."""

    name: ClassVar[Verdict] = Verdict.NOT_SENT


class InDoubt(Struct, frozen=True):
    """The server may have acted: the rows are doubted, and the same bytes go again after a backoff."""

    name: ClassVar[Verdict] = Verdict.IN_DOUBT

    retry_after: float | None = None


class Settled(Struct, frozen=True):
    """A usable reply: reconcile it."""

    name: ClassVar[Verdict] = Verdict.SETTLED

    reply: LeadReply


class Busy(Struct, frozen=True):
    """Not accepted because the server is still at work: wait and retry, at no cost."""

    name: ClassVar[Verdict] = Verdict.BUSY

    retry_after: float | None = None


class TooLarge(Struct, frozen=True):
    """Not accepted because of its size in bytes: cut it."""

    name: ClassVar[Verdict] = Verdict.TOO_LARGE


class Refused(Struct, frozen=True):
    """Not accepted as a whole: bisect it to find the rows that caused it."""

    name: ClassVar[Verdict] = Verdict.REFUSED

    refusal: Refusal


class Fatal(Struct, frozen=True):
    """Not accepted, and no retry would help: stop; ``everything`` stops the other operation too."""

    name: ClassVar[Verdict] = Verdict.FATAL

    everything: bool = False


AnyVerdict = NotSent | InDoubt | Settled | Busy | TooLarge | Refused | Fatal


def verdict(operation: Operation, result: Response | VoisoError) -> AnyVerdict:
    """Judge one attempt by its response, or by the error that came in its place."""
    if isinstance(result, Response):
        return _of_response(operation, result)
    # A bad certificate or a wrong setting does not mend itself; anything else that was not sent may work later.
    if result.proof == "not_sent":
        permanent = isinstance(result, TLSError | ConfigurationError | UsageError | UnexpectedError)
        return Fatal(everything=True) if permanent else NotSent()
    return InDoubt()


def _of_response(operation: Operation, response: Response) -> AnyVerdict:
    status = response.status
    # A proxy may give these after the server has acted, so they prove nothing about the leads.
    if status == 408 or 500 <= status < 600:
        return InDoubt(retry_after(response.headers))
    if 200 <= status < 300:
        reply = _reply(operation, response)
        return Settled(reply) if reply else InDoubt()
    return _of_refusal(status, response)


def _of_refusal(status: int, response: Response) -> AnyVerdict:
    error = parse_voiso_error(response.body)
    # 409 and 423 count only with the API's own error body: a proxy gives them too, for reasons of its own.
    if status == 429 or (status in BUSY and error):
        return Busy(retry_after(response.headers))
    if status == 413:
        return TooLarge()
    if status in REFUSED and error:
        return Refused(Refusal(status, error.message, error.fields))
    if error or status in FATAL or 300 <= status < 400:
        return Fatal(everything=status == 401)
    return InDoubt()


def _reply(operation: Operation, response: Response) -> LeadReply | None:
    if response.truncated:
        return None
    if operation is Operation.UPDATE and not response.body.strip():
        return LeadReply(outcomes={}, no_lists=True)
    return parse_reply(operation, _decoded(response.body))


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except ResponseError:
        return None
