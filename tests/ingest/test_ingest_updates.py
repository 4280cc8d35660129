"""Updates of leads over real HTTP: by either verb, through the same lane as adds."""

import asyncio
from typing import Any

import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones
from report_in import report_in

from voiso_async.errors import APIError
from voiso_async.models.leads import LeadUpdate
from voiso_async.sandbox import ApplyThenClose, Json, Rules, Status

stage = http_stage.stage


def changes(*numbers: str) -> list[LeadUpdate]:
    return [LeadUpdate(number, active=False, priority=7) for number in numbers]


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
@pytest.mark.parametrize("answer", ["lists", "bare"])
async def test_updates_reach_their_leads_by_either_verb(stage: Stage, verb: str, answer: Any) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, update_verbs=frozenset({verb}), update_reply=answer)
    voiso = await stage.client(update_verb=verb)
    await voiso.leads.add(3, phones(3))
    report = await voiso.leads.update(3, changes(*phones(4)))
    assert ["updated"] * 3 + ["rejected"] == [outcome.outcome for outcome in report.outcomes]
    assert ["POST", verb] == [post.method for post in stage.histories.posts]
    assert [(False, 7)] * 3 == [
        (lead["active"], lead["priority"]) for lead in stage.sandbox.campaigns[3].leads.values()
    ]


async def test_an_update_answered_without_a_word_is_unreported(stage: Stage) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, update_reply="empty")
    voiso = await stage.client()
    await voiso.leads.add(3, phones(3))
    report = await voiso.leads.update(3, changes(*phones(3)))
    assert {"unreported": 3} == counts(report)
    assert [3, 3] == stage.sizes


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Status(204), "unreported"),
        (Status(202), "unreported"),
        (Json({"errors": {}}, status=207), "unreported"),
        (Json({"leads_update": {"updated": phones(3)}, "errors": []}, status=202), "updated"),
        (Json({"leads_update": {"updated": phones(3)}, "error": "the index is behind"}, status=207), "updated"),
    ],
    ids=repr,
)
async def test_any_2xx_settles_an_update(stage: Stage, answer: Any, outcome: str) -> None:
    voiso = await stage.client()
    await voiso.leads.add(3, phones(3))
    stage.fail(answer)
    report = await voiso.leads.update(3, changes(*phones(3)))
    assert ({outcome: 3}, 1) == (counts(report), report.attempts)


@pytest.mark.parametrize("status", [404, 405])
async def test_the_wrong_verb_is_named_and_spares_the_adds(stage: Stage, status: Any) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, update_verbs=frozenset({"PUT"}), wrong_verb=status)
    voiso = await stage.client(max_rows=10)
    update = asyncio.ensure_future(voiso.leads.update(3, changes(*phones(5)))._whole())
    report = await voiso.leads.add(3, phones(30, 100))
    assert {"created": 30} == counts(report)
    with pytest.raises(APIError, match="update_verb") as caught:
        await update
    assert status == caught.value.status
    assert {"not_sent": 5} == counts(report_in(caught.value))


async def test_a_lost_update_is_sent_again(stage: Stage) -> None:
    voiso = await stage.client()
    await voiso.leads.add(3, phones(3))
    stage.fail(ApplyThenClose(), Status(500))
    report = await voiso.leads.update(3, changes(*phones(3)))
    assert {"updated": 3} == counts(report)
    assert 1 == len({attempt.body for attempt in stage.histories.attempts[1:]})


@pytest.mark.row(108)
async def test_adds_and_updates_share_the_gate_and_take_turns(stage: Stage) -> None:
    voiso = await stage.client(max_rows=10)
    await voiso.leads.add(3, phones(30))
    await asyncio.gather(
        voiso.leads.update(3, changes(*phones(30))), voiso.leads.add(3, phones(30, 100)), voiso.leads.add(3, [])
    )
    methods = [post.method for post in stage.histories.posts[3:]]
    assert methods in (["POST", "PATCH"] * 3, ["PATCH", "POST"] * 3)


@pytest.mark.row(108)
async def test_reads_are_not_held_up_by_a_lead_call(stage: Stage) -> None:
    stage.sandbox.rules = Rules(cooldown=1.0, server_time=1.0)
    voiso = await stage.client()
    call = asyncio.ensure_future(voiso.leads.add(3, phones(3))._whole())
    while not stage.sandbox.history:  # noqa: ASYNC110 - the sandbox has no event for it
        await asyncio.sleep(0.01)
    assert 3 == (await voiso.campaigns.get(3)).id
    assert not call.done()
    await call
