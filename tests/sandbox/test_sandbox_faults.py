"""Faults that are complete or oversize replies, and which request gets which fault."""

import gzip
import math
import re
import time

import aiohttp
import pytest
from sandbox_caller import PHONES, SHORT, PlainClient, eventually, raw_get, serving

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


async def status_of(client: PlainClient, path: str) -> int:
    headers = {"Authorization": f"Bearer {client.sandbox.key}"}
    async with client.session.get(f"{client.sandbox.url}/api/v4{path}", headers=headers) as reply:
        return reply.status


async def test_an_html_page_comes_with_200() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Html())
        async with client.session.get(f"{sandbox.url}/api/v4/users") as reply:
            assert (200, "text/html") == (reply.status, reply.content_type)
            assert (await reply.text()).startswith("<!doctype html>")


@pytest.mark.parametrize("payload", [[], None, 3, "text", {"leads_import": {"created": [{"phone_number": 1}]}}])
async def test_any_json_can_be_the_reply(payload: object) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Json(payload, status=202, headers={"X-Note": "odd"}, apply=1))
        received = await client.add(PHONES[:2])
        assert (202, payload, "odd") == (received.status, received.payload, received.headers["X-Note"])
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


async def test_the_right_reply_can_have_the_wrong_type() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(WrongType())
        received = await client.add(PHONES[:1])
        assert "text/plain; charset=utf-8" == received.headers["Content-Type"]
        assert PHONES[:1] == received.payload["leads_import"]["created"]


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
    async with serving() as (sandbox, client):
        sandbox.faults.add(fault)
        async with client.session.get(f"{sandbox.url}/api/v4/users") as reply:
            assert (status, body) == (reply.status, await reply.read())
        assert status == sandbox.history[0].status


async def test_a_server_error_is_an_html_page_and_may_have_applied_everything() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Status(500, headers={"Retry-After": "3"}, apply=True))
        async with client.session.post(
            f"{sandbox.url}/api/v4/campaigns/3/leads",
            json=[{"phone_number": PHONES[0]}],
            headers={"Authorization": f"Bearer {sandbox.key}"},
        ) as reply:
            assert (500, "text/html", "3") == (reply.status, reply.content_type, reply.headers["Retry-After"])
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_names_its_target_and_applies_nothing(code: int) -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Redirect(code, "https://example.org/x"))
        sandbox.faults.add(Redirect(code, None))
        received = [await client.add(PHONES[:1]) for _ in range(2)]
        assert [(code, "https://example.org/x"), (code, None)] == [
            (one.status, one.headers.get("Location")) for one in received
        ]
        assert {} == sandbox.campaigns[3].leads


async def test_busy_comes_as_often_as_it_says_and_does_not_restart_the_cooldown() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Busy(2))
        sandbox.faults.add(Busy(status=429, retry_after=9))
        received = [await client.add(PHONES[:1]) for _ in range(4)]
        assert [409, 409, 429, 200] == [one.status for one in received]
        assert [None, None, "9", None] == [one.headers.get("Retry-After") for one in received]
        assert 0 == sandbox.too_early


async def test_busy_leaves_the_campaign_free() -> None:
    async with serving(cooldown=60.0) as (sandbox, client):
        sandbox.faults.add(Busy())
        assert [409, 200, 409] == [(await client.add(PHONES[:1])).status for _ in range(3)]
        assert 1 == sandbox.too_early


async def test_a_delayed_reply_is_an_ordinary_one() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Delay(SHORT))
        began = time.monotonic()
        assert PHONES[:1] == (await client.add(PHONES[:1])).payload["leads_import"]["created"]
        assert time.monotonic() - began >= SHORT


async def test_a_delayed_request_is_applied_although_the_client_has_disconnected() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Delay(2 * SHORT))
        with pytest.raises(TimeoutError):
            await client.add(PHONES[:1], timeout=aiohttp.ClientTimeout(total=SHORT))
        assert {} == sandbox.campaigns[3].leads
        await eventually(lambda: sandbox.history[0].ended)
        assert PHONES[:1] == list(sandbox.campaigns[3].leads)
        assert (None, (PHONES[0],)) == (sandbox.history[0].status, sandbox.history[0].applied)


async def test_an_idle_connection_is_closed_after_its_reply() -> None:
    async with serving() as (sandbox, _):
        sandbox.faults.add(CloseIdle(SHORT))
        began = time.monotonic()
        reply = await raw_get(sandbox, "/campaigns")
        assert time.monotonic() - began >= SHORT
        assert reply.startswith(b"HTTP/1.1 200 OK")
        assert b"close" not in reply


async def test_a_huge_reply_has_the_size_it_was_given() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Huge(1_000_000, status=500))
        async with client.session.get(f"{sandbox.url}/api/v4/users") as reply:
            assert (500, 1_000_002) == (reply.status, len(await reply.read()))


async def test_an_endless_reply_ends_when_the_client_disconnects() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Huge())
        async with client.session.get(f"{sandbox.url}/api/v4/users") as reply:
            assert 3_000_000 == len(await reply.content.readexactly(3_000_000))
        assert 200 == (await client("GET", "/users")).status
        assert 200 == sandbox.history[0].status


async def test_a_gzip_bomb_is_small_on_the_wire_and_large_behind_it() -> None:
    async with serving() as (sandbox, _):
        sandbox.faults.add(GzipBomb(3_000_000))
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(f"{sandbox.url}/api/v4/users") as reply,
        ):
            packed = await reply.read()
            assert "gzip" == reply.headers["Content-Encoding"]
        assert len(packed) < 30_000
        assert b" " * 3_000_000 + b"{}" == gzip.decompress(packed)


async def test_faults_match_method_and_path_and_are_taken_in_order() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Status(501), method="POST")
        sandbox.faults.add(Status(502), path="/users", times=2)
        sandbox.faults.add(Status(503), path=r"/campaigns/\d+")
        sandbox.faults.add(Status(504), path=re.compile(r"/campaigns(/\d+)?"), method="GET")
        statuses = [await status_of(client, path) for path in ("/users", "/users", "/users")]
        assert [502, 502, 200] == statuses
        statuses = [await status_of(client, path) for path in ("/campaigns/3", "/campaigns/3", "/campaigns/3")]
        assert [503, 504, 200] == statuses
        assert 1 == len(sandbox.faults)
        sandbox.faults.clear()
        assert 200 == (await client("POST", "/campaigns/3/pause")).status
        assert ["Status"] * 2 == [exchange.fault for exchange in sandbox.history[:2]]
        assert sandbox.history[2].fault is None


async def test_a_fault_can_apply_to_every_request() -> None:
    async with serving() as (sandbox, client):
        sandbox.faults.add(Status(503), times=math.inf)
        assert [503] * 5 == [await status_of(client, "/users") for _ in range(5)]
