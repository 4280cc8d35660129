"""A caller's own mapping of columns to fields."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import leads_in, rows_in

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import open_leads
from voiso_async.files.columns.mapping import check_mapping, resolve_mapping

PHONE = "441632960123"
HEADER = "Id,Mobile,Phone,First,Last,Plan,List\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text(
        f"{HEADER}7,{PHONE},1,Ada,Moss,gold,3\n,{PHONE},1,Ada,,,4\n9,{PHONE},1,,,,x\n", encoding="utf-8"
    )
    return path


MAPPING = {
    "phone_number": "Mobile",
    "name": "{First} {Last}",
    "source.url": "https://crm.example/{Id}",
    "source": "Plan",
    "context_headers.X-Plan": "{{{Plan}}}",
    "priority": "id",
}


async def test_fields_from_columns_and_templates(path: Path) -> None:
    first, second, third = await leads_in(path, mapping=MAPPING)
    assert {
        "phone_number": PHONE,
        "name": "Ada Moss",
        "source": {"system": "gold", "url": "https://crm.example/7"},
        "context_headers": {"X-Plan": "{gold}"},
        "priority": 7,
        "key": "7",
    } == first
    assert {"phone_number": PHONE, "name": "Ada"} == second
    assert {"phone_number": PHONE, "source": {"url": "https://crm.example/9"}, "priority": 9, "key": "9"} == third
    async with open_leads(path, mapping=MAPPING) as leads:
        assert ("Phone", "List") == leads.columns.unused
        assert "First + Last" == leads.columns.recognised["name"]


async def test_the_key_and_the_campaign_of_each_row(path: Path) -> None:
    rows = await rows_in(path, mapping={"phone_number": "Mobile"}, key_column="PLAN", campaign_column="List")
    assert [3, 4, None] == [row.campaign for row in rows]
    assert ["gold", None] == [row.lead.get("key") for row in rows[:2]]
    assert ("campaign", "bad_campaign") == (rows[2].lead.field, rows[2].lead.reason)


@pytest.mark.parametrize("cell", ["", "0", "-1", "3.5", "abc", "\u0663", "9" * 30])
async def test_a_campaign_is_a_whole_number_above_0(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"phone,list,note\n{PHONE},{cell},x\n", encoding="utf-8")
    (row,) = await rows_in(path, campaign_column="list")
    assert (None, "bad_campaign") == (row.campaign, row.lead.reason)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"phone": "Mobile"}, "no field 'phone' to map: there are phone_number, name"),
        ({"source.colour": "Plan"}, "no field 'source.colour'"),
        ({"context_headers.Plan": "Plan"}, "no field 'context_headers.Plan'"),
        ({"context_headers.X-a b": "Plan"}, "no field"),
        ({"X-Plan": "Plan"}, "no field 'X-Plan'"),
        ({"name": ""}, "gives each field the name of its column"),
        ({"name": 3}, "gives each field the name of its column"),
        ({"name": "{First"}, "the template of name has a single"),
        ({"name": "First}"}, "the template of name has a single"),
        ({"name": "{a{b}}"}, "the template of name has a single"),
    ],
)
async def test_a_mapping_that_cannot_be(path: Path, mapping: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await open_leads(path, mapping={"phone_number": "Mobile"} | mapping).open()


@pytest.mark.parametrize(
    "options",
    [
        {"mapping": {"phone_number": "Handy"}},
        {"mapping": {"phone_number": "Mobile", "name": "{First} {Middle}"}},
        {"mapping": {"phone_number": "Mobile", "name": "web form"}},
        {"mapping": {"phone_number": "Mobile"}, "key_column": "CRM id"},
        {"mapping": {"phone_number": "Mobile"}, "campaign_column": ""},
    ],
)
async def test_a_column_there_is_not(path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputFileError, match="there are 'Id', 'Mobile', 'Phone', 'First', 'Last'") as caught:
        await open_leads(path, **options).open()
    assert (1, "no_such_column") == (caught.value.row, caught.value.reason)


async def test_a_mapped_phone_settles_which_of_many(path: Path) -> None:
    with pytest.raises(InputFileError, match="could each be the phone number"):
        await open_leads(path).open()
    assert 3 == len(await leads_in(path, mapping={"phone_number": "Phone"}))


async def test_a_list_without_a_header_can_be_mapped_by_the_names_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{PHONE},Ada,web\n", encoding="utf-8")
    mapping = {"context_headers.X-From": "Source", "name": "{Name} ({Source})"}
    assert [
        {
            "phone_number": PHONE,
            "name": "Ada (web)",
            "source": {"system": "web"},
            "context_headers": {"X-From": "web"},
        }
    ] == await leads_in(path, mapping=mapping)


@given(st.text(max_size=20))
def test_any_template_is_read_or_refused(text: str) -> None:
    try:
        made = resolve_mapping(["a", "b"], check_mapping({"name": text}))
    except (ConfigurationError, InputFileError):
        return
    assert {"name"} == set(made)
