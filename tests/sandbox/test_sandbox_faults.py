"""Faults that are complete answers or floods, and the order in which faults are taken."""

import gzip
import math
import re
import time

import aiohttp
import pytest
from sandbox_caller import PHONES, SHORT, Caller, eventually, raw_get, visiting

from voiso_async.sandbox import (
    Busy,
    CloseIdle,
    Delay,
    Fault,
    GzipBomb,
    Html,
    Huge,
    Json,
    Redirect,
    Status,
    WrongType,
)


async def status_of(call: Caller, path: str) -> int:
    headers = {"Authorization": f"Bearer {call.sandbox.key}"}
    async with call.session.get(f"{call.sandbox.url}/api/v4{path}", headers=headers) as answer:
        return answer.status


async def test_an_html_page_comes_with_200() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Html())
        async with call.session.get(f"{sandbox.url}/api/v4/users") as answer:
            assert (200, "text/html") == (answer.status, answer.content_type)
            assert (await answer.text()).startswith("<!doctype html>")


@pytest.mark.parametrize("payload", [[], None, 3, "text", {"leads_import": {"created": [{"phone_number": 1}]}}])
async def test_any_json_can_be_answered(payload: object) -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Json(payload, status=202, headers={"X-Note": "odd"}, apply=1))
        said = await call.add(PHONES[:2])
        assert (202, payload, "odd") == (said.status, said.payload, said.headers["X-Note"])
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


async def test_the_right_answer_can_have_the_wrong_type() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(WrongType())
        said = await call.add(PHONES[:1])
        assert "text/plain; charset=utf-8" == said.headers["Content-Type"]
        assert PHONES[:1] == said.payload["leads_import"]["created"]


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Status(400), 400, b'{"error":"Bad Request"}'),
        (Status(409), 409, b'{"errors":{"base":["conflict"]}}'),
        (Status(422, {"errors": {"0.name": ["no"]}}), 422, b'{"errors":{"0.name":["no"]}}'),
        (Status(599, b"\xff"), 599, b"\xff"),
        (Status(418, "<p>tea"), 418, b"<p>tea"),
        (Status(200), 200, b""),
        (Status(204), 204, b""),
    ],
)
async def test_any_status_with_any_body(fault: Fault, status: int, body: bytes) -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(fault)
        async with call.session.get(f"{sandbox.url}/api/v4/users") as answer:
            assert (status, body) == (answer.status, await answer.read())
        assert status == sandbox.history[0].status


async def test_a_server_error_is_an_html_page_and_may_have_applied_everything() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Status(500, headers={"Retry-After": "3"}, apply=True))
        async with call.session.post(
            f"{sandbox.url}/api/v4/campaigns/3/leads",
            json=[{"phone_number": PHONES[0]}],
            headers={"Authorization": f"Bearer {sandbox.key}"},
        ) as answer:
            assert (500, "text/html", "3") == (answer.status, answer.content_type, answer.headers["Retry-After"])
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_names_its_target_and_applies_nothing(code: int) -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Redirect(code, "https://example.org/x"))
        sandbox.faults.add(Redirect(code, None))
        said = [await call.add(PHONES[:1]) for _ in range(2)]
        assert [(code, "https://example.org/x"), (code, None)] == [
            (one.status, one.headers.get("Location")) for one in said
        ]
        assert {} == sandbox.campaigns[3].leads


async def test_busy_comes_as_often_as_it_says_and_does_not_extend_the_wait() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Busy(2))
        sandbox.faults.add(Busy(status=429, retry_after=9))
        said = [await call.add(PHONES[:1]) for _ in range(4)]
        assert [409, 409, 429, 200] == [one.status for one in said]
        assert [None, None, "9", None] == [one.headers.get("Retry-After") for one in said]
        assert 0 == sandbox.too_early


async def test_busy_leaves_the_campaign_free() -> None:
    async with visiting(cooldown=60.0) as (sandbox, call):
        sandbox.faults.add(Busy())
        assert [409, 200, 409] == [(await call.add(PHONES[:1])).status for _ in range(3)]
        assert 1 == sandbox.too_early


async def test_a_delayed_answer_is_an_ordinary_one() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Delay(SHORT))
        began = time.monotonic()
        assert PHONES[:1] == (await call.add(PHONES[:1])).payload["leads_import"]["created"]
        assert time.monotonic() - began >= SHORT


async def test_a_delayed_request_is_applied_although_the_client_has_left() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Delay(2 * SHORT))
        with pytest.raises(TimeoutError):
            await call.add(PHONES[:1], timeout=aiohttp.ClientTimeout(total=SHORT))
        assert {} == sandbox.campaigns[3].leads
        await eventually(lambda: sandbox.history[0].ended)
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)
        assert (None, (PHONES[0],)) == (sandbox.history[0].status, sandbox.history[0].applied)


async def test_an_idle_connection_is_closed_after_its_answer() -> None:
    async with visiting() as (sandbox, _):
        sandbox.faults.add(CloseIdle(SHORT))
        began = time.monotonic()
        answer = await raw_get(sandbox, "/campaigns")
        assert time.monotonic() - began >= SHORT
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"close" not in answer


async def test_a_huge_answer_has_the_size_it_was_given() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Huge(1_000_000, status=500))
        async with call.session.get(f"{sandbox.url}/api/v4/users") as answer:
            assert (500, 1_000_002) == (answer.status, len(await answer.read()))


async def test_an_endless_answer_ends_when_the_client_leaves() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Huge())
        async with call.session.get(f"{sandbox.url}/api/v4/users") as answer:
            assert 3_000_000 == len(await answer.content.readexactly(3_000_000))
        assert 200 == (await call("GET", "/users")).status
        assert 200 == sandbox.history[0].status


async def test_a_gzip_bomb_is_small_on_the_wire_and_large_behind_it() -> None:
    async with visiting() as (sandbox, _):
        sandbox.faults.add(GzipBomb(3_000_000))
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(f"{sandbox.url}/api/v4/users") as answer,
        ):
            packed = await answer.read()
            assert "gzip" == answer.headers["Content-Encoding"]
        assert len(packed) < 30_000
        assert b" " * 3_000_000 + b"{}" == gzip.decompress(packed)


async def test_faults_fit_by_method_and_path_and_are_taken_in_order() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Status(501), method="POST")
        sandbox.faults.add(Status(502), path="/users", times=2)
        sandbox.faults.add(Status(503), path=r"/campaigns/\d+")
        sandbox.faults.add(Status(504), path=re.compile(r"/campaigns(/\d+)?"), method="GET")
        statuses = [await status_of(call, path) for path in ("/users", "/users", "/users")]
        assert [502, 502, 200] == statuses
        statuses = [await status_of(call, path) for path in ("/campaigns/3", "/campaigns/3", "/campaigns/3")]
        assert [503, 504, 200] == statuses
        assert 1 == len(sandbox.faults)
        sandbox.faults.clear()
        assert 200 == (await call("POST", "/campaigns/3/pause")).status
        assert ["Status"] * 2 == [exchange.fault for exchange in sandbox.history[:2]]
        assert sandbox.history[2].fault is None


async def test_a_fault_can_be_there_for_ever() -> None:
    async with visiting() as (sandbox, call):
        sandbox.faults.add(Status(503), times=math.inf)
        assert [503] * 5 == [await status_of(call, "/users") for _ in range(5)]
