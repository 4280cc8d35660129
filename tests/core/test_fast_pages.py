"""The fast path for pages and the slow one agree: the same values, or the same error."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from sample_records import CAMPAIGN, USER, Tree

from voiso_async import pages
from voiso_async.convert import decode, page_decoder, structure_field
from voiso_async.errors import ResponseError
from voiso_async.models import Campaign, Ref, User
from voiso_async.models.record import OpenRecord
from voiso_async.pages import page_of
from voiso_async.wire import Request, Response

FULL_TREE: dict[str, Any] = {
    "id": 1,
    "flag": True,
    "count": 3,
    "level": 1.5,
    "when": "2026-02-03T08:00:00Z",
    "leaf": {"id": 2, "name": "oak"},
    "leaves": [{"id": 3}, {"id": 4, "name": None}],
    "words": ["a", "b"],
    "room": {"x": 1},
}


@frozen(kw_only=True)
class Rare(OpenRecord):
    """What no record has yet: defaults that are not null, and values of any kind."""

    id: int
    count: int = 7
    size: int | None = 5
    notes: dict[str, Any] | None = None
    anything: Any = None
    gaps: tuple[int | None, ...] | None = None


FULL_RARE: dict[str, Any] = {
    "id": 1,
    "count": 2,
    "size": 3,
    "notes": {"a": 1},
    "anything": [1],
    "gaps": [1, 2],
}
RECORDS = [
    pytest.param(FULL_TREE, Tree, id="tree"),
    pytest.param(FULL_RARE, Rare, id="rare"),
    pytest.param(USER, User, id="user"),
    pytest.param(CAMPAIGN, Campaign, id="campaign"),
]


def answer(*items: Any, **beside: Any) -> bytes:
    return json.dumps({"items": items, "metadata": {"total": len(items)}} | beside).encode()


def goes_fast(body: bytes, cls: type) -> bool:
    found = page_decoder(cls, "items")(body)
    return found is not None and any(isinstance(item, cls) for item in found[0])


def everything(value: Any) -> Any:
    """Spell a value with its types, and with what equality leaves out."""
    if isinstance(value, list | tuple):
        return type(value), [everything(item) for item in value]
    names = getattr(type(value), "__attrs_attrs__", ())
    return type(value), [(field.name, everything(getattr(value, field.name))) for field in names] or repr(value)


def read(body: bytes, cls: type, *, fast: bool) -> Any:
    """Give all that can be told of a result, or of an error."""
    try:
        if fast and (found := page_decoder(cls, "items")(body)) is not None:
            return everything(found[0])
        return everything(structure_field(decode(body), "items", tuple[cls, ...]))  # type: ignore[valid-type]
    except ResponseError as error:
        return str(error), error.path, error.expected, error.reason, error.__cause__, error.__context__


@pytest.mark.parametrize(("wire", "cls"), RECORDS)
def test_a_usual_answer_goes_fast(wire: dict[str, Any], cls: Any) -> None:
    assert goes_fast(answer(wire, {"id": wire["id"]}), cls)
    assert goes_fast(b"\xef\xbb\xbf" + answer(wire, links={"next": None}, count=1, cursor="x", more=None), cls)


@pytest.mark.parametrize(
    "unusual",
    [
        {"new": 1},
        {"extra": {}},
        {"extra": None},
        {"leaf": {"id": 2, "new": None}},
        {"leaves": [{"id": 2}, {"id": 3, "extra": {"a": 1}}]},
        {"when": "2026-02-03T08:00:00"},
        {"room": {"x": None}},
        {"count": "3"},
        {"id": None},
    ],
)
def test_what_must_be_tidied_does_not(unusual: dict[str, Any]) -> None:
    body = answer(FULL_TREE, FULL_TREE | unusual)
    assert not goes_fast(body, Tree)
    assert read(body, Tree, fast=False) == read(body, Tree, fast=True)


@pytest.mark.parametrize(
    "unusual",
    [{"count": None}, {"size": None}, {"notes": {"a": None}}, {"anything": None}, {"gaps": [1, None]}],
)
def test_a_null_that_may_mean_more_than_absence_does_not(unusual: dict[str, Any]) -> None:
    body = answer(FULL_RARE | unusual)
    assert not goes_fast(body, Rare)
    assert read(body, Rare, fast=False) == read(body, Rare, fast=True)


@pytest.mark.parametrize("number", ["1.0", "-0", "-0.0", "1e2", "1e400", "9" * 30, "9" * 5000, "01", "1.", "-"])
@pytest.mark.parametrize("name", ["id", "count", "level"])
def test_numbers_are_read_alike(name: str, number: str) -> None:
    body = f'{{"items": [{{"id": 1, "{name}": {number}}}]}}'.encode()
    assert read(body, Tree, fast=False) == read(body, Tree, fast=True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xef\xbb\xbf" * 2 + b'{"items": []}',
        b'{"items": {}}',
        b'{"items": null}',
        b'{"metadata": {}}',
        b'{"items": [{"id": 1}]} {}',
        b'{"items": [{"id": 1}], "other": ["text"]}',
        b'{"items": [{"id": 1}], "other": "\xff"}',
        b'{"items": [{"id": 1, "new": "\xff"}]}',
        b'{"items": [{"id": 1, "new": 1e999}]}',
        b'{"items": [{"id": 1, "new": "\\ud800 "}]}',
        b'{"items": [{"id": 1, "new": ' + b"[" * 200_000,
        b'{"items": [{"id": 1, "leaf": ' + b'{"leaf": ' * 200_000,
        b'{"items": [{"id": 1, "count": 1, "count": 2}]}',
        b'{"items": [{"id": 1, "count": 1, "count": null}]}',
        b'{"items": [{"id": 1, "count": "x", "count": 2}]}',
        b'{"items": [{"id": 1, "leaf": {"id": 2, "new": 1}, "leaf": null}]}',
        b'{"items": [{"id": "x"}], "items": [{"id": 1}]}',
    ],
)
def test_odd_answers_are_read_alike(body: bytes) -> None:
    assert read(body, Tree, fast=False) == read(body, Tree, fast=True)


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"metadata": None},
        {"metadata": []},
        {"metadata": [{"id": 1}]},
        {"metadata": {"total": "1"}},
        {"metadata": {"total": None, "new": 1}},
        {"errors": []},
        {"errors": [], "error": None},
        {"errors": [{"id": 1}]},
        {"error": "no"},
        {"error": {"name": ["is wrong"]}},
    ],
)
def test_a_page_is_read_alike(beside: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    request, response = Request.to("GET", "/users"), Response(status=200, body=answer({"id": 1}, **beside))

    def page() -> Any:
        try:
            return page_of(Ref, "items")(response, request)
        except ResponseError as error:
            return str(error), error.path, error.expected, error.reason

    straight = page()
    monkeypatch.setattr(pages, "page_decoder", lambda *_: lambda _: None)
    assert page() == straight


def test_an_unlisted_state_goes_fast_and_is_kept() -> None:
    found = page_decoder(Campaign, "items")(answer({"id": 1, "status": "brand_new"}))
    assert found is not None
    (campaign,) = found[0]
    assert ("UNLISTED", "brand_new") == (campaign.status.name, campaign.status)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.datetimes().map(datetime.isoformat)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NEW_NAMES = ("new", "extra", "id", "name", "_id")


@st.composite
def damaged(draw: st.DrawFn, value: Any, rarity: int) -> Any:
    """Leave out, replace and add at one place in ``rarity``, at any depth."""
    struck = st.integers(0, rarity).map(lambda number: number == rarity // 3)  # the ends are drawn often
    if draw(struck):
        return draw(JSON)
    if isinstance(value, list):
        return [draw(damaged(item, rarity)) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: draw(damaged(item, rarity)) for name, item in value.items() if not draw(struck)}
    return kept | (draw(st.dictionaries(st.sampled_from(NEW_NAMES), JSON)) if draw(struck) else {})


@pytest.mark.parametrize(("wire", "cls"), RECORDS)
@given(data=st.data())
def test_both_ways_agree(wire: dict[str, Any], cls: Any, data: st.DataObject) -> None:
    items = data.draw(st.lists(damaged(wire, data.draw(st.sampled_from([20, 1000]))), max_size=2))
    body = json.dumps({"items": items} | data.draw(st.just({}) | st.dictionaries(st.text(), JSON))).encode()
    assert read(body, cls, fast=False) == read(body, cls, fast=True)


@given(st.binary(max_size=50))
def test_both_ways_agree_on_any_bytes(body: bytes) -> None:
    whole = b'{"items": [{"id": 1, "words": [' + body + b"]}]}"
    assert read(whole, Tree, fast=False) == read(whole, Tree, fast=True)
