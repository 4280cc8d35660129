"""LanePolicy: bounds are checked, waits grow as documented."""

from typing import Any

import pytest

from voiso_async.errors import ConfigurationError
from voiso_async.ingest.policy import LanePolicy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cooldown", -1),
        ("cooldown", "2"),
        ("cooldown", float("nan")),
        ("cooldown", True),
        ("max_rows", 0),
        ("max_rows", 1001),
        ("max_rows", 10.0),
        ("max_bytes", 10),
        ("doubt_attempts", 0),
        ("busy_for", float("inf")),
        ("max_extra_posts", -1),
        ("on_doubt", "retry"),
        ("on_doubt", ["resend"]),
        ("post_timeout", 10**400),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=field):
        LanePolicy(**{field: value})


def test_settle_time_doubles_up_to_its_longest() -> None:
    assert [2, 4, 8, 16, 16] == [LanePolicy().doubt_wait(n) for n in range(1, 6)]
    assert 30 == LanePolicy().doubt_wait(1, 30)
    assert 5 == LanePolicy(cooldown=5).doubt_wait(1)


def test_busy_grows_gently_and_obeys_the_server() -> None:
    assert [2, 3, 4.5, 6.75, 10, 10] == [LanePolicy().busy_wait(n, None) for n in range(1, 7)]
    assert 7 == LanePolicy().busy_wait(1, 7)
    assert 2 == LanePolicy().busy_wait(1, 0)


def test_unsent_waits_are_spread_and_bounded() -> None:
    assert [0.25, 0.5, 1, 2, 4, 4] == [LanePolicy().unsent_wait(n, 0) for n in range(1, 7)]
    assert 8 == LanePolicy().unsent_wait(99, 1)


@pytest.mark.parametrize(
    ("answered", "attempts", "elapsed", "share"),
    [
        (0, 1, 5, None),
        (1, 1, 1, None),
        (2999, 3, 5.5, None),
        (3000, 3, 5.5, 1.0),
        (3000, 3, 11, 0.5),
        (3000, 6, 11, 0.5),
        (3001, 4, 8, 1.0),
        (3000, 3, 1, 1.0),
        (3000, 3, 0, None),
        (3000, 0, 5, None),
    ],
)
def test_share_of_the_ceiling(answered: int, attempts: int, elapsed: float, share: float | None) -> None:
    got = LanePolicy().ceiling_share(
        answered=answered, attempts=attempts, server_seconds=attempts * 0.5, elapsed=elapsed
    )
    assert share == got
