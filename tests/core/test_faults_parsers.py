"""Every reader of what others wrote gives a value or one of our errors, whatever the bytes, and soon."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiso_async.auth import ApiKey
from voiso_async.convert import decode, structure
from voiso_async.decipher import api_error, clean_text, decode_json, parse_voiso_error
from voiso_async.errors import APIError, PaginationError, ResponseError, VoisoError
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import prepare
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.ingest.verdict import parse_reply, verdict
from voiso_async.models import Campaign, User
from voiso_async.pages import LinkPages, Page, page_of
from voiso_async.phone import PhoneFault, canonical, digits_of
from voiso_async.retry import retry_after
from voiso_async.talkdesk.pages import hal_link
from voiso_async.wire import Request, Response, base_url_of, id_text, positive_id

GET = Request.to("GET", "/campaigns")
OWNER = LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
LINKS = LinkPages(GET, base_url="https://api.example.com")
KEY = ApiKey("canary-key-4410fe")

Reader = Callable[[bytes], Any]


def answer(body: bytes, status: int = 200) -> Response:
    return Response(status=status, headers={"location": body[:200].decode("latin-1")}, body=body)


def text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def prepared(lead: Any) -> Row | LeadOutcome:
    return prepare([lead], 0, Operation.ADD, OWNER)[0]


READERS: Mapping[str, Reader] = {
    "decode": decode,
    "decode_json": lambda body: decode_json(answer(body), GET),
    "explain": parse_voiso_error,
    "clean_text": lambda body: clean_text(text(body)),
    "api_error": lambda body: str(api_error(GET, answer(body, 400 + len(body) % 200), parse_voiso_error)),
    "redirect": lambda body: str(api_error(GET, answer(body, 307), parse_voiso_error)),
    "campaign": lambda body: structure(decode(body), Campaign),
    "user": lambda body: structure(decode(body), User),
    "page": lambda body: page_of(Campaign, "campaigns")(answer(body), GET),
    "hal link": lambda body: hal_link({"_links": {"next": decode(body)}}, GET),
    "link": lambda body: LINKS.after(Page(items=(), next_link=text(body), total=9)),
    "lists of an add": lambda body: parse_reply(Operation.ADD, decode(body)),
    "lists of an update": lambda body: parse_reply(Operation.UPDATE, decode(body)),
    "verdict": lambda body: verdict(Operation.ADD, answer(body, 200 + len(body) % 400)),
    "Retry-After": lambda body: retry_after({"retry-after": text(body), "date": text(body[::-1])}),
    "phone": lambda body: canonical(text(body)),
    "digits": lambda body: digits_of(text(body)),
    "lead": lambda body: prepared({"phone_number": "441632960001", "name": text(body)}),
    "lead from JSON": lambda body: prepared(decode(body)),
    "source url": lambda body: prepared({"phone_number": "441632960001", "source": {"url": text(body)}}),
    "headers of a lead": lambda body: prepared(
        {"phone_number": "441632960001", "context_headers": {f"X-{text(body)}": text(body)}}
    ),
    "mask": lambda body: KEY.mask(text(body)),
    "base url": lambda body: base_url_of(None, text(body)),
    "cluster": lambda body: base_url_of(text(body), None),
    "id": lambda body: (id_text(text(body), "user_id"), positive_id(text(body))),
}
NAMES = [
    *("leads_import", "created", "duplicates", "rejected", "error", "errors", "campaigns", "metadata", "total"),
    *("id", "name", "href", "next", "phone_number", "extra", "status", "created_at", "priority", "source"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS | st.sampled_from(["441632960001", "active", "2026-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
LINK = r"(https?:)?//?[a-z.@:\[\]]{0,20}(/[a-z.%]{0,8}){0,4}(\?[a-z=&%]{0,20})?"
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.text(max_size=100).map(lambda value: value.encode("utf-16"))
    | st.text("+-() 0123456789eExX#.,;\u202a\u0663", max_size=70).map(str.encode)
    | st.from_regex(r"(https?:)?//?[a-z.@:\[\]]{0,20}(/[a-z.%]{0,8}){0,4}(\?[a-z=&%]{0,20})?", fullmatch=True).map(
        str.encode
    )
)


def fault_of(reader: Reader, body: bytes) -> str | None:
    try:
        reader(body)
    except VoisoError as error:
        return str(error)
    return None


@pytest.mark.row(35, 65, 67, 68, 69, 71, 165, 166, 200)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(body=BODIES)
def test_any_bytes_are_a_value_or_one_of_our_errors(reader: Reader, body: bytes) -> None:
    assert "\n" not in (fault_of(reader, body) or "")


LENIENT = {
    *("api_error", "clean_text", "digits", "explain", "headers of a lead", "lead", "mask", "phone", "redirect"),
    *("Retry-After", "source url", "verdict"),
}


def test_the_other_readers_do_refuse_bodies() -> None:
    bodies = [b"\xff", b"", b"1", b"//x/y"]
    refusing = {name for name, reader in READERS.items() if any(fault_of(reader, body) for body in bodies)}
    assert READERS.keys() - LENIENT == refusing


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@settings(max_examples=4000, deadline=None)
@given(body=BODIES)
def test_a_hundred_times_as_many_bytes(reader: Reader, body: bytes) -> None:
    assert "" != fault_of(reader, body)


MEGABYTE = 1_000_000
MONSTERS = {
    "brackets": b"[" * 200_000,
    "braces": b'{"a":' * 100_000,
    "digits": b"9" * MEGABYTE,
    "a number with many digits": b'{"total": ' + b"9" * 5000 + b"}",
    "blanks": b" " * MEGABYTE,
    "backslashes": b"\\" * MEGABYTE,
    "escapes": b"\x1b[" * 300_000,
    "titles": b"\x1b]0;" * 200_000,
    "numbers with separators": b"1 2-3." * 150_000,
    "extensions": b"1x" * 500_000,
    "commas": b"1," * 500_000,
    "parentheses": b"+(" * 500_000,
    "bearers": b"Bearer " * 150_000,
    "colons": b"Authorization:" * 80_000,
    "percents": b"%2e" * 300_000,
    "slashes": b"/" * MEGABYTE,
    "ats": b"https://" + b"a@" * 400_000,
    "question marks": b"?" * MEGABYTE,
    "many names": b"{" + b",".join(b'"k%d":1' % at for at in range(50_000)) + b"}",
    "one name often": b"{" + b",".join([b'"error":[1]'] * 50_000) + b"}",
    "errors": b'{"errors": {' + b",".join(b'"f%d": ["bad"]' % at for at in range(30_000)) + b"}}",
    "nested errors": b'{"errors": ' + b'{"a": ' * 900 + b'"x"' + b"}" * 900 + b"}",
    "not a number": b'{"total": NaN}',
    "infinity": b'{"total": 1e999}',
    "half a character": b'{"name": "\\ud800"}',
    "nothing": b"",
    "zeros": bytes(MEGABYTE),
    "no utf-8": b"\xff\xfe" * 300_000,
}
MOST_CPU_SECONDS = 0.5 if sys.gettrace() is None else 2.0
"""Of one reader for one monster of a megabyte; what backtracks takes minutes."""


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS)
def test_no_monster_keeps_a_reader_busy(monster: bytes) -> None:
    slow = {
        name: round(seconds, 2)
        for name, reader in READERS.items()
        if (seconds := _cost(reader, monster)) > MOST_CPU_SECONDS
    }
    assert not slow


def _cost(reader: Reader, body: bytes) -> float:
    """CPU seconds, the better of two runs if one was slow."""
    costs = []
    for _ in range(2):
        began = time.process_time()
        try:
            reader(body)
        except VoisoError as error:
            assert len(str(error)) < 2000  # noqa: PT017 - a value is as good
        costs.append(time.process_time() - began)
        if costs[-1] < MOST_CPU_SECONDS:
            break
    return min(costs)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_kinds_of_results_are_what_their_names_say(body: bytes) -> None:
    assert isinstance(canonical(text(body)), str | PhoneFault)
    assert isinstance(prepared(text(body)), Row | LeadOutcome)
    assert isinstance(api_error(GET, answer(body, 422), parse_voiso_error), APIError)
    assert digits_of(text(body)).isascii()
    for reader in (READERS["link"], READERS["page"]):
        try:
            reader(body)
        except (PaginationError, ResponseError):
            continue
