"""Which column is which field, and what a cell means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import leads_in

from voiso_async.errors import InputFileError
from voiso_async.files.columns.mapping import ColumnMap
from voiso_async.files.columns.phones import PhoneRule
from voiso_async.files.lead_builder import LeadBuilder
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import InvalidLead, prepare
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.submission import LeadSubmission

PHONE = "441632960123"


def lead(header: str, cells: str, *, international: bool = False) -> Mapping[str, Any] | InvalidLead:
    maker = LeadBuilder(phones=PhoneRule(international=international))
    made = maker.from_texts(ColumnMap.of(header.split(",")), 7, cells.split(","))
    assert (7, tuple(cells.split(","))) == (made.row, made.cells)
    found: Mapping[str, Any] | InvalidLead = made.lead
    return found


@pytest.mark.parametrize(
    "name",
    [
        *(
            "phone_number",
            "Phone Number",
            "PHONE-NUMBER",
            "phone",
            "Phone No.",
            "Mobile",
            "tel",
            "Telephone number",
        ),
        *("MSISDN", "number", "cell", "cellphone", " phone ", "mobile_phone", "contact number"),
    ],
)
def test_the_usual_names_of_the_phone(name: str) -> None:
    assert {"phone_number": PHONE} == lead(name, PHONE)


@pytest.mark.parametrize(
    ("header", "cells", "field"),
    [
        ("name", "Ada Moss", {"name": "Ada Moss"}),
        ("Full Name", " Ada Moss ", {"name": "Ada Moss"}),
        ("First name,LAST_NAME", "Ada,Moss", {"name": "Ada Moss"}),
        ("surname,given name", "Moss,", {"name": "Moss"}),
        ("name,first name", "Ada Moss,Eva", {"name": "Ada Moss"}),
        ("source", "crm", {"source": {"system": "crm"}}),
        (
            "source_system,source-url",
            "crm,https://example.com",
            {"source": {"system": "crm", "url": "https://example.com"}},
        ),
        ("link", "https://example.com", {"source": {"url": "https://example.com"}}),
        ("Priority", "10", {"priority": 10}),
        ("Priority", "high", {"priority": "high"}),
        ("Priority", "1.5", {"priority": "1.5"}),
        ("Priority", "", {}),
        ("active", "Yes", {"active": True}),
        ("is active", "0", {"active": False}),
        ("active", "FALSE", {"active": False}),
        ("active", "", {}),
        ("id", "17", {"key": "17"}),
        ("id,External ID", "17,x9", {"key": "x9"}),
        ("key", " ", {}),
        ("X-Plan,x-Ref", "gold,", {"context_headers": {"X-Plan": "gold"}}),
        ("x-Ref", "9", {"context_headers": {"X-Ref": "9"}}),
        ("email,shoe size", "a@example.com,43", {}),
        ("", "left over", {}),
    ],
)
def test_the_other_fields(header: str, cells: str, field: dict[str, Any]) -> None:
    assert {"phone_number": PHONE} | field == lead(f"phone,{header}", f"{PHONE},{cells}")


def test_what_is_not_used_is_named() -> None:
    columns = ColumnMap.of(["E-mail", "phone", "", "X-Plan", "mobile", "phone_number", "id", "crm id"])
    assert ("E-mail", "phone", "mobile", "id") == columns.summary.unused
    assert {"phone_number": 5, "key": 7} == columns.fields


@pytest.mark.parametrize(
    ("cell", "international", "reason"),
    [
        ("2025550123", False, "national_without_region"),
        ("202-555-0123", False, "national_without_region"),
        ("2025550123", True, None),
        ("+2025550123", False, None),
        ("12025550123", False, None),
    ],
)
def test_a_short_number_may_lack_its_country_code(*, cell: str, international: bool, reason: str | None) -> None:
    made = lead("phone", cell, international=international)
    assert reason == (made.reason if isinstance(made, InvalidLead) else None)


def test_a_flag_that_is_none_is_no_guess() -> None:
    made = lead("phone,active,id", f"{PHONE},maybe,k1")
    assert isinstance(made, InvalidLead)
    assert ("active", "not_a_flag", "k1") == (made.field, made.reason, made.key)
    assert "k1" not in repr(made)


@pytest.mark.parametrize(
    ("header", "reason", "says"),
    [
        ("email,name", "no_phone_column", "there are 'email', 'name': name the right one phone_number"),
        (",".join(f"c{n}" for n in range(30)), "no_phone_column", "'c19' and 10 more"),
        ("e" * 99, "no_phone_column", f"'{'e' * 39}…'"),
        ("a\x1b[2J\nb", "no_phone_column", "'a [2J b'"),
        ("ref 4416329601234 x", "no_phone_column", "'(a number)'"),
        ("phone,phone", "duplicate_column", "two columns are named 'phone'"),
        ("phone,First Name,first_name", "duplicate_column", "two columns are named 'first_name'"),
        ("mobile,phone,tel", "ambiguous_phone_column", "'phone' and 'tel' and 'mobile' could each be"),
        ("phone,X-a b", "bad_header_name", "the column 'X-a b' cannot be a context header"),
        ("phone,X-", "bad_header_name", "the column 'X-' cannot be a context header"),
    ],
)
def test_a_header_that_cannot_be_understood(header: str, reason: str, says: str) -> None:
    with pytest.raises(InputFileError) as caught:
        ColumnMap.of(header.split(","))
    assert (1, reason) == (caught.value.row, caught.value.reason)
    assert says in str(caught.value)
    assert PHONE not in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_invalid_lead_is_in_the_report() -> None:
    call = LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
    call.add([InvalidLead(field="active", reason="not_a_flag", detail="write yes or no", key="row 2")])
    call.close()
    outcome = call.report().outcomes[0]
    assert (0, "invalid", None, "row 2") == (outcome.index, outcome.outcome, outcome.phone, outcome.key)
    assert ("active", "not_a_flag", "write yes or no") == (outcome.field, outcome.reason, outcome.detail)
    assert {"not_a_flag": 1} == call.report().reasons


@given(st.lists(st.text(max_size=8), min_size=7, max_size=7))
def test_any_cells_make_a_row_or_an_outcome(cells: list[str]) -> None:
    columns = ColumnMap.of(["phone", "name", "priority", "active", "source", "link", "X-Plan"])
    maker = LeadBuilder(phones=PhoneRule(international=True))
    call = LeadSubmission(Operation.ADD, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
    (made,) = prepare([maker.from_texts(columns, 2, cells)], 0, Operation.ADD, call)
    assert not isinstance(made, LeadOutcome) or made.reason


async def test_two_columns_of_one_name_that_no_field_uses_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"phone,note,note,name\n{PHONE},a,b,Ada\n")
    assert [{"phone_number": PHONE, "name": "Ada"}] == await leads_in(path)


@pytest.mark.parametrize("hidden", list("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u00a0\u3164\u2800\x7f"))
@pytest.mark.parametrize("place", [0, 2, 5])
async def test_an_unseen_character_in_a_name_is_passed_over(tmp_path: Path, hidden: str, place: int) -> None:
    path = tmp_path / "leads.csv"
    title = "Phone"[:place] + hidden + "Phone"[place:]
    path.write_text(f"id;{title}\n7;{PHONE}\n", encoding="utf-8")
    assert [{"phone_number": PHONE, "key": "7"}] == await leads_in(path)
    assert [{"phone_number": PHONE, "key": "7"}] == await leads_in(path, mapping={"phone_number": "Phone"})


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("First Name,Last Name,Account Name", "Ann,Example,Example Ltd", "Ann Example"),
        ("Account Name,First Name,Last Name", "Example Ltd,Ann,Example", "Ann Example"),
        ("Account Name,First Name,Last Name", "Example Ltd,,", "Example Ltd"),
        ("Contact,First Name,Last Name", ",Ann,Example", "Ann Example"),
        ("Customer Name,Vorname,Nachname", "Beispiel GmbH,Ann,", "Ann"),
        ("Full Name,First Name,Last Name", ",Ann,Example", "Ann Example"),
        ("Contact Name,First Name,Last Name", "Example Ltd,Ann,Example", "Ann Example"),
        ("Account Name,Contact", "Example Ltd,Ann Example", "Ann Example"),
        ("Full Name,First Name,Last Name", "Dr Ann Example,Ann,Example", "Dr Ann Example"),
        ("Account Name,Note", "Example Ltd,x", "Example Ltd"),
    ],
)
async def test_a_name_is_the_persons_own(tmp_path: Path, header: str, row: str, name: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"{header},phone\n{row},{PHONE}\n")
    assert [name] == [lead["name"] for lead in await leads_in(path)]


async def test_a_mapping_of_the_name_wins(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"Account Name,First Name,Last Name,phone\nExample Ltd,Ann,Example,{PHONE}\n")
    mapped = await leads_in(path, mapping={"name": "Account Name"})
    assert ["Example Ltd"] == [lead["name"] for lead in mapped]
    parts = await leads_in(path, mapping={"first_name": "Last Name", "last_name": "First Name"})
    assert ["Example Ann"] == [lead["name"] for lead in parts]
