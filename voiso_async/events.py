"""What happened, as frozen values, and the one hook that is told.

Events carry verbs, route templates, counts and durations: never the key, a phone number or a name.
"""

import logging
import time
from collections.abc import Callable

from attrs import frozen

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
]

logger: logging.Logger = logging.getLogger("voiso_async")
logger.addHandler(logging.NullHandler())

SLOW_HOOK_SECONDS = 0.05
"""A hook that holds the event loop for longer is named once in the log."""


@frozen(kw_only=True)
class RequestSent:
    """One attempt of a request is about to leave; attempts count from 1."""

    request: str
    attempt: int


@frozen(kw_only=True)
class RequestDone:
    """One attempt ended: with a status, or with the name of an error class."""

    request: str
    attempt: int
    status: int | None
    error: str | None
    seconds: float


@frozen(kw_only=True)
class RetryPlanned:
    """The request will be repeated after ``delay`` seconds, because of ``reason``."""

    request: str
    attempt: int
    delay: float
    reason: str


@frozen(kw_only=True)
class OriginHeld:
    """The server asked for quiet: nothing goes to this origin for ``seconds``."""

    seconds: float


@frozen(kw_only=True)
class BatchSent:
    """A batch of leads is about to leave; ``attempt`` counts the POSTs of this batch from 1."""

    campaign: int
    operation: str
    rows: int
    size: int
    attempt: int


@frozen(kw_only=True)
class BatchAnswered:
    """One POST of a batch ended with ``verdict``; the gate stays shut for ``hold`` seconds."""

    campaign: int
    operation: str
    rows: int
    verdict: str
    seconds: float
    hold: float


@frozen(kw_only=True)
class LaneStopped:
    """A campaign's lane gave up; its waiting calls were told why."""

    campaign: int
    operation: str
    reason: str


Event = RequestSent | RequestDone | RetryPlanned | OriginHeld | BatchSent | BatchAnswered | LaneStopped


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

    def _complain(self, message: str, detail: object) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(message, detail)
