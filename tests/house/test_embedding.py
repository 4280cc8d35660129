"""The client inside web frameworks: made and closed with the app, used by any number of requests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import aiohttp
import fastapi
import http_stage
import pytest
import uvicorn
from aiohttp import web
from http_stage import Stage, phones
from sandbox_caller import eventually

from voiso_async import VoisoClient
from voiso_async.errors import VoisoError
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.policy import LanePolicy
from voiso_async.sandbox import Rules, Stall

stage = http_stage.stage

LOOPBACK = "127.0.0.1"
SIGNUPS = 100
Serving = Callable[[Stage], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def voiso_of(stage: Stage) -> AsyncIterator[VoisoClient]:
    """The client of an app: opened at start-up, closed at shutdown."""
    cooldown = stage.sandbox.rules.cooldown
    lane = LanePolicy(cooldown=cooldown, doubt_backoff=cooldown)
    client = VoisoClient(stage.sandbox.key, base_url=stage.sandbox.url, lane=lane)
    try:
        yield client
    finally:
        await client.aclose(grace=1.0)


class Background:
    """Sign-ups that are answered at once, while a task of the app adds the lead."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, voiso: VoisoClient, phone: str) -> None:
        task = asyncio.create_task(_told(voiso.leads.add(3, [phone])))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _told(call: Ingestion) -> None:
    """Await a call and ignore its error: the test reads the report."""
    with suppress(VoisoError):
        await call


async def _add(call: Ingestion) -> str:
    return str((await call).outcomes[0].outcome)


# FastAPI


def fastapi_app(stage: Stage) -> fastapi.FastAPI:
    @asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
        async with voiso_of(stage) as app.state.voiso:
            yield

    app, background = fastapi.FastAPI(lifespan=lifespan), Background()

    @app.post("/signups")
    async def sign_up(request: fastapi.Request) -> dict[str, str]:
        phone = (await request.body()).decode()
        try:
            return {"outcome": await _add(app.state.voiso.leads.add(3, [phone]))}
        except VoisoError as error:
            raise fastapi.HTTPException(503, type(error).__name__) from None

    @app.post("/later", status_code=202)
    async def later(request: fastapi.Request) -> None:
        background.add(app.state.voiso, (await request.body()).decode())

    return app


@asynccontextmanager
async def fastapi_server(stage: Stage) -> AsyncIterator[str]:
    """Serve by uvicorn in the test's own loop."""
    config = uvicorn.Config(fastapi_app(stage), host=LOOPBACK, port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await eventually(lambda: server.started or serving.done())
    try:
        yield f"http://{LOOPBACK}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


# aiohttp.web

VOISO = web.AppKey("voiso", VoisoClient)
BACKGROUND = web.AppKey("background", Background)


async def _sign_up(request: web.Request) -> web.Response:
    try:
        outcome = await _add(request.app[VOISO].leads.add(3, [await request.text()]))
    except VoisoError as error:
        raise web.HTTPServiceUnavailable(text=type(error).__name__) from None
    return web.json_response({"outcome": outcome})


async def _later(request: web.Request) -> web.Response:
    request.app[BACKGROUND].add(request.app[VOISO], await request.text())
    return web.Response(status=202)


@asynccontextmanager
async def aiohttp_server(stage: Stage) -> AsyncIterator[str]:
    """Serve by aiohttp.web, whose handlers are cancelled when their client goes away."""

    async def voiso(app: web.Application) -> AsyncIterator[None]:
        async with voiso_of(stage) as app[VOISO]:
            yield

    app = web.Application()
    app[BACKGROUND] = Background()
    app.cleanup_ctx.append(voiso)
    app.add_routes([web.post("/signups", _sign_up), web.post("/later", _later)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=5.0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    try:
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# Both alike


@pytest.fixture(params=[fastapi_server, aiohttp_server], ids=["fastapi", "aiohttp"])
def serving(request: pytest.FixtureRequest) -> Serving:
    server: Serving = request.param
    return server


@asynccontextmanager
async def browsers() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def sign_up(session: aiohttp.ClientSession, url: str, phone: str, way: str = "signups") -> tuple[int, str]:
    async with session.post(f"{url}/{way}", data=phone.encode()) as answer:
        body = await answer.text()
        return answer.status, json.loads(body).get("outcome", body) if answer.status == 200 else body


async def test_a_hundred_signups_at_once_leave_in_few_posts(stage: Stage, serving: Serving) -> None:
    stage.sandbox.rules = Rules(cooldown=0.2)
    async with serving(stage) as url, browsers() as session:
        told = await asyncio.gather(*(sign_up(session, url, phone) for phone in phones(SIGNUPS)))
        assert [(200, "created")] * SIGNUPS == told
        assert len(stage.histories.posts) <= 5
        assert [(200, "duplicate")] == [await sign_up(session, url, phones(1)[0])]


@pytest.mark.row(113)
async def test_a_browser_that_goes_away_harms_nobody(stage: Stage, serving: Serving) -> None:
    stage.sandbox.rules = Rules(cooldown=0.2, server_time=0.1)
    async with serving(stage) as url, browsers() as session:
        tasks = [asyncio.create_task(sign_up(session, url, phone)) for phone in phones(SIGNUPS)]
        await eventually(lambda: len(stage.histories.handed) == SIGNUPS)
        for task in tasks[::3]:
            task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        stayed = [answer for i, answer in enumerate(told) if i % 3]
        assert [(200, "created")] * len(stayed) == stayed
        assert {phone for i, phone in enumerate(phones(SIGNUPS)) if i % 3} <= stage.sandbox.campaigns[
            3
        ].leads.keys()
        assert (200, "created") == await sign_up(session, url, phones(1, 900)[0])


async def test_shutdown_lets_leads_that_were_accepted_go(stage: Stage, serving: Serving) -> None:
    """Each was answered with 202; closing the client sends what still waits."""
    stage.sandbox.rules = Rules(cooldown=0.2)
    async with serving(stage) as url, browsers() as session:
        told = await asyncio.gather(*(sign_up(session, url, phone, "later") for phone in phones(SIGNUPS)))
        assert [202] * SIGNUPS == [status for status, _ in told]
    assert set(phones(SIGNUPS)) == set(stage.sandbox.campaigns[3].leads)


async def test_shutdown_answers_the_requests_that_wait(stage: Stage, serving: Serving) -> None:
    stage.sandbox.rules = Rules(cooldown=0.2, server_time=0.1)
    async with browsers() as session:
        async with serving(stage) as url:
            tasks = [asyncio.create_task(sign_up(session, url, phone)) for phone in phones(20)]
            await eventually(lambda: len(stage.histories.handed) == 20 and stage.histories.posts)
        assert [(200, "created")] * 20 == await asyncio.gather(*tasks)


async def test_shutdown_does_not_wait_for_a_dead_server(stage: Stage, serving: Serving) -> None:
    """After the grace the leads in flight are UNKNOWN, the others NOT_SENT, and the app is down."""
    stage.fail(Stall(apply=True))
    async with browsers() as session, serving(stage) as url:
        await sign_up(session, url, phones(1)[0], "later")
        await eventually(lambda: stage.histories.posts)
        await asyncio.gather(*(sign_up(session, url, phone, "later") for phone in phones(5, 10)))
    told = [outcome.outcome for handed in stage.histories.handed for outcome in handed.report.outcomes]
    assert ["not_sent"] * 5 + ["unknown"] == sorted(told)
