"""Adding and updating leads."""

from typing import Any

import pytest
from attrs import evolve
from sandbox_caller import PHONES, serving

ADDED = {"leads_import": {"created": PHONES[:1], "rejected": [], "duplicates": []}}


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("size", [0, 1001])
async def test_a_batch_holds_1_to_1000_leads(method: str, size: int) -> None:
    async with serving() as (sandbox, client):
        received = await client(method, "/campaigns/3/leads", json=[{"phone_number": PHONES[0]}] * size)
        assert (422, {"errors": {"leads": ["must hold 1 to 1000 items"]}}) == (received.status, received.payload)
        assert {} == sandbox.campaigns[3].leads


@pytest.mark.parametrize("body", [{}, {"leads": [{"phone_number": PHONES[0]}]}, None, "text", 3])
async def test_leads_are_a_bare_array(body: object) -> None:
    async with serving() as (_, client):
        received = await client.post_leads(body)
        assert (422, {"errors": {"leads": ["must be an array"]}}) == (received.status, received.payload)


async def test_a_full_batch_is_taken() -> None:
    async with serving() as (sandbox, client):
        received = await client.add(PHONES)
        assert PHONES == received.payload["leads_import"]["created"]
        assert PHONES == list(sandbox.campaigns[3].leads)


@pytest.mark.parametrize("lead", [{}, {"name": "Ada"}, {"phone_number": None}, {"phone_number": ""}])
async def test_a_lead_without_a_number_is_422_and_named(lead: dict[str, Any]) -> None:
    async with serving() as (sandbox, client):
        leads = [{"phone_number": PHONES[0]}, lead]
        received = await client.post_leads(leads)
        assert (422, {"errors": {"1.phone_number": ["is missing"]}}) == (received.status, received.payload)
        sandbox.rules = evolve(sandbox.rules, name_index=False)
        assert {"errors": {"phone_number": ["is missing"]}} == (await client.post_leads(leads)).payload
        assert {} == sandbox.campaigns[3].leads


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone_number", 447700900001),
        ("name", 5),
        ("name", None),
        ("source", "crm"),
        ("source", {"system": 1}),
        ("source", {"url": None}),
        ("priority", 0),
        ("priority", 1001),
        ("priority", "5"),
        ("priority", 1.5),
        ("priority", True),
        ("active", 1),
        ("active", "true"),
        ("context_headers", []),
        ("context_headers", {"Plan": "gold"}),
        ("context_headers", {"X-": "gold"}),
        ("context_headers", {"X-Pl an": "gold"}),
        ("context_headers", {"X-Plan": 1}),
    ],
)
async def test_wrong_types_and_ranges_are_422(field: str, value: object) -> None:
    async with serving() as (sandbox, client):
        received = await client.post_leads([{"phone_number": PHONES[0], field: value}])
        assert 422 == received.status
        assert [f"0.{field}"] == list(received.payload["errors"])
        assert {} == sandbox.campaigns[3].leads


async def test_a_lead_that_is_no_object_is_422() -> None:
    async with serving() as (_, client):
        assert {"errors": {"0.lead": ["must be an object"]}} == (await client.post_leads(["447700900001"])).payload


async def test_every_documented_field_is_taken_and_kept() -> None:
    lead = {
        "phone_number": PHONES[0],
        "name": "R. Okafor",
        "priority": 1000,
        "active": False,
        "source": {"system": "billing", "url": "https://crm.example.net/c/9"},
        "context_headers": {"X-Plan": "gold", "X-Ref.2~!*+_-": ""},
    }
    async with serving() as (sandbox, client):
        assert 200 == (await client.post_leads([lead])).status
        assert {PHONES[0]: lead} == sandbox.campaigns[3].leads


async def test_a_poisoned_lead_spoils_the_whole_request() -> None:
    async with serving(poison=lambda lead: "is cursed" if lead["phone_number"] == PHONES[2] else None) as (
        sandbox,
        client,
    ):
        received = await client.add(PHONES[:4])
        assert (422, {"errors": {"2.phone_number": ["is cursed"]}}) == (received.status, received.payload)
        sandbox.rules = evolve(sandbox.rules, name_index=False)
        assert {"errors": {"phone_number": ["is cursed"]}} == (await client.add(PHONES[:4])).payload
        assert {} == sandbox.campaigns[3].leads


@pytest.mark.parametrize("number", ["+447700900001", "44 7700", "123456", "1" * 16, "0" * 9, "abc", "٤٤٧٧٠٠٩٠٠"])
async def test_an_implausible_number_is_rejected_alone(number: str) -> None:
    async with serving() as (sandbox, client):
        lists = (await client.add([number, PHONES[0]])).payload["leads_import"]
        assert {"created": PHONES[:1], "rejected": [number], "duplicates": []} == lists
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


async def test_numbers_on_the_do_not_call_list_are_rejected() -> None:
    async with serving(do_not_call=frozenset(PHONES[:1])) as (_, client):
        lists = (await client.add(PHONES[:2])).payload["leads_import"]
        assert {"created": PHONES[1:2], "rejected": PHONES[:1], "duplicates": []} == lists


async def test_known_and_repeated_numbers_are_duplicates() -> None:
    async with serving() as (sandbox, client):
        await client.post_leads([{"phone_number": PHONES[0], "name": "first"}])
        lists = (await client.post_leads([{"phone_number": PHONES[place]} for place in (1, 0, 1)])).payload
        expected = {"created": [PHONES[1]], "rejected": [], "duplicates": [PHONES[0], PHONES[1]]}
        assert expected == lists["leads_import"]
        assert "first" == sandbox.campaigns[3].leads[PHONES[0]]["name"]


async def test_repeats_in_a_batch_can_be_left_out_of_the_lists() -> None:
    async with serving(repeats_listed=False) as (_, client):
        lists = (await client.add([PHONES[0], PHONES[0]])).payload["leads_import"]
        assert {"created": [PHONES[0]], "rejected": [], "duplicates": []} == lists


async def test_numbers_can_come_back_with_a_plus() -> None:
    async with serving(echo_plus=True) as (_, client):
        assert [f"+{PHONES[0]}"] == (await client.add(PHONES[:1])).payload["leads_import"]["created"]


@pytest.mark.parametrize(("required", "status"), [(False, 200), (True, 422)])
async def test_a_campaign_that_is_not_live(required: bool, status: int) -> None:  # noqa: FBT001 - a table of values
    async with serving(live_required=required) as (sandbox, client):
        sandbox.add_campaign(id=4, live=False)
        assert status == (await client.add(PHONES[:1], campaign=4)).status
        assert 200 == (await client.add(PHONES[:1])).status


@pytest.mark.parametrize("status", [200, 201])
async def test_success_of_adding_is_200_or_201(status: int) -> None:
    async with serving(success_status=status) as (_, client):
        received = await client.add(PHONES[:1])
        assert (status, ADDED) == (received.status, received.payload)
        assert status == (await client("POST", "/campaigns/3/users", json={"user_ids": [6]})).status


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_updates_change_the_five_fields_of_known_leads_only(method: str) -> None:
    source = {"system": "crm", "url": "https://crm.example.net/1"}
    before = {"phone_number": PHONES[0], "name": "Ada", "source": source, "context_headers": {"X-Plan": "gold"}}
    change = {
        "phone_number": PHONES[0],
        "name": "Ada M.",
        "priority": 7,
        "active": False,
        "source": {"url": "https://crm.example.net/2"},
        "context_headers": {"X-Plan": "tin"},
        "campaign_id": 4,
    }
    async with serving() as (sandbox, client):
        await client.post_leads([before])
        received = await client(method, "/campaigns/3/leads", json=[change, {"phone_number": PHONES[1]}, change])
        lists = {"updated": PHONES[:1], "rejected": PHONES[1:2]}
        assert (200, {"leads_import": lists}) == (received.status, received.payload)
        after = {
            **before,
            "name": "Ada M.",
            "priority": 7,
            "active": False,
            "source": {"system": "crm", "url": "https://crm.example.net/2"},
        }
        assert {PHONES[0]: after} == sandbox.campaigns[3].leads
        assert (PHONES[0],) == sandbox.history[-1].applied


async def test_an_absent_field_stays_unchanged() -> None:
    async with serving() as (sandbox, client):
        await client.post_leads([{"phone_number": PHONES[0], "name": "Ada", "priority": 3}])
        await client("PATCH", "/campaigns/3/leads", json=[{"phone_number": PHONES[0], "active": False}])
        expected = {"phone_number": PHONES[0], "name": "Ada", "priority": 3, "active": False}
        assert expected == sandbox.campaigns[3].leads[PHONES[0]]


@pytest.mark.parametrize(
    ("style", "payload"),
    [
        ("lists", {"leads_import": {"updated": PHONES[:1], "rejected": []}}),
        ("bare", {"updated": PHONES[:1], "rejected": []}),
        ("empty", None),
    ],
)
async def test_the_reply_to_an_update_has_three_shapes(style: str, payload: object) -> None:
    async with serving(update_reply=style) as (sandbox, client):
        sandbox.add_campaign(id=4, leads=PHONES[:1])
        received = await client("PATCH", "/campaigns/4/leads", json=[{"phone_number": PHONES[0]}])
        assert (200, payload) == (received.status, received.payload)
