"""Reading is strict about types, open to what is new, and silent about values."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from sample_records import Leaf, Tree

from voiso_async.convert import decode, encode, structure, structure_field, structure_within, unstructure
from voiso_async.errors import ResponseError

SECRET = "441632960123"


@frozen(kw_only=True)
class Closed:
    total: int | None = None


def test_encode_is_compact() -> None:
    assert encode({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()


@pytest.mark.row(65)
def test_decode_cuts_a_leading_bom() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.row(65)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b" \r\n", "empty", id="blank"),
        pytest.param(b"<html></html>", "not_json", id="html"),
        pytest.param(b'{"a": 1', "not_json", id="truncated"),
        pytest.param(b"{} {}", "not_json", id="two documents"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not_json", id="utf-16"),
        pytest.param('{"a": "é"}'.encode("latin-1"), "not_json", id="latin-1"),
        pytest.param(b'"\xed\xa0\x80"', "not_json", id="encoded surrogate"),
        pytest.param(b'"\\ud800 "', "not_json", id="lone high surrogate"),
        pytest.param(b'"\\udc00 "', "not_json", id="lone low surrogate"),
        pytest.param(b'{"a": NaN}', "not_json", id="nan"),
        pytest.param(b"[-Infinity]", "not_json", id="infinity"),
        pytest.param(b"1e999", "not_json", id="beyond float"),
        pytest.param(b"1" * 5000, "not_json", id="5000 digits"),
        pytest.param(b"[" * 200_000, "not_json", id="200000 brackets"),
        pytest.param(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "not_json", id="200000 objects"),
    ],
)
def test_decode_refuses(body: bytes, reason: str) -> None:
    with pytest.raises(ResponseError) as caught:
        decode(body, request="GET /campaigns")
    assert reason == caught.value.reason
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(st.binary())
def test_decode_of_any_bytes_gives_a_value_or_a_response_error(body: bytes) -> None:
    with suppress(ResponseError):
        assert decode(body) == decode(encode(decode(body)))


@pytest.mark.row(71)
@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        (None, "$", "object"),
        ([], "$", "object"),
        ("text", "$", "object"),
        (3, "$", "object"),
        ({}, "$.id", "a value"),
        ({"id": None}, "$.id", "a value"),
        ({"id": True}, "$.id", "int | str"),
        ({"id": 1.5}, "$.id", "int | str"),
        ({"id": 1, "flag": "false"}, "$.flag", "bool"),
        ({"id": 1, "flag": 1}, "$.flag", "bool"),
        ({"id": 1, "count": "3"}, "$.count", "int"),
        ({"id": 1, "count": True}, "$.count", "int"),
        ({"id": 1, "count": 1.0}, "$.count", "int"),
        ({"id": 1, "level": "1.5"}, "$.level", "int | float"),
        ({"id": 1, "level": False}, "$.level", "int | float"),
        ({"id": 1, "when": 1767225600}, "$.when", "datetime"),
        ({"id": 1, "when": SECRET}, "$.when", "datetime"),
        ({"id": 1, "when": "2026-02-30T00:00:00Z"}, "$.when", "datetime"),
        ({"id": 1, "when": "2026-02-03"}, "$.when", "datetime"),
        ({"id": 1, "leaf": SECRET}, "$.leaf", "object"),
        ({"id": 1, "leaf": {"id": SECRET}}, "$.leaf.id", "int"),
        ({"id": 1, "leaf": {}}, "$.leaf.id", "a value"),
        ({"id": 1, "leaves": {"0": {"id": 1}}}, "$.leaves", "array"),
        ({"id": 1, "leaves": [{"id": 1}, {"id": 2, "name": 5}]}, "$.leaves[1].name", "str"),
        ({"id": 1, "leaves": [None]}, "$.leaves[0]", "object"),
        ({"id": 1, "words": ["a", None]}, "$.words[1]", "str"),
        ({"id": 1, "words": "abc"}, "$.words", "array"),
        ({"id": 1, "room": {SECRET: "x"}}, "$.room[...]", "int"),
        ({"id": 1, "room": []}, "$.room", "object"),
    ],
)
def test_a_wrong_type_is_told_by_path_and_expected_type_only(value: Any, path: str, expected: str) -> None:
    with pytest.raises(ResponseError) as caught:
        structure(value, Tree, request="GET /trees")
    error = caught.value
    assert (path, expected, "schema") == (error.path, error.expected, error.reason)
    assert f"GET /trees: the answer cannot be read: {path} must be {expected}" == str(error)
    assert SECRET not in repr(error) + str(error.__dict__)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_wrong_item_of_a_list_is_told_with_its_position_below_the_given_path() -> None:
    with pytest.raises(ResponseError) as caught:
        structure_field({"trees": [{"id": 1}, {"id": 2, "count": "x"}]}, "trees", list[Tree])
    assert caught.value.path == "$.trees[1].count"


@pytest.mark.parametrize("value", [None, 3, "text", [], [{"trees": []}]])
def test_a_field_of_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ResponseError) as caught:
        structure_field(value, "trees", list[Tree])
    assert ("$", "object") == (caught.value.path, caught.value.expected)


def test_a_missing_list_is_not_an_empty_list() -> None:
    with pytest.raises(ResponseError) as caught:
        structure_field({"branches": []}, "trees", list[Tree])
    assert ("$.trees", "array") == (caught.value.path, caught.value.expected)


@pytest.mark.parametrize(
    "decoded", [{"tree": {"id": 1}}, {"id": 1}, {"id": 1, "tree": None}, {"id": 1, "tree": "oak"}]
)
def test_a_record_is_read_wrapped_or_bare(decoded: Any) -> None:
    assert Tree(id=1) == structure_within(decoded, "tree", Tree)


@pytest.mark.parametrize(
    ("decoded", "path"), [({"tree": {}}, "$.tree.id"), ({"tree": 3}, "$.id"), ([], "$"), (None, "$")]
)
def test_an_error_in_a_wrapped_record_has_the_whole_path(decoded: Any, path: str) -> None:
    with pytest.raises(ResponseError) as caught:
        structure_within(decoded, "tree", Tree)
    assert path == caught.value.path


@pytest.mark.parametrize(
    ("value", "cls", "expected"),
    [
        (3, int, 3),
        ("2026-02-03T08:00:00", datetime, datetime(2026, 2, 3, 8, tzinfo=UTC)),
        ("a", int | str, "a"),
        (None, Closed | None, None),
        ({"total": 3, "new": 1}, Closed, Closed(total=3)),
        ([{"id": 1}, {"id": "b"}], list[Tree], [Tree(id=1), Tree(id="b")]),
        ([{"id": 1, "new": 2}], tuple[Tree, ...], (Tree(id=1),)),
        ([1, 2], list[int], [1, 2]),
        ({"id": 2**70}, Tree, Tree(id=2**70)),
    ],
)
def test_structure_reads(value: Any, cls: Any, expected: Any) -> None:
    assert expected == structure(value, cls)


@pytest.mark.parametrize(
    ("value", "cls"), [("3", int), (1, str), (True, int), (None, str), ("a", list[str]), (5, datetime)]
)
def test_plain_types_are_strict_too(value: Any, cls: Any) -> None:
    with pytest.raises(ResponseError):
        structure(value, cls)


def test_null_means_absent_at_every_depth() -> None:
    nulls = {"flag": None, "when": None, "leaves": None, "leaf": {"id": 2, "name": None}, "room": {"a": None}}
    assert Tree(id=1, leaf=Leaf(id=2), room={}) == structure({"id": 1, **nulls}, Tree)


def test_what_a_record_does_not_know_is_kept_as_it_came() -> None:
    unknown = {"new": [None, {"deep": None}], "extra": {"x": 1}, "none": None}
    tree = structure({"id": 1, **unknown, "leaf": {"id": 2, "colour": "red", "extra": 7}}, Tree)
    assert unknown == tree.extra
    assert tree.leaf is not None
    assert {"colour": "red", "extra": 7} == tree.leaf.extra


@pytest.mark.parametrize("hostile", [5, "text", None, [], [["a"]], {"id": 9}])
def test_a_field_called_extra_never_replaces_the_record_s_own(hostile: Any) -> None:
    assert {"extra": hostile} == structure({"id": 1, "extra": hostile}, Tree).extra


def test_a_deep_unknown_field_is_kept_without_walking_it() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert structure({"id": 1, "deep": deep}, Tree).extra["deep"] is deep


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-03T08:00:00Z", datetime(2026, 2, 3, 8, tzinfo=UTC)),
        ("2026-02-03T08:00:00.123Z", datetime(2026, 2, 3, 8, 0, 0, 123000, tzinfo=UTC)),
        ("2026-02-03T08:00:00.123456Z", datetime(2026, 2, 3, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-02-03T08:00:00", datetime(2026, 2, 3, 8, tzinfo=UTC)),
        ("2026-02-03T08:00:00.123456", datetime(2026, 2, 3, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-02-03 08:00:00", datetime(2026, 2, 3, 8, tzinfo=UTC)),
        ("2026-02-03T08:00:00+02:00", datetime(2026, 2, 3, 8, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-02-03T08:00:00-0330", datetime(2026, 2, 3, 8, tzinfo=timezone(-timedelta(hours=3.5)))),
        ("0001-01-01T00:00:00+23:00", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23)))),
    ],
)
def test_timestamps_are_aware_and_naive_ones_are_utc(text: str, expected: datetime) -> None:
    when = structure({"id": 1, "when": text}, Tree).when
    assert when is not None
    assert expected == when
    assert expected.utcoffset() == when.utcoffset()


def test_unstructure_gives_plain_json_without_absent_fields_and_with_extra() -> None:
    tree = Tree(
        id=1,
        level=2,
        when=datetime(2026, 2, 3, 8, tzinfo=UTC),
        leaves=(Leaf(id=2, extra={"colour": "red"}),),
        words=("a",),
        room={"b": 1},
        extra={"extra": 5, "new": None},
    )
    expected = {
        "id": 1,
        "level": 2,
        "when": "2026-02-03T08:00:00Z",
        "leaves": [{"id": 2, "colour": "red"}],
        "words": ["a"],
        "room": {"b": 1},
        "extra": 5,
        "new": None,
    }
    assert expected == unstructure(tree)
    assert [expected] == unstructure([tree])
    assert expected == json.loads(json.dumps(unstructure(tree)))


def test_a_record_without_extra_is_unstructured_too() -> None:
    assert {"total": 3} == unstructure(Closed(total=3))
    assert {} == unstructure(Closed())


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [*Tree.__annotations__, "name", "new"]
OBJECTS = st.dictionaries(st.sampled_from(NAMES), JSON | st.dictionaries(st.sampled_from(NAMES), JSON))


@given(OBJECTS | JSON)
def test_any_json_gives_a_record_or_a_response_error(value: Any) -> None:
    with suppress(ResponseError):
        tree = structure(value, Tree)
        again = structure(unstructure(tree), Tree)
        assert (tree, tree.extra) == (again, again.extra)
