"""When to try again, and after how long: pure answers, no waiting.

``RetryPolicy.delay`` says seconds or ``None``; the session obeys. Whether a repetition is *safe* after doubt is
the session's question, not this module's.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from attrs import field, frozen

from voiso_async.errors import APIError, ResponseError, TLSError, TransportError, VoisoError
from voiso_async.wire import positive_number, positive_whole

REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429
SERVER_ERRORS = range(500, 600)

PERMANENT_REASONS = frozenset({"proxy_refused", "held"})
"""Failures that the same request would meet again at once."""
GARBLED_REASONS = frozenset({"protocol", "encoding"})
"""Unreadable answers of a broken connection or middlebox; another connection may do better."""

LARGEST_EXPONENT = 32  # keeps 2**attempt a small number whatever max_attempts is
LONGEST_VALUE = 64  # a longer Retry-After or Date is no number and no HTTP date

SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [A-Za-z0-9 :-]+")


@frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a request is repeated; every time is in seconds.

    ``deadline`` covers all attempts and the waits between them. A ``Retry-After`` above ``max_retry_after`` is not
    waited for: the error is raised at once and carries the figure.
    """

    max_attempts: int = field(default=4, validator=positive_whole)
    base_delay: float = field(default=0.5, validator=positive_number)
    max_delay: float = field(default=8.0, validator=positive_number)
    deadline: float = field(default=120.0, validator=positive_number)
    max_retry_after: float = field(default=60.0, validator=positive_number)

    def delay(
        self, failure: VoisoError, attempt: int, *, random: Callable[[], float] = random.random
    ) -> float | None:
        """Seconds until the attempt after ``attempt`` (counted from 1), or ``None`` to raise ``failure``."""
        if attempt >= self.max_attempts or not _passing(failure):
            return None
        asked = failure.retry_after if isinstance(failure, APIError) else None
        if asked is not None and asked > self.max_retry_after:
            return None
        widest = min(self.max_delay, self.base_delay * 2.0 ** min(attempt - 1, LARGEST_EXPONENT))
        return max(asked or 0.0, random() * widest)


NO_RETRY = RetryPolicy(max_attempts=1)
"""One attempt, whatever happens."""


def _passing(failure: VoisoError) -> bool:
    """Whether the same request can fare better a moment later."""
    match failure:
        case APIError(status=status):
            return status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or status in SERVER_ERRORS
        case TLSError():
            return False
        case TransportError(reason=reason):
            return reason not in PERMANENT_REASONS
        case ResponseError(reason=reason):
            return reason in GARBLED_REASONS
        case _:
            return False


def retry_after(headers: Mapping[str, str], *, wall: Callable[[], float] = time.time) -> float | None:
    """Read ``retry-after``: seconds, or a date in any of the three HTTP forms; ``None`` if it says nothing.

    A date counts from the answer's own ``date``, so a wrong local clock does no harm; ``wall`` is the substitute.
    """
    value = headers.get("retry-after", "").strip()
    if len(value) <= LONGEST_VALUE and SECONDS.fullmatch(value):
        return float(value)
    moment = _timestamp(value)
    if moment is None:
        return None
    answered = _timestamp(headers.get("date", "").strip())
    return max(0.0, moment - (wall() if answered is None else answered))


def _timestamp(text: str) -> float | None:
    if len(text) > LONGEST_VALUE or not HTTP_DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
        # An HTTP date is UTC; asctime does not say so (RFC 9110, 5.6.7).
        return (moment if moment.tzinfo else parsedate_to_datetime(f"{text} GMT")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
