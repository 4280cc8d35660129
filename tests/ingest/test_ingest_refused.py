"""A lead call is refused as a whole, redirected, or not sent: nothing was applied, and the report says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import http_stage
import pytest
from http_stage import Stage, counts, phones
from report_in import report_in

from voiso_async.errors import (
    APIError,
    AuthenticationError,
    ConnectError,
    NotAcceptableError,
    NotFoundError,
    PermissionDeniedError,
    RedirectError,
)
from voiso_async.events import BatchAnswered, Event
from voiso_async.sandbox import (
    ApplyThenClose,
    Redirect,
    Status,
)

stage = http_stage.stage


@pytest.mark.row(3)
async def test_a_closed_port_leaves_the_leads_not_sent(stage: Stage) -> None:
    await stage.sandbox.aclose()
    voiso = await stage.client(unsent_for=0.0)
    with pytest.raises(ConnectError) as caught:
        await voiso.leads.add(3, phones(10))
    assert {"not_sent": 10} == counts(report_in(caught.value))
    assert ("refused", "not_sent") == (caught.value.reason, caught.value.proof)


async def test_a_server_that_comes_up_in_time_takes_the_leads(stage: Stage) -> None:
    """Nothing was sent, so no row is in doubt."""
    await stage.sandbox.aclose()
    voiso = await stage.client()
    call = asyncio.ensure_future(voiso.leads.add(3, phones(10))._whole())
    await asyncio.sleep(0.1)
    assert "unsent" == voiso.lanes()[0].state
    await stage.sandbox.start()
    report = await call
    assert {"created": 10} == counts(report)
    assert 0 == report.doubted


REFUSALS: list[tuple[Any, type[APIError]]] = [
    (Status(401), AuthenticationError),
    (Status(403), PermissionDeniedError),
    (Status(404), NotFoundError),
    (Status(404, b"<html>"), NotFoundError),
    (Status(405), APIError),
    (Status(406), NotAcceptableError),
    *((Status(code), APIError) for code in (410, 411, 414, 415, 418, 431, 451)),
]


@pytest.mark.row(36, 38, 39, 40)
@pytest.mark.parametrize(("fault", "kind"), REFUSALS, ids=repr)
async def test_a_refusal_stops_after_one_request(stage: Stage, fault: Any, kind: type[APIError]) -> None:
    stage.fail(fault)
    voiso = await stage.client(max_rows=10)
    with pytest.raises(kind) as caught:
        await voiso.leads.add(3, phones(30))
    assert {"not_sent": 30} == counts(report_in(caught.value))
    assert [10] == stage.sizes
    assert ("refused", fault.code) == (caught.value.proof, caught.value.status)
    assert {"created": 30} == counts(await voiso.leads.add(3, phones(30)))


async def test_the_sandboxes_own_refusals_are_understood(stage: Stage) -> None:
    voiso = await stage.client()
    with pytest.raises(NotFoundError) as caught:
        await voiso.leads.add(99, phones(1))
    assert {"not_sent": 1} == counts(report_in(caught.value))
    stage.sandbox.keys[stage.sandbox.key] = {"campaigns.read"}
    with pytest.raises(PermissionDeniedError, match=r"campaigns\.manage"):
        await voiso.leads.add(3, phones(1))


@pytest.mark.row(37)
async def test_a_key_revoked_in_mid_run_leaves_what_is_final(stage: Stage) -> None:
    def revoke(event: Event) -> None:
        if isinstance(event, BatchAnswered):
            answered.append(event)
            if len(answered) == 2:
                stage.sandbox.keys.pop(stage.sandbox.key)

    answered: list[BatchAnswered] = []
    voiso = await stage.client(max_rows=10, on_event=revoke)
    with pytest.raises(AuthenticationError) as caught:
        await voiso.leads.add(3, phones(50))
    told = counts(report_in(caught.value))
    assert 20 == told.pop("created")
    assert {"not_sent": report_in(caught.value).rows - 20} == told
    assert report_in(caught.value).rows in {40, 50}, "leads that were never read are no rows"
    assert [10, 10, 10] == stage.sizes


@pytest.mark.row(196)
async def test_a_rotated_key_is_asked_for_at_every_attempt(stage: Stage) -> None:
    keys = [stage.sandbox.key, "second-canary-key-77"]
    stage.sandbox.keys.clear()
    stage.sandbox.keys[keys[1]] = {"campaigns.manage"}
    voiso = await stage.client(api_key=lambda: keys[0])
    with pytest.raises(AuthenticationError):
        await voiso.leads.add(3, phones(1))
    keys.pop(0)
    assert {"created": 1} == counts(await voiso.leads.add(3, phones(1)))


@pytest.mark.row(29)
async def test_a_lost_answer_and_then_a_refusal_leave_unknown(stage: Stage) -> None:
    """The 401 proves nothing about the attempt before it."""
    stage.fail(ApplyThenClose(), Status(401))
    voiso = await stage.client(max_rows=10)
    with pytest.raises(AuthenticationError) as caught:
        await voiso.leads.add(3, phones(30))
    assert {"unknown": 10, "not_sent": 20} == counts(report_in(caught.value))


class Silent:
    """A second server: it counts connections and never answers."""

    def __init__(self) -> None:
        self.connections = 0
        self.url = ""

    async def _accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Silent]:
    async with Silent() as silent:
        yield silent


@pytest.mark.row(53, 191)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["elsewhere", "here", "file:///etc/hostname", None])
async def test_no_redirect_is_followed(stage: Stage, elsewhere: Silent, code: int, target: str | None) -> None:
    """Neither the leads nor the key reach another server, and a redirect is no success."""
    places = {
        "elsewhere": f"{elsewhere.url}/api/v4/campaigns/3/leads",
        "here": f"{stage.sandbox.url}/api/v4/users",
    }
    stage.fail(Redirect(code, places.get(target or "", target)))
    voiso = await stage.client()
    with pytest.raises(RedirectError) as caught:
        await voiso.leads.add(3, phones(10))
    assert {"not_sent": 10} == counts(report_in(caught.value))
    assert 0 == elsewhere.connections
    assert 1 == len(stage.sandbox.history)
