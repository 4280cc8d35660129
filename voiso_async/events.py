"""What happened, as frozen values, and the one hook that is told.

Events carry verbs, route templates, ids of campaigns and users, counts and durations: never the key, a phone
number or a name.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import count
from typing import Any

from voiso_async._structs import Struct

__all__ = [
    "BatchAnswered",
    "BatchSent",
    "Event",
    "EventHook",
    "LaneStopped",
    "OriginHeld",
    "RequestDone",
    "RequestSent",
    "RetryPlanned",
    "Verdict",
]

logger: logging.Logger = logging.getLogger("voiso_async")
logger.addHandler(logging.NullHandler())

_ids = count(1)

SLOW_HOOK_SECONDS = 0.05
"""A hook that holds the event loop for longer is named once in the log."""


class RequestSent(Struct, frozen=True, kw_only=True):
    """One attempt of a request is about to leave; attempts count from 1.

    ``id`` pairs it with its ``RequestDone``; ``campaign`` and ``user`` are the ids it is about, if any.
    """

    id: int = 0
    request: str
    attempt: int
    campaign: int | str | None = None
    user: int | str | None = None


class RequestDone(Struct, frozen=True, kw_only=True):
    """One attempt ended: with a status, or with the name of an error class.

    ``id`` is that of its ``RequestSent``, ``request_id`` what the server called it.
    """

    id: int = 0
    request: str
    attempt: int
    campaign: int | str | None = None
    user: int | str | None = None
    status: int | None
    error: str | None
    seconds: float
    request_id: str | None = None


class RetryPlanned(Struct, frozen=True, kw_only=True):
    """The request will be repeated after ``delay`` seconds, because of ``reason``."""

    request: str
    attempt: int
    campaign: int | str | None = None
    user: int | str | None = None
    delay: float
    reason: str


class OriginHeld(Struct, frozen=True, kw_only=True):
    """The server asked for quiet: nothing goes to this origin for ``seconds``."""

    seconds: float


class Verdict(StrEnum):
    """What one POST of a batch proved."""

    NOT_SENT = "not_sent"
    """Nothing left this machine."""
    IN_DOUBT = "in_doubt"
    """The server may have acted, and no usable answer came."""
    SETTLED = "settled"
    """A usable reply came."""
    BUSY = "busy"
    """The server is still at work on an earlier POST."""
    TOO_LARGE = "too_large"
    """The batch is too large for the server."""
    REFUSED = "refused"
    """The batch was refused as a whole."""
    FATAL = "fatal"
    """No retry would help: the lane stops."""


class BatchSent(Struct, frozen=True, kw_only=True):
    """A batch of leads is about to leave; ``attempt`` counts the POSTs of this batch from 1."""

    campaign: int
    operation: str
    rows: int
    size: int
    attempt: int


class BatchAnswered(Struct, frozen=True, kw_only=True):
    """One POST of a batch ended with ``verdict``; the gate stays shut for ``hold`` seconds."""

    campaign: int
    operation: str
    rows: int
    verdict: Verdict
    seconds: float
    hold: float


class LaneStopped(Struct, frozen=True, kw_only=True):
    """A campaign's lane gave up; its waiting calls were told why."""

    campaign: int
    operation: str
    reason: str


Event = RequestSent | RequestDone | RetryPlanned | OriginHeld | BatchSent | BatchAnswered | LaneStopped


class _Ending(Struct):
    """What is known of one attempt at its end."""

    status: int | None = None
    request_id: str | None = None


class EventHook:
    """Hand each event to the log (level DEBUG) and to the caller's ``on_event``, whose errors stay here."""

    def __init__(self, on_event: Callable[[Event], object] | None = None) -> None:
        self._on_event = on_event
        self._complained = False

    def __call__(self, event: Event) -> None:
        """Tell what happened; never raises."""
        logger.debug("%s", event)
        if self._on_event is None:
            return
        began = time.monotonic()
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - a broken hook must not break a run
            self._complain("on_event raised %s; the run goes on", type(error).__name__)
        if time.monotonic() - began > SLOW_HOOK_SECONDS:
            self._complain("on_event held the event loop for more than %s s", SLOW_HOOK_SECONDS)

    @contextmanager
    def attempt(self, request: str, attempt: int, clock: Callable[[], float]) -> Iterator[_Ending]:
        """Tell of the beginning and the end of one attempt, however it ends; ``request`` may know its ids."""
        known: dict[str, Any] = {
            "id": next(_ids),
            "request": str(request),
            "attempt": attempt,
            "campaign": getattr(request, "campaign", None),
            "user": getattr(request, "user", None),
        }
        ending, error, began = _Ending(), None, clock()
        self(RequestSent(**known))
        try:
            yield ending
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            seconds = clock() - began
            self(
                RequestDone(
                    **known,
                    status=ending.status,
                    error=error,
                    seconds=seconds,
                    request_id=ending.request_id,
                )
            )

    def _complain(self, message: str, detail: object) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(message, detail)
