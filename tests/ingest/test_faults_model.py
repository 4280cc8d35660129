"""Every short history of a batch: the engine's outcome of each lead agrees with a simple model.

The model has four leads: one that is new, one that was there before, one that the server rejects, and one that
another client adds between two attempts. The server applies some first leads of each attempt, or none, and ends it
in one of eight ways; the engine sees only the end.
"""

import asyncio
import itertools
from typing import Any, Literal

import pytest
from attrs import frozen
from fake_campaign import FakeCampaigns, Post, busy, engine, lost, phones, reply, unsent
from virtual_time import VirtualLoop

from voiso_async.errors import VoisoError
from voiso_async.ingest import gate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation
from voiso_async.wire import Response

NEW, MEMBER, UNWANTED, CONTESTED = LEADS = phones(4)
Ending = Literal["answered", "lost", "500", "silent", "busy", "unsent", "refused", "left out"]
AMBIGUOUS = {"lost", "500", "silent"}
HARMLESS = {"busy", "unsent"}


@frozen
class Step:
    """How one attempt ends, and how many of its leads were applied."""

    ending: Ending
    applied: int


STEPS = [
    *(Step(ending, applied) for ending in ("lost", "500", "silent") for applied in range(5)),
    *(Step(ending, 0) for ending in ("busy", "unsent")),
    Step("answered", 4),
    Step("left out", 4),
]


def fault_of(step: Step) -> Any:
    """The fault for a step."""

    def partly(server: FakeCampaigns, post: Post) -> Response:
        server.answer(post, step.applied)
        post.listed = {}
        return reply(500) if step.ending == "500" else reply(200, b"{}")

    def left_out(server: FakeCampaigns, post: Post) -> Response:
        answer = server.answer(post)
        shown = {name: [n for n in numbers if n != NEW] for name, numbers in post.listed.items()}
        return reply(answer.status, {"leads_import": shown})

    simple = {"lost": lost(step.applied), "busy": busy(), "unsent": unsent, "answered": None, "left out": left_out}
    return simple.get(step.ending, partly)


def with_rival(fault: Any) -> Any:
    """Another client adds the contested number just before this attempt."""

    def rival(server: FakeCampaigns, post: Post) -> Any:
        server.members[3].add(CONTESTED)
        return fault(server, post) if fault else server.answer(post)

    return rival


async def run(steps: tuple[Step, ...], rival_at: int | None, policy: dict[str, Any]) -> tuple[Any, FakeCampaigns]:
    faults = [fault_of(step) for step in steps]
    if rival_at is not None and rival_at < len(faults):
        faults[rival_at] = with_rival(faults[rival_at])
    server = FakeCampaigns(script=faults, members={3: {MEMBER}}, refuses={UNWANTED})
    batcher = engine(server, **policy)
    try:
        return await Ingestion(batcher, Operation.ADD, 3, LEADS), server
    except VoisoError as error:
        return error.report, server


def judge(report: IngestReport, server: FakeCampaigns, steps: tuple[Step, ...]) -> None:
    """What must be true of each outcome, by the server's own history."""
    assert report.balanced
    created_by_us = {phone for post in server.history for phone in post.applied}
    for outcome in report.outcomes:
        check(outcome, server, created_by_us, steps)


def check(outcome: LeadOutcome, server: FakeCampaigns, ours: set[str], steps: tuple[Step, ...]) -> None:
    phone, kind = outcome.phone, outcome.outcome
    assert phone is not None
    endings = [step.ending for step, post in zip(steps, server.history, strict=False) if phone in post.phones]
    ambiguous = AMBIGUOUS & set(endings) or (phone == NEW and "left out" in endings)
    if kind is Outcome.CREATED:
        assert phone in ours, "created is true"
    elif kind is Outcome.DUPLICATE:
        assert phone not in ours, "a certain duplicate was not ours"
        assert not ambiguous
    elif kind is Outcome.CONFIRMED:
        assert phone in server.members[3]
        assert ambiguous
    elif kind is Outcome.REJECTED:
        assert phone == UNWANTED
    elif kind is Outcome.NOT_SENT:
        assert phone not in ours, "not sent was not applied"
        assert not ambiguous
    else:
        assert kind in {Outcome.UNKNOWN, Outcome.UNREPORTED}
        assert ambiguous


POLICIES: list[dict[str, Any]] = [
    {"doubt_attempts": 2},
    {"doubt_attempts": 5},
    {"doubt_attempts": 3, "on_doubt": "report"},
]
PAIRS = list(itertools.product(STEPS, repeat=2))


@pytest.mark.row(16, 28, 32, 52, 81, 95, 96)
@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_no_history_of_two_attempts_leads_to_a_false_word(policy: dict[str, Any]) -> None:
    """With and without another client that writes before the first, the second or the third attempt."""
    tried = 0
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        for steps, rival_at in itertools.product(PAIRS, (None, 0, 1, 2)):
            gate._GATES.clear()
            report, server = runner.run(run((*steps, STEPS[-2]), rival_at, policy))
            judge(report, server, (*steps, STEPS[-2], *[STEPS[-2]] * 5))
            tried += 1
    assert tried == len(PAIRS) * 4 >= 1400


@pytest.mark.row(95)
def test_what_somebody_else_added_is_a_certain_duplicate_when_nothing_was_lost() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        for harmless in itertools.product(("busy", "unsent"), repeat=2):
            gate._GATES.clear()
            steps = (*(Step(ending, 0) for ending in harmless), STEPS[-2])  # type: ignore[arg-type]
            report, _ = runner.run(run(steps, 1, {}))
            assert ["created", "duplicate", "rejected", "duplicate"] == [o.outcome for o in report.outcomes]
