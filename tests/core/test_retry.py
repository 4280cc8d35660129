"""RetryPolicy and Retry-After: pure answers."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiso_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    TLSError,
    UnexpectedError,
    VoisoError,
)
from voiso_async.retry import NO_RETRY, RetryPolicy, retry_after
from voiso_async.statuses import error_class

POLICY = RetryPolicy(max_attempts=5, base_delay=1.0, max_delay=4.0, max_retry_after=30.0)
ANSWERED = "Sun, 06 Nov 1994 08:49:37 GMT"


def api(status: int, retry_after: float | None = None) -> VoisoError:
    return error_class(status)("no", status=status, retry_after=retry_after)


def longest() -> float:
    return 1.0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507, 520, 527, 599])
def test_passing_statuses_are_retried(status: int) -> None:
    assert POLICY.delay(api(status), 1, random=longest) == 1.0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 423, 431, 999])
def test_lasting_statuses_are_raised_at_once(status: int) -> None:
    assert POLICY.delay(api(status), 1, random=longest) is None


@pytest.mark.parametrize(
    "failure",
    [
        ConnectError("x", reason="dns"),
        ConnectionLostError("x", reason="connection_lost"),
        RequestTimeoutError("x", reason="timeout"),
        ResponseError("x", reason="protocol"),
        ResponseError("x", reason="encoding"),
    ],
)
def test_failures_of_the_way_are_retried(failure: VoisoError) -> None:
    assert POLICY.delay(failure, 1, random=longest) == 1.0


@pytest.mark.parametrize(
    "failure",
    [
        TLSError("x", reason="tls"),
        ConnectError("x", reason="proxy_refused"),
        RequestTimeoutError("x", reason="held"),
        UnexpectedError("x", proof="not_sent"),
        ResponseError("x", reason="too_big"),
        ResponseError("x", reason="status"),
        ConfigurationError("x"),
        ClientClosedError("x"),
    ],
)
def test_failures_that_would_come_again_are_raised_at_once(failure: VoisoError) -> None:
    assert POLICY.delay(failure, 1, random=longest) is None


def test_delays_double_up_to_the_cap_and_end_with_the_attempts() -> None:
    delays = [POLICY.delay(api(500), attempt, random=longest) for attempt in range(1, 7)]
    assert delays == [1.0, 2.0, 4.0, 4.0, None, None]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 4))
def test_jitter_is_full(share: float, attempt: int) -> None:
    delay = POLICY.delay(api(500), attempt, random=lambda: share)
    assert delay == share * min(4.0, 2.0 ** (attempt - 1))


def test_many_attempts_do_not_overflow() -> None:
    policy = RetryPolicy(max_attempts=10**9, max_delay=2.0)
    assert policy.delay(api(500), 10**8, random=longest) == 2.0


@pytest.mark.parametrize(
    ("asked", "delay"),
    [(None, 1.0), (0.0, 1.0), (0.2, 1.0), (7.0, 7.0), (30.0, 30.0), (30.5, None), (86400.0, None)],
)
def test_retry_after_is_obeyed_up_to_its_cap(asked: float | None, delay: float | None) -> None:
    assert delay == POLICY.delay(api(429, asked), 1, random=longest)


def test_no_retry_never_repeats() -> None:
    assert NO_RETRY.delay(api(503), 1, random=longest) is None


@pytest.mark.parametrize("name", ["max_attempts", "base_delay", "max_delay", "deadline", "max_retry_after"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "3", None, 10**400])
def test_a_policy_refuses_numbers_that_cannot_work(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name):
        RetryPolicy(**{name: value})  # type: ignore[arg-type]


def test_attempts_are_counted_in_whole_numbers() -> None:
    with pytest.raises(ConfigurationError, match="max_attempts must be a whole number above 0"):
        RetryPolicy(max_attempts=2.5)  # type: ignore[arg-type]


@pytest.mark.row(45, 203)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("86400", 86400.0),
        ("Sun, 06 Nov 1994 08:49:44 GMT", 7.0),
        ("Sunday, 06-Nov-94 08:49:44 GMT", 7.0),
        ("Sun Nov  6 08:49:44 1994", 7.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
    ],
)
def test_retry_after_in_every_legal_form(value: str, seconds: float) -> None:
    """A date counts from the answer's own date, whatever the local clock says."""
    assert seconds == retry_after({"retry-after": value, "date": ANSWERED}, wall=lambda: 0.0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "soon",
        "1e3",
        "inf",
        "nan",
        "+7",
        "7 s",
        "\u0667",
        "7, 8",
        "1" * 100,
        "Sun, 99 Nov 1994 08:49:44 GMT",
        "Sun, 06 Nov 1994",
        "Sun, 06 Foo 1994 08:49:44 GMT",
        "06 Nov 1994 08:49:44 GMT",
        "Sun, 06 Nov 99999 0:0:0",
    ],
)
def test_a_retry_after_that_says_nothing(value: str) -> None:
    assert retry_after({"retry-after": value, "date": ANSWERED}, wall=lambda: 0.0) is None


def test_no_retry_after_at_all() -> None:
    assert retry_after({}) is None


@pytest.mark.row(45, 203)
@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_without_a_usable_date_the_wall_clock_counts(date: dict[str, str]) -> None:
    headers = {"retry-after": ANSWERED, **date}
    assert retry_after(headers, wall=lambda: 784111777.0 - 9.0) == 9.0


header_text = st.one_of(
    st.text(max_size=100),
    st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{1,9} [A-Z+0-9-]{0,6}", fullmatch=True
    ),
    st.from_regex(r"[0-9+\-.e]{1,40}", fullmatch=True),
)


@given(header_text, header_text)
def test_whatever_the_headers_say_the_answer_is_none_or_seconds(value: str, date: str) -> None:
    seconds = retry_after({"retry-after": value, "date": date})
    assert seconds is None or 0.0 <= seconds < math.inf


@pytest.mark.parametrize("value", ["1" * 10**6, "Sun, " * 10**5, "(" * 10**6, " " * 10**6 + "7" * 10**6])
def test_hostile_lengths_cost_nothing(value: str) -> None:
    began = time.process_time()
    assert retry_after({"retry-after": value, "date": value}) is None
    assert time.process_time() - began < 0.5
