"""The search for the rows that a batch was refused for, as a pure function."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiso_async.ingest.bisection import BatchBisection, Refusal, split
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission

NO = Refusal(422, "no", {})


def rows(count: int, calls: int = 1) -> list[Row]:
    owners = [
        LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False) for _ in range(calls)
    ]
    return [Row(i, f"44163296{i:04d}", b"{}", None, owners[i % calls]) for i in range(count)]


def sizes(parts: Any) -> list[int]:
    return [len(part) for part in parts]


@pytest.mark.parametrize(
    ("field", "index"),
    [
        ("0.name", 0),
        ("[3].priority", 3),
        ("leads.4", 4),
        ("leads[5].name", 5),
        ("6", 6),
        ("name", None),
        ("a.b.1", None),
    ],
)
def test_an_index_is_read_from_a_field_name(field: str, index: int | None) -> None:
    expected = [] if index is None else [index]
    assert expected == Refusal(422, "no", {field: ("x",)}).indexes(10)


def test_one_call_is_halved_and_several_are_parted() -> None:
    assert ([], [4, 3]) == (split(rows(7), NO)[0], sizes(split(rows(7), NO)[1]))
    assert [3, 2, 2] == sizes(split(rows(7, calls=3), NO)[1])


def test_named_rows_stand_alone_first() -> None:
    named, parts = split(rows(7), Refusal(422, "no", {"2.name": ("x",)}))
    assert [2] == [row.index for row in named]
    assert [6] == sizes(parts)


def test_when_every_row_is_named_none_is_singled_out() -> None:
    named, parts = split(rows(2), Refusal(422, "no", {"0.name": ("x",), "1.name": ("x",)}))
    assert ([], [1, 1]) == (named, sizes(parts))


def test_two_disjoint_parts_refused_alike_blame_the_call() -> None:
    bisection = BatchBisection(rows(8), NO, 60)
    for blamed in (False, True):
        part = bisection.next_part()
        assert part is not None
        bisection.refused(part, NO)
        assert blamed is bisection.fault_is_common()


def test_another_text_or_an_accepted_part_clears_the_call() -> None:
    bisection = BatchBisection(rows(8), NO, 60)
    first, second = bisection.next_part(), bisection.next_part()
    assert first is not None
    assert second is not None
    bisection.refused(first, NO)
    bisection.refused(second, Refusal(422, "other", {}))
    assert not bisection.fault_is_common()
    bisection.refused(second, NO)
    bisection.accepted()
    assert not bisection.fault_is_common()


@given(st.integers(2, 200), st.sets(st.integers(0, 199), min_size=1, max_size=4), st.integers(1, 5))
def test_the_search_finds_exactly_the_poisoned_rows(count: int, poisoned: set[int], calls: int) -> None:
    """With enough POSTs every poisoned row ends alone, and every other row in an accepted part."""
    poisoned = {index % count for index in poisoned}
    bisection = BatchBisection(rows(count, calls), NO, 10_000)
    refused, accepted = set(), set()
    while part := bisection.next_part():
        bad = {row.index for row in part} & poisoned
        if not bad:
            accepted |= {row.index for row in part}
        elif bisection.refused(part, NO):
            refused |= bad
    assert poisoned == refused
    assert set(range(count)) - poisoned == accepted


def test_posts_are_limited_and_the_rest_is_given_back() -> None:
    bisection = BatchBisection(rows(100), NO, 3)
    sent = 0
    while part := bisection.next_part():
        sent += 1
        bisection.refused(part, NO)
    assert 3 == sent
    assert list(range(100)) == sorted(row.index for row in bisection.remaining())
