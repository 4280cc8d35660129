"""One schema decides about every lead; what it refuses is explained, whatever form the lead had."""

from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum, IntEnum, StrEnum
from typing import Any, Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiso_async.convert import encode
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import MAX_LEAD, FileRow, _fault_in, _normalised, accept, prepare
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate

PHONE = "441632960123"
URL = "https://crm.example.net/c/9"


class Lie(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "12015550100"


class Word(StrEnum):
    PHONE = "441632960123"
    NAME = "name"


class Twofold(str, Enum):  # noqa: UP042
    """Text that is one thing as text and another as the value of an enum."""

    def __new__(cls, text: str, value: str) -> Self:
        one = str.__new__(cls, text)
        one._value_ = value
        return one

    ONE = "shown", "kept"


class Level(IntEnum):
    FIVE = 5


class Whole(int):
    pass


class Masked(dict[Any, Any]):
    """A dict that shows other values than it holds."""

    def get(self, key: Any, default: Any = None) -> Any:
        return "https://other.example.net/" if key == "url" else super().get(key, default)

    def __getitem__(self, key: Any) -> Any:
        return "other"


def owner(operation: Operation) -> LeadSubmission:
    return LeadSubmission(operation, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)


def plain(made: Row | LeadOutcome) -> Any:
    if isinstance(made, LeadOutcome):
        return made
    return made.index, made.phone, made.body, made.key, type(made.phone), type(made.key)


def decide(leads: Sequence[Any], operation: Operation) -> None:
    """Check that company changes nothing, and that a lead is accepted or explained, never both."""
    call = owner(operation)
    together = [plain(made) for made in prepare(leads, 3, operation, call)]
    assert together == [plain(prepare([lead], 3 + n, operation, call)[0]) for n, lead in enumerate(leads)]
    for lead, made in zip(leads, together, strict=True):
        normal = _normalised(lead, operation)
        fault = _fault_in(normal, operation) if isinstance(normal, dict) else normal
        if isinstance(made, LeadOutcome):
            assert (fault.field, fault.reason, fault.detail) == (made.field, made.reason, made.detail)
            if "too_large" == made.reason:
                assert isinstance(normal, dict)
                sent = {name: value for name, value in normal.items() if name != "key" and value is not None}
                assert len(encode(sent)) > MAX_LEAD
        else:
            assert ("lead", "too_large") == (fault.field, fault.reason), "the last resort: nothing else is wrong"
            assert [made[2]] == [one and one[1] for one in accept([normal], operation)]


ODD_PHONES = ["+44 1632 960-123", " 441632960123\n", Lie("441632960123"), Word.PHONE, "", "12", None, 441632960123]
ODD_TEXTS = [
    *("", "a\\b", 'a"b', "a\x7fb", "a\x85b", "a\u202eb", "a\u2028", "\ufeff", "a\ud800", "\xe9", "\u20ac" * 1024),
    *("n" * 1000, "n" * 1001, "\U0001f600" * 1000, "\U0001f600" * 1001, "k" * 256, "k" * 257, "\u200f"),
    *(Lie("x"), Word.NAME, Twofold.ONE, "a/b", "</script>", "\t", "a\nb", "\x1f", " ", "v" * 1024, "v" * 1025),
    *(None, 5, True, 1.5, b"x"),
]
ODD_URLS = [
    *(URL, "HTTP://A", "https://", "https://user@example.net", "ftp://a", URL + "\n", "http://a\\b", "x" + URL),
    *("http://a?b=\xe9", "http://" + "a" * 2076, "http://" + "a" * 2077, Lie(URL), "http://a b", "http://a\x7f"),
]
ODD_HEADER_NAMES = [
    "X-",
    "x-a",
    "X-A\n",
    "aX-A",
    "X-" + "a" * 126,
    "X-" + "a" * 127,
    "X-\xe9",
    Lie("X-A"),
    7,
    None,
]
ODD_PRIORITIES = [0, 1, 1000, 1001, Level.FIVE, Whole(5), 5.0, True, "5", None, float("nan"), 2**70]
ODD_FIELDS: dict[str, list[Any]] = {
    "phone_number": ODD_PHONES,
    "name": ODD_TEXTS,
    "key": ODD_TEXTS,
    "priority": ODD_PRIORITIES,
    "active": [0, 1, "true", None, True],
    "source": [
        *({"system": text} for text in ODD_TEXTS),
        *({"url": url} for url in [*ODD_URLS, *ODD_TEXTS]),
        *(LeadSource(url=url) for url in ODD_URLS),
        *({}, {"other": 1}, {1: 2}, Masked(url=URL), OrderedDict(url=URL), [], "crm", LeadSource(system="crm")),
    ],
    "context_headers": [
        *({"X-A": text} for text in ODD_TEXTS),
        *({name: "a"} for name in ODD_HEADER_NAMES),
        *({f"X-{n}": "a" for n in range(count)} for count in (64, 65)),
        {f"X-{n}": "\u20ac" * 1024 for n in range(64)},
        *({}, Masked({"X-A": "b"}), OrderedDict({"X-A": "b"}), [], "X-A: b"),
    ],
    "other": ["x", None],
}

phones: st.SearchStrategy[Any] = st.one_of(
    st.from_regex(r"\+?[1-9][0-9]{5,16}", fullmatch=True),
    st.sampled_from(ODD_PHONES),
    st.integers(0, 10**16),
    st.floats(),
    st.text(max_size=12),
)
texts: st.SearchStrategy[Any] = st.one_of(st.text(max_size=20), st.sampled_from(ODD_TEXTS), st.integers())
urls = st.one_of(
    st.sampled_from(ODD_URLS), st.from_regex(r"https?://[a-z.]{1,9}(/[^\s]{0,9})?", fullmatch=True), texts
)
sources = st.one_of(
    st.fixed_dictionaries({}, optional={"system": texts, "url": urls}),
    st.builds(LeadSource, system=texts, url=urls),
    st.sampled_from(ODD_FIELDS["source"]),
)
header_names = st.one_of(
    st.from_regex(r"X-[A-Za-z0-9\-_.!~*+]{1,6}", fullmatch=True), st.sampled_from(ODD_HEADER_NAMES)
)
headers = st.one_of(
    st.dictionaries(header_names, texts, max_size=4), st.sampled_from(ODD_FIELDS["context_headers"])
)
priorities = st.one_of(st.integers(-1, 1002), st.sampled_from(ODD_PRIORITIES))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "phone_number": phones,
    "name": texts,
    "source": sources,
    "priority": priorities,
    "active": st.one_of(st.booleans(), st.sampled_from([0, 1, "true", None])),
    "context_headers": headers,
    "key": texts,
}
mappings: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=FIELDS).flatmap(
    lambda fields: st.permutations(list(fields.items())).map(dict)
)
one_odd_field = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: FIELDS[name].map(
        lambda value: {
            "phone_number": PHONE,
            "name": "R. Okafor",
            "source": {"url": URL},
            "priority": 5,
            name: value,
        }
    )
)
good: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"phone_number": st.sampled_from([PHONE, "+44 1632 960-123"])},
    optional={
        "name": st.text(st.characters(codec="utf-8"), max_size=9),
        "source": st.fixed_dictionaries({}, optional={"system": st.text(max_size=5), "url": st.just(URL)}),
        "priority": st.integers(1, 1000),
        "active": st.booleans(),
        "context_headers": st.dictionaries(st.sampled_from(["X-A", "X-Plan"]), st.text(max_size=5)),
        "key": st.text(max_size=5),
    },
)
good_but_one = st.tuples(good, one_odd_field).map(
    lambda pair: pair[0] | {name: pair[1][name] for name in list(pair[1])[-1:]}
)
any_mapping: st.SearchStrategy[dict[Any, Any]] = st.one_of(mappings, one_odd_field, good, good_but_one)
others = st.one_of(
    phones,
    any_mapping.map(Masked),
    any_mapping.map(OrderedDict),
    any_mapping.map(lambda fields: FileRow(lead=fields, row=2).lead),
    st.dictionaries(texts, texts, max_size=3),
    st.none(),
)
records: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"phone_number": phones}, optional={n: s for n, s in FIELDS.items() if n != "phone_number"}
)


@given(st.one_of(any_mapping, others, records.map(lambda fields: Lead(**fields))), st.sampled_from(Operation))
@example({"phone_number": PHONE, "name": Twofold.ONE}, Operation.ADD)
@example({"phone_number": PHONE, "priority": Level.FIVE}, Operation.ADD)
@example({"phone_number": PHONE, "source": Masked(url=URL)}, Operation.ADD)
@example({"phone_number": PHONE, "source": {}}, Operation.UPDATE)
@example({"phone_number": PHONE, "key": "k"}, Operation.UPDATE)
@example({"phone_number": PHONE, "name": None}, Operation.UPDATE)
def test_a_lead_is_accepted_or_explained(lead: Any, operation: Operation) -> None:
    decide([lead], operation)


@given(st.lists(st.one_of(good, any_mapping, others), max_size=12), st.sampled_from(Operation))
@example([], Operation.ADD)
@example([], Operation.UPDATE)
@example(
    [{"phone_number": PHONE, "name": "a\ud800", "key": "1"}, {"phone_number": PHONE, "key": "2"}], Operation.ADD
)
@example([{"phone_number": PHONE, "name": 'a\\b"c'}, {"phone_number": PHONE, "name": "\x7f"}], Operation.ADD)
def test_company_changes_nothing(leads: list[Any], operation: Operation) -> None:
    """A lead that is not accepted as it came changes nothing for those beside it."""
    decide(leads, operation)


@given(records)
def test_a_change_is_accepted_or_explained(fields: dict[str, Any]) -> None:
    fields.pop("context_headers", None)
    decide([LeadUpdate(**fields)], Operation.UPDATE)
    decide([LeadUpdate(**fields)], Operation.ADD)


@pytest.mark.parametrize("field", ODD_FIELDS)
@pytest.mark.parametrize("operation", Operation)
def test_every_odd_value_is_accepted_or_explained(field: str, operation: Operation) -> None:
    """Each alone in a lead that is good otherwise, so that nothing else decides."""
    for value in ODD_FIELDS[field]:
        for rest in ({}, {"name": "R. Okafor", "priority": 5, "source": {"url": URL}}):
            lead: dict[str, Any] = {"phone_number": PHONE} | rest | {field: value}
            decide([lead], operation)
            if field != "other" and not (operation is Operation.UPDATE and field == "context_headers"):
                decide([(Lead if operation is Operation.ADD else LeadUpdate)(**lead)], operation)


FULL = {
    "phone_number": "+44 1632 960123",
    "name": "Zoë Okafor",
    "priority": 5,
    "active": True,
    "source": {"system": "billing", "url": URL},
    "key": "crm-9",
}


@pytest.mark.parametrize(
    "lead",
    [
        PHONE,
        {"phone_number": PHONE},
        FULL,
        FULL | {"context_headers": {"X-Plan": "gold"}},
        Lead(PHONE, name="Zoë", source=LeadSource(system="crm"), context_headers={"X-Plan": "gold"}, key="9"),
    ],
)
def test_plain_leads_are_accepted_as_they_came(lead: Any) -> None:
    (found,) = accept([lead], Operation.ADD)
    assert found is not None
    assert PHONE == found[0]


@pytest.mark.parametrize("change", [FULL, LeadUpdate(PHONE, active=False), LeadUpdate(PHONE, name="Zoë", key="9")])
def test_plain_changes_are_accepted_as_they_came(change: Any) -> None:
    assert accept([change], Operation.UPDATE) != [None]


@pytest.mark.parametrize("lead", [FULL, FULL | {"active": 1}])
def test_the_order_of_a_mapping_does_not_change_the_bytes(lead: dict[str, Any]) -> None:
    """What an outbox knows by its key stays the same lead."""
    backwards = dict(reversed(lead.items()))
    call = owner(Operation.ADD)
    made = prepare([lead], 0, Operation.ADD, call)[0]
    assert plain(made) == plain(prepare([backwards], 0, Operation.ADD, call)[0])
    assert plain(made) == plain(prepare([OrderedDict(backwards)], 0, Operation.ADD, call)[0])
