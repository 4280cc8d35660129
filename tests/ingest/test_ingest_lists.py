"""The shapes of the lists in an answer, and answers that leave rows out."""

from typing import Any

import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones

from voiso_async.sandbox import (
    Json,
    Rules,
)

stage = http_stage.stage

NUMBERS = phones(3)


@pytest.mark.row(68, 69)
@pytest.mark.parametrize(
    "payload",
    [
        {"leads_import": {"created": NUMBERS, "duplicates": [], "rejected": []}},
        {"leads_import": {"created": NUMBERS}},
        {"leads_import": {"created": NUMBERS, "duplicates": None, "rejected": {}}},
        {"leads_import": {"created": [f"+{number}" for number in NUMBERS]}},
        {"leads_import": {"created": [{"phone_number": number, "id": 5} for number in NUMBERS]}},
        {"leads_import": {"created": [*NUMBERS, None, 5, {"id": 5}, []]}},
        {"something_else": {"created": NUMBERS}, "meta": 5},
        {"created": NUMBERS},
    ],
    ids=repr,
)
async def test_every_documented_shape_of_lists_is_read(stage: Stage, payload: Any) -> None:
    stage.fail(Json(payload, apply=True))
    voiso = await stage.client()
    report = await voiso.leads.add(3, NUMBERS)
    assert {"created": 3} == counts(report)
    assert 1 == report.attempts


@pytest.mark.parametrize(
    "rules", [{"echo_plus": True}, {"forward_compat": True}, {"success_status": 201}], ids=repr
)
async def test_either_reading_of_the_contract_is_served(stage: Stage, rules: dict[str, Any]) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, do_not_call=frozenset(phones(1, 2)), **rules)
    stage.sandbox.campaigns[3].leads[phones(1)[0]] = {}
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(3))
    assert ["duplicate", "created", "rejected"] == [outcome.outcome for outcome in report.outcomes]


@pytest.mark.row(81)
async def test_rows_that_an_answer_omits_ride_once_more(stage: Stage) -> None:
    """The repeat lists it as a duplicate: it is in the campaign, but it is unknown who added it."""
    stage.fail(Json({"leads_import": {"created": phones(7), "rejected": [], "duplicates": []}}, apply=True))
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"created": 7, "confirmed": 3} == counts(report)
    assert [10, 3] == stage.sizes


@pytest.mark.row(81)
@pytest.mark.parametrize(
    ("lists", "reason"),
    [({"created": []}, "unaccounted"), ({"created": phones(2), "rejected": phones(2)}, "conflicting")],
)
async def test_rows_without_a_clear_word_twice_are_unreported(stage: Stage, lists: Any, reason: str) -> None:
    stage.fail(Json({"leads_import": lists}), times=2)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(2))
    assert {"unreported": 2} == counts(report)
    assert {reason: 2} == report.reasons


@pytest.mark.parametrize("status", [201, 202, 203, 206, 207, 299])
@pytest.mark.parametrize("errors", [{}, [], None, "", {"base": []}], ids=repr)
async def test_an_empty_errors_field_takes_no_word_away(stage: Stage, status: int, errors: Any) -> None:
    lists = {"created": NUMBERS, "rejected": [], "duplicates": []}
    stage.fail(Json({"leads_import": lists, "errors": errors}, status=status, apply=True))
    report = await (await stage.client()).leads.add(3, NUMBERS)
    assert ({"created": 3}, 1) == (counts(report), report.attempts)


async def test_rows_that_a_partial_success_does_not_list_are_in_doubt(stage: Stage) -> None:
    """They are sent again; a duplicate was added by one of the two POSTs, or before."""
    partial = {"leads_import": {"created": phones(2)}, "errors": {"base": ["the rest is still to come"]}}
    stage.fail(Json(partial, status=207, apply=3))
    report = await (await stage.client()).leads.add(3, phones(4))
    assert ["created", "created", "confirmed", "created"] == [outcome.outcome for outcome in report.outcomes]
    assert [4, 2] == stage.sizes


async def test_what_a_partial_success_says_of_the_others_is_kept_as_data(stage: Stage) -> None:
    partial = {"leads_import": {"created": phones(1)}, "error": "Rhoda is not wanted"}
    stage.fail(Json(partial, status=207, apply=1), Json({"created": phones(1), **partial}, status=207))
    report = await (await stage.client()).leads.add(3, phones(2))
    assert {"created": 1, "unreported": 1} == counts(report)
    assert "Rhoda is not wanted" == report.outcomes[1].detail
    assert "Rhoda" not in repr(report) + repr(report.outcomes)


async def test_an_error_message_beside_empty_lists_is_waited_out(stage: Stage) -> None:
    nothing = {"leads_import": {"created": [], "rejected": [], "duplicates": []}, "error": "the queue is full"}
    stage.fail(Json(nothing), Json(nothing, status=202))
    report = await (await stage.client()).leads.add(3, NUMBERS)
    assert ({"created": 3}, 3) == (counts(report), report.attempts)


@pytest.mark.row(82)
async def test_numbers_that_were_never_sent_are_anomalies(stage: Stage) -> None:
    stage.fail(Json({"leads_import": {"created": phones(2), "duplicates": phones(5, 900)}}, apply=True))
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(2))
    assert {"created": 2} == counts(report)
    assert 5 == report.anomalies
