"""What the server's answer to a lead write says, read leniently (contract 6.2, 7, 12.3)."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from voiso_async.decipher import complaint_in
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.row import Operation
from voiso_async.phone import are_canonical, digits_of
from voiso_async.values import Discreet, Struct

__all__ = ["Answer", "read_answer"]

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


class Answer(Discreet, Struct, frozen=True, kw_only=True):
    """What an answer says of each number; ``silent`` if it had no list at all.

    Numbers that stand in lists that contradict each other are ``torn``, and have no word to rely on. ``complaint``
    is the server's own text about numbers that it does not list.
    """

    words: Mapping[str, Outcome]
    torn: frozenset[str] = frozenset()
    not_found: frozenset[str] = frozenset()
    silent: bool = False
    complaint: str = ""

    _hidden: ClassVar[AbstractSet[str]] = {"words", "torn", "not_found", "complaint"}

    def strangers(self, phones: AbstractSet[str]) -> int:
        """Count the numbers that were never sent."""
        return len((self.words.keys() | self.torn) - phones)


def read_answer(operation: Operation, decoded: Any) -> Answer | None:
    """Find the lists in a decoded 2xx body, or ``None`` if it proves nothing.

    An add needs at least one of its three lists; an update may be answered by any object without an error. What a
    list says of a number holds even beside an error message: that is about the rest, which stays in doubt.
    """
    if not isinstance(decoded, dict):
        return None
    known = _ADD_LISTS if operation is Operation.ADD else _UPDATE_LISTS
    holder, lists = _lists_in(decoded, known)
    complaint = _complaint(decoded) or _complaint(holder)
    if not lists and (operation is Operation.ADD or complaint):
        return None
    words: dict[str, Outcome] = {}
    torn: set[str] = set()
    for name, items in lists.items():
        said = dict.fromkeys(_numbers(items), known[name])
        torn.update(phone for phone in words.keys() & said if words[phone] is not said[phone])
        words |= said
    if complaint and not words:
        return None
    return Answer(
        words={phone: word for phone, word in words.items() if phone not in torn} if torn else words,
        torn=frozenset(torn),
        not_found=frozenset(_numbers(lists.get("not_found", []))),
        silent=not lists,
        complaint=complaint,
    )


def _lists_in(
    decoded: dict[str, Any], known: Mapping[str, Outcome]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Look in the wrapper, whatever its name (contract 7), then in the body itself; a field error is no list."""
    wrappers = [value for key, value in decoded.items() if key not in {"error", "errors"}]
    for holder in [*wrappers, decoded]:
        if isinstance(holder, dict):
            lists = {name: holder[name] for name in known if isinstance(holder.get(name), list)}
            if lists:
                return holder, lists
    return {}, {}


def _complaint(part: dict[str, Any]) -> str:
    complaint = complaint_in(part)
    return "" if complaint is None else complaint.message


def _numbers(items: list[Any]) -> list[str]:
    return items if are_canonical(items) else list(_digits(items))


def _digits(items: list[Any]) -> Iterator[str]:
    for item in items:
        number = item.get("phone_number") if isinstance(item, dict) else item
        if isinstance(number, str):
            if digits := digits_of(number):
                yield digits
        elif type(number) is int:
            yield str(number)
