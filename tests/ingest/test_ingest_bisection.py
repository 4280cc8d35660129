"""A whole batch is refused because of some of its rows: the search finds them, and the others are sent."""

import asyncio
from typing import Any

import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones
from report_in import report_in

from voiso_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    UnprocessableEntityError,
)
from voiso_async.ingest.outcome import Outcome
from voiso_async.sandbox import (
    Busy,
    Rules,
    Status,
)

stage = http_stage.stage


def bad_name(lead: Any) -> str | None:
    return "is not wanted" if lead.get("name") == "bad" else None


def poisoned(count: int, *bad: int) -> list[dict[str, str]]:
    return [{"phone_number": p, "name": "bad" if i in bad else "good"} for i, p in enumerate(phones(count))]


@pytest.mark.row(34)
@pytest.mark.parametrize("name_index", [True, False])
async def test_the_poisoned_row_stands_alone_in_the_end(stage: Stage, name_index: bool) -> None:  # noqa: FBT001 - a parameter
    stage.sandbox.rules = Rules(cooldown=0.01, poison=bad_name, name_index=name_index)
    voiso = await stage.client(cooldown=0.01)
    report = await voiso.leads.add(3, poisoned(40, 17))
    assert [17] == [outcome.index for outcome in report.outcomes if outcome.outcome is Outcome.REJECTED]
    assert {"created": 39, "rejected": 1} == counts(report)
    assert "is not wanted" in (report.outcomes[17].detail or "")
    assert len(stage.sizes) <= (3 if name_index else 14)


@pytest.mark.parametrize("stored", [0, 3, True])
async def test_a_refused_call_that_stored_leads_all_the_same_is_found_out(stage: Stage, stored: Any) -> None:
    """Its leads are duplicates in the repeat: added by us, or before. The others are created now."""
    stage.fail(Status(422, {"errors": {"name": ["is not allowed"]}}, apply=stored))
    report = await (await stage.client()).leads.add(3, phones(8))
    confirmed = 8 if stored is True else stored
    assert report.ok
    assert confirmed == report.counts[Outcome.CONFIRMED]
    assert 8 - confirmed == report.counts[Outcome.CREATED]


@pytest.mark.row(33)
async def test_the_poison_of_one_call_does_not_harm_another(stage: Stage) -> None:
    stage.sandbox.rules = Rules(cooldown=0.01, poison=bad_name, name_index=False)
    voiso = await stage.client(cooldown=0.01)
    reports = await asyncio.gather(voiso.leads.add(3, poisoned(8, 3)), voiso.leads.add(3, phones(8, 100)))
    assert {"created": 7, "rejected": 1} == counts(reports[0])
    assert {"created": 8} == counts(reports[1])


@pytest.mark.row(33, 34, 35)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(400, {"error": "bad request"}), BadRequestError),
        (Status(422, {"errors": {"campaign": ["is closed"]}}), UnprocessableEntityError),
        (Status(422, {"error": "x", "errors": [1, None]}), UnprocessableEntityError),
    ],
    ids=repr,
)
async def test_parts_refused_alike_mean_that_the_call_is_at_fault(
    stage: Stage, fault: Status, kind: type[APIError]
) -> None:
    stage.fail(fault, times=100)
    voiso = await stage.client()
    with pytest.raises(kind) as caught:
        await voiso.leads.add(3, phones(10))
    assert {"not_sent": 10} == counts(report_in(caught.value))
    assert [10, 5, 5] == stage.sizes


async def test_without_extra_posts_a_refused_batch_is_refused_as_it_is(stage: Stage) -> None:
    """With no POST allowed for the search it must end at once."""
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, poison=bad_name, name_index=False)
    voiso = await stage.client(max_extra_posts=0)
    report = await voiso.leads.add(3, poisoned(4, 2))
    assert {"rejected": 4} == counts(report)
    assert {"not_isolated": 4} == report.reasons
    assert {"created": 3} == counts(await voiso.leads.add(3, phones(3)))


@pytest.mark.parametrize("last", [Status(401), Status(404)], ids=repr)
async def test_a_search_whose_last_post_is_fatal_ends(stage: Stage, last: Status) -> None:
    stage.fail(Status(422, {"errors": {"name": ["no"]}}), last)
    voiso = await stage.client(max_extra_posts=1)
    with pytest.raises((AuthenticationError, NotFoundError)) as caught:
        await voiso.leads.add(3, phones(8))
    assert {"not_sent": 8} == counts(report_in(caught.value))
    assert {"created": 8} == counts(await voiso.leads.add(3, phones(8)))


@pytest.mark.parametrize("hiccup", [Busy(2), Status(500)], ids=repr)
async def test_the_last_extra_post_is_judged_by_its_own_answer(stage: Stage, hiccup: Any) -> None:
    """A busy server or a lost answer decides nothing about the part that was sent."""
    stage.fail(Status(422, {"errors": {"name": ["no"]}}), hiccup)
    voiso = await stage.client(max_extra_posts=1)
    report = await voiso.leads.add(3, phones(8))
    assert {"created": 4, "rejected": 4} == counts(report)
    assert {"not_isolated": 4} == report.reasons
