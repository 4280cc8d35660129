"""The key, phone numbers and names of leads reach the server, and no text that a log could receive."""

import asyncio
import logging
import pickle
import traceback
from typing import Any

import http_stage
import pytest
from http_stage import KEY, Stage

from voiso_async.errors import VoisoError
from voiso_async.events import Event
from voiso_async.models.leads import Lead
from voiso_async.sandbox import (
    ApplyThenReset,
    Busy,
    Garbage,
    Html,
    Huge,
    Json,
    Redirect,
    Stall,
    Status,
    Truncate,
)

stage = http_stage.stage

PHONE, NAME, HEADER = "447700900913", "Canarina Vogelsang", "canary-header-value"
CANARIES = (KEY, PHONE, NAME, HEADER)
ECHO = f"the lead {PHONE} of {NAME} with Bearer {KEY}"
"""An error text of a careless server: its phone number and key must not come out."""

FAULTS: list[Any] = [
    None,
    ApplyThenReset(),
    Busy(100),
    Garbage(),
    Html(),
    Huge(),
    Json({"leads_import": {"created": []}}),
    Redirect(307, f"https://example.net/{PHONE}?key={KEY}"),
    Stall(),
    Status(401, {"error": f"Bearer {KEY}"}),
    Status(403, {"error": f"Bearer {KEY}"}, {"X-Echo": KEY}),
    Status(404, {"error": f"no lead {PHONE}"}),
    Status(422, {"errors": {"0.phone_number": [f"{PHONE} is bad"]}}),
    Status(500, {"error": f"Bearer {KEY} {PHONE}"}),
    Truncate(30, "none"),
    *(
        Status(code, {"error": f"no {NAME} here, nor {HEADER}"})
        for code in (400, 401, 402, 403, 404, 409, 413, 422)
    ),
    *(Status(code, {"errors": {NAME: [f"{NAME} is bad"]}}) for code in (400, 409, 422, 451, 500)),
    Status(429, {"error": NAME}, {"Retry-After": "3600", "X-Request-Id": f"for {NAME}"}),
    Status(418, {"error": NAME}, {"X-Request-Id": PHONE}),
]


def leads() -> list[Any]:
    given = Lead(PHONE, name=NAME, context_headers={"X-A": HEADER}, key="k")
    return [given, PHONE, {"phone_number": PHONE, "priority": 0}, {"phone_number": PHONE, NAME: 1}, NAME]


async def everything_told(stage: Stage, events: list[Event]) -> list[str]:
    """Every text of one call: errors with the locals of their frames, reprs, states."""
    voiso = await stage.client(on_event=events.append, doubt_backoff=0.1, doubt_attempts=1, busy_for=0.1)
    call = voiso.leads.add(3, leads())
    texts = [repr(voiso), repr(call)]
    try:
        await call
        call.report.raise_unless_ok()
    except VoisoError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts += [str(error), repr(error), "".join(told.format())]
        texts += [str(pickle.loads(pickle.dumps(error)))]  # noqa: S301 - our own bytes
    report = call.report
    texts += [str(report), repr(report), repr(report.as_dict()), repr(report.outcomes), repr(report.problems)]
    return [*texts, repr(voiso.lanes()), repr(leads())[:0], *map(repr, events)]


@pytest.mark.row(194, 195)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_no_text_gives_a_canary_away(stage: Stage, caplog: pytest.LogCaptureFixture, fault: Any) -> None:
    """At level DEBUG, with asyncio's debugging on, and whatever the server echoes."""
    stage.patience = 0.2
    asyncio.get_running_loop().set_debug(True)
    if fault is not None:
        stage.fail(fault, times=100)
    events: list[Event] = []
    texts = await everything_told(stage, events)
    logged = [logging.Formatter().format(record) for record in caplog.records]
    assert events
    assert logged
    for text in texts + logged:
        assert not [canary for canary in CANARIES if canary in text], text[:2000]


async def test_the_canaries_do_arrive_where_they_belong(stage: Stage) -> None:
    """Otherwise the tests above would prove nothing."""
    voiso = await stage.client()
    report = await voiso.leads.add(3, leads())
    assert NAME == stage.sandbox.campaigns[3].leads[PHONE]["name"]
    assert PHONE == report.outcomes[0].phone
    assert stage.sandbox.history[0].key_right
