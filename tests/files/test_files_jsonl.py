"""JSON Lines as a source of leads: a fault of the file is one thing, a wrong value another."""

import codecs
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import leads_in, reasons_in, rows_in

from voiso_async import InputFileError
from voiso_async.files import open_leads
from voiso_async.files.columns.mapping import ColumnOptions
from voiso_async.files.columns.phones import PhoneRule
from voiso_async.files.jsonl import LONGEST_LINE, JsonLeads
from voiso_async.files.lead_builder import LeadBuilder
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import FileRow, prepare
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission

PHONE = "441632960123"


def written(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


FAULTS: list[tuple[bytes, int | None, str]] = [
    (b"", None, "empty"),
    (b"\n \n", None, "empty"),
    (b'{"phone": 1}\n{"phone": \n', 2, "not_json"),
    (b'{"phone": 1}\n{"phone": NaN}\n', 2, "not_json"),
    (b'{"phone": 1} {"phone": 2}\n', 1, "not_json"),
    (b'{"phone": 1}\n{"name": "\xe9"}\n', 2, "encoding"),
    (b'{"phone": 1}\n\x00\n', 2, "nul"),
    (b'{"phone": "\\ud800"}\n', 1, "not_json"),
    (b"[" * 100_000 + b"\n", None, "not_json_lines"),
    (b'{"phone": ' + b"[" * 100_000 + b"\n", 1, "not_json"),
    (b'[{"phone": 1}]', None, "not_json_lines"),
    (b'\xef\xbb\xbf\n [{"phone": 1}]', None, "not_json_lines"),
    ('{"phone": 1}'.encode("utf-16"), None, "encoding"),
    (b'{"phone": "' + b"1" * LONGEST_LINE + b'"}', 1, "too_large"),
    (b'{"phone": 1}\n' + b" " * (LONGEST_LINE + 1), 2, "too_large"),
    (b'{"email": "x", "name": "y"}\n', 1, "no_phone_column"),
    (b'{"tel": 1, "mobile": 2}\n', 1, "ambiguous_phone_column"),
    (b'{"phone": 1, "Phone": 2}\n', 1, "duplicate_column"),
    (b"<html>\n", None, "wrong_format"),
    (b"{\\rtf1\\ansi}", None, "wrong_format"),
    (b'{"phone": 1}\n\x1a\n{"phone": 2}\n', 2, "not_json"),
    (codecs.BOM_UTF16_LE + '[{"phone": 1}]'.encode("utf-16-le"), None, "encoding"),
    ('{"phone": 1}'.encode("utf-16-le"), 1, "nul"),
]


@pytest.mark.parametrize(("content", "row", "reason"), FAULTS, ids=[reason for _, _, reason in FAULTS])
async def test_what_is_wrong_with_a_file_names_its_row(
    tmp_path: Path, content: bytes, row: int | None, reason: str
) -> None:
    path = tmp_path / "leads.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputFileError) as caught:
        await leads_in(path, format="jsonl")
    assert (row, reason) == (caught.value.row, caught.value.reason)
    assert str(caught.value).startswith("leads.jsonl: ")
    with pytest.raises(InputFileError) as again:
        async with open_leads(path, format="jsonl") as leads:
            await leads.check()
    assert (row, reason) == (again.value.row, again.value.reason)


@pytest.mark.parametrize("end", [b"\n\x1a", b"\x1a", b"\n\x1a\r\n", b"\x1a\x1a"])
async def test_the_old_sign_of_the_end_of_a_file_is_no_line(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "leads.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + f'{{"phone": {PHONE}}}'.encode() + end)
    async with open_leads(path) as leads:
        await leads.check()
        assert (1, "jsonl") == (leads.rows, leads.format)
        assert [PHONE] == [row.lead["phone_number"] async for row in leads]


async def test_utf_16_is_told_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "leads.txt"
    path.write_text(f'{{"phone": {PHONE}}}', encoding="utf-16")
    with pytest.raises(InputFileError, match=r"leads.txt: it is UTF-16 text: save it as UTF-8, as JSON Lines are"):
        await open_leads(path).open()


async def test_objects_are_read_by_their_keys_and_keep_their_types(tmp_path: Path) -> None:
    whole = {
        "phone_number": f"+{PHONE}",
        "name": "Ada Moss",
        "source": {"system": "crm", "url": "https://crm.example/7"},
        "priority": 7,
        "active": False,
        "context_headers": {"X-Plan": "gold"},
        "key": "k7",
    }
    other = {"Mobile": int(PHONE), "First Name": "Ada", "last-name": "Moss", "X-Plan": "gold", "shoe": [43]}
    path = written(tmp_path / "leads.jsonl", whole, "", other, PHONE, f'"{PHONE}"', {"tel": float(PHONE), "id": 7})
    assert [
        whole | {"phone_number": PHONE},
        {"phone_number": PHONE, "name": "Ada Moss", "context_headers": {"X-Plan": "gold"}},
        {"phone_number": PHONE},
        {"phone_number": PHONE},
        {"phone_number": PHONE, "key": 7},
    ] == await leads_in(path)
    assert [1, 3, 4, 5, 6] == [row.row for row in await rows_in(path)]
    async with open_leads(path) as leads:
        await leads.check()
        assert (5, ("shoe",), ("json",)) == (leads.rows, leads.columns.unused, leads.header)
        assert "phone_number" == leads.columns.recognised["phone_number"]
        assert "source" == leads.columns.recognised["source.system"]


@pytest.mark.row(168, 169, 172, 173)
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"phone_number": True}, "not_text"),
        ({"phone_number": None}, "empty"),
        ({"phone_number": [PHONE]}, "not_text"),
        ({"phone_number": "4.41E+11"}, "scientific_notation"),
        ({"name": 3}, "wrong_type"),
        ({"name": 0}, "wrong_type"),
        ({"name": {"x": 1}}, "wrong_type"),
        ({"priority": "10"}, "out_of_range"),
        ({"priority": 0}, "out_of_range"),
        ({"priority": 1e9}, "out_of_range"),
        ({"active": "false"}, "wrong_type"),
        ({"source": {"system": "crm", "colour": "red"}}, "wrong_type"),
        ({"source": 5}, "wrong_type"),
        ({"source": {"url": "javascript:alert(1)"}}, "bad_url"),
        ({"context_headers": "X-Plan"}, "wrong_type"),
        ({"context_headers": {"Plan": "gold"}}, "bad_header_name"),
        ({"context_headers": {"X-Plan": "a\r\nb"}}, "hidden_character"),
        ({"X-Plan": 7}, "wrong_type"),
        ({"key": ["k"]}, "wrong_type"),
    ],
)
async def test_wrong_values_are_invalid_and_never_coerced(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    path = written(tmp_path / "leads.jsonl", {"phone_number": PHONE, "name": "Ada"} | fields)
    (row,) = await rows_in(path)
    (made,) = prepare([row], 0, Operation.ADD, call())
    assert not isinstance(made, Row)
    assert reason == made.reason


async def test_a_line_that_is_no_lead_keeps_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "leads.jsonl", {"phone": PHONE}, "[1]", "null", "true", {"name": "Ada"}, "{}", PHONE)
    assert [None, "wrong_type", "wrong_type", "wrong_type", "empty", "empty", None] == await reasons_in(path)
    assert ["[1]"] == [row.cells[0] for row in await rows_in(path) if row.row == 2]


async def test_mapped_keys_may_be_absent_later_but_not_at_first(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "mapping": {"phone_number": "nr", "name": "{first} {last}", "source.url": "https://crm.example/{ref}"},
        "campaign_column": "list",
    }
    first = {"nr": PHONE, "first": "Ada", "last": "Moss", "ref": 7, "list": 3}
    path = written(tmp_path / "leads.jsonl", first, {"list": "4", "nr": PHONE}, {"nr": PHONE}, {"list": 5}, PHONE)
    rows = await rows_in(path, **options)
    assert [3, 4, None, 5, None] == [row.campaign for row in rows]
    assert {
        "phone_number": PHONE,
        "name": "Ada Moss",
        "source": {"url": "https://crm.example/7"},
    } == rows[0].lead
    assert {"phone_number": PHONE} == rows[1].lead
    assert ["bad_campaign", "empty", "bad_campaign"] == [row.lead.reason for row in rows[2:]]
    with pytest.raises(InputFileError, match="row 1: no one column is named 'nr'"):
        await leads_in(written(path, {"phone": PHONE}, first), **options)


def call() -> LeadSubmission:
    return LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)


def objects(content: bytes) -> list[FileRow]:
    maker = LeadBuilder(phones=PhoneRule())
    return list(JsonLeads(io.BufferedReader(io.BytesIO(content)), ColumnOptions(), maker))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["phone_number", "name", "source", "priority", "active", "context_headers", "key", "X-Plan", "url"]


@given(st.lists(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=9), max_size=5))
def test_any_values_are_rows_or_outcomes(values: list[Any]) -> None:
    lines = "\n".join(json.dumps(value) for value in [{"phone": PHONE}, *values])
    with suppress(InputFileError):  # keys that squeeze to one, or two phones
        made = objects(lines.encode())
        assert 1 + len(values) == len(made)
        for row in made:
            assert len(prepare([row], 0, Operation.ADD, call())) == 1


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b'{"phone"', b":", b"1", b"}", b"\n", b'"', b"["])).map(b"".join)
)
def test_any_bytes_are_rows_or_a_fault_of_the_file(content: bytes) -> None:
    with suppress(InputFileError):
        assert all(row.row > 0 for row in objects(content))
