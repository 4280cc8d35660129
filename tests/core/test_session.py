"""The rings of the session, each with a transport of a few lines; time is virtual."""

import asyncio
import gc
import logging
import os
import pickle
import threading
import traceback
import warnings
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from fake_transport import BASE_URL, KEY, bench, status
from http_mock import http_mock
from raw_server import CLOSE_AFTER_READING, RawServer, answer, closed_port

from voiso_async._structs import replace
from voiso_async.auth import ApiKey, Secret
from voiso_async.decipher import ErrorBody, decode_json
from voiso_async.errors import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ForkedError,
    NotFoundError,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    TLSError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.events import EventHook, OriginHeld, RequestDone, RequestSent, RetryPlanned
from voiso_async.retry import NO_RETRY, RetryPolicy
from voiso_async.session import Session
from voiso_async.transport import Timeout
from voiso_async.wire import Request, Response

GET = Request(method="GET", route="/campaigns", path="/campaigns", scope="campaigns.read")
PAUSE = Request(method="POST", route="/campaigns/{id}/pause", path="/campaigns/3/pause")
LEADS = Request(method="POST", route="/campaigns/{id}/leads", path="/campaigns/3/leads", body=b"[]")

LOST = ConnectionLostError("lost", request="GET /campaigns", proof="in_doubt", reason="connection_lost")
UNSENT = ConnectError("no", request="GET /campaigns", proof="not_sent", reason="refused")
GARBLED = ResponseError("garbled", request="GET /campaigns", reason="protocol")


# Retry


@pytest.mark.virtual
@pytest.mark.parametrize("trouble", [LOST, UNSENT, GARBLED, status(408), status(429), status(500), status(599)])
async def test_a_read_is_repeated_until_it_succeeds(trouble: VoisoError | Response) -> None:
    it = bench(trouble, trouble, status(200, b'{"a": 1}'))
    response = await it.session.send(GET)
    assert response.body == b'{"a": 1}'
    assert len(it.reads.sent) == 3
    assert it.leads.sent == []


@pytest.mark.virtual
async def test_after_the_last_attempt_its_error_is_raised() -> None:
    it = bench(*[status(503, b'{"error": "Busy"}')] * 9, retry=RetryPolicy(max_attempts=3))
    with pytest.raises(ServerError, match="GET /campaigns -> 503: Busy"):
        await it.session.send(GET)
    assert len(it.reads.sent) == 3


@pytest.mark.virtual
@pytest.mark.parametrize("code", [301, 400, 401, 403, 404, 405, 406, 409, 413, 422])
async def test_a_refusal_is_not_repeated(code: int) -> None:
    it = bench(status(code, b'{"error": "No"}'))
    with pytest.raises(APIError):
        await it.session.send(GET, repeat_in_doubt=True)
    assert len(it.reads.sent) == 1


@pytest.mark.virtual
@pytest.mark.parametrize("trouble", [LOST, GARBLED, status(408), status(500), status(503, retry_after="1")])
async def test_a_post_is_not_repeated_after_doubt(trouble: VoisoError | Response) -> None:
    it = bench(trouble)
    with pytest.raises(VoisoError) as caught:
        await it.session.send(PAUSE)
    assert caught.value.proof == "in_doubt"
    assert len(it.reads.sent) == 1


@pytest.mark.row(1, 43)
@pytest.mark.virtual
@pytest.mark.parametrize("trouble", [UNSENT, status(429), status(429, retry_after="1")])
async def test_a_post_that_was_certainly_not_executed_is_repeated(trouble: VoisoError | Response) -> None:
    it = bench(trouble)
    assert (await it.session.send(PAUSE)).status == 200
    assert len(it.reads.sent) == 2


@pytest.mark.virtual
async def test_a_request_that_is_marked_is_repeated_after_doubt() -> None:
    it = bench(LOST, status(500))
    assert (await it.session.send(PAUSE, repeat_in_doubt=True)).status == 200
    assert len(it.reads.sent) == 3


@pytest.mark.virtual
async def test_a_get_can_be_kept_from_being_repeated() -> None:
    it = bench(LOST)
    with pytest.raises(ConnectionLostError):
        await it.session.send(GET, repeat_in_doubt=False)


@pytest.mark.row(6)
@pytest.mark.virtual
@pytest.mark.parametrize("trouble", [TLSError("no", proof="not_sent", reason="tls"), ConfigurationError("no")])
async def test_what_would_fail_again_is_raised_at_once(trouble: VoisoError) -> None:
    it = bench(trouble)
    with pytest.raises(type(trouble)):
        await it.session.send(GET)


@pytest.mark.virtual
async def test_no_retry_can_be_asked_for_per_call() -> None:
    it = bench(LOST)
    with pytest.raises(ConnectionLostError):
        await it.session.send(GET, retry=NO_RETRY)


@pytest.mark.virtual
async def test_one_deadline_covers_all_attempts_and_waits() -> None:
    policy = RetryPolicy(max_attempts=100, base_delay=1.0, max_delay=1.0, deadline=10.0)
    script: list[Response | VoisoError | float] = [2.0, status(500)]
    it = bench(*script * 100, retry=policy)
    began = anyio.current_time()
    with pytest.raises(ServerError):
        await it.session.send(GET)
    assert anyio.current_time() - began < 12.0
    assert len(it.reads.sent) <= 6


@pytest.mark.virtual
async def test_the_timeout_of_each_attempt_is_cut_to_what_is_left() -> None:
    policy = RetryPolicy(base_delay=0.001, deadline=40.0)
    it = bench(25.0, LOST, retry=policy)
    await it.session.send(GET)
    totals = [timeout.total for *_, timeout in it.reads.sent]
    assert totals[0] == 30.0
    assert 14.0 < totals[1] < 15.0


@pytest.mark.virtual
async def test_each_repetition_is_told() -> None:
    it = bench(LOST, status(429, retry_after="7"))
    await it.session.send(GET)
    first, second = it.told(RetryPlanned)
    assert (first.attempt, first.reason) == (1, "connection_lost")  # type: ignore[union-attr]
    assert second == RetryPlanned(request="GET /campaigns", attempt=2, delay=7.0, reason="status 429")
    assert [1, 2, 3] == [event.attempt for event in it.told(RequestSent)]  # type: ignore[union-attr]
    ends = [(event.status, event.error) for event in it.told(RequestDone)]  # type: ignore[union-attr]
    assert ends == [(None, "ConnectionLostError"), (429, None), (200, None)]


# Retry-After holds the origin


@pytest.mark.row(44)
@pytest.mark.virtual
@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after_holds_every_request_of_every_view(code: int) -> None:
    it = bench(status(code, retry_after="7"))
    it.leads.script.clear()
    view = it.session.view(timeout=Timeout(total=5.0), retry=NO_RETRY)

    async def later() -> None:
        await anyio.sleep(1.0)
        assert 5.9 < it.session.held_for < 6.1
        async with anyio.create_task_group() as group:
            group.start_soon(view.send, GET)
            group.start_soon(it.session.attempt, LEADS)

    began = anyio.current_time()
    await asyncio.gather(it.session.send(GET), later())
    assert it.reads.times == pytest.approx([began, began + 7.0, began + 7.0], abs=0.01)
    assert it.leads.times == pytest.approx([began + 7.0], abs=0.01)
    assert it.session.held_for == 0.0
    assert it.told(OriginHeld) == [OriginHeld(seconds=7.0)]


@pytest.mark.virtual
async def test_an_attempt_holds_the_origin_too() -> None:
    it = bench(status(429, retry_after="5"))
    it.reads.script.clear()
    began = anyio.current_time()
    assert (await it.session.attempt(LEADS)).status == 429
    await it.session.send(GET)
    assert it.reads.times == pytest.approx([began + 5.0], abs=0.01)


@pytest.mark.virtual
@pytest.mark.parametrize(
    ("code", "headers"), [(429, {}), (503, {}), (500, {"retry-after": "9"}), (429, {"retry-after": "x"})]
)
async def test_nothing_else_holds_the_origin(code: int, headers: dict[str, str]) -> None:
    it = bench(replace(status(code), headers=headers))
    with pytest.raises(VoisoError):
        await it.session.send(PAUSE, retry=NO_RETRY)
    assert it.session.held_for == 0.0
    assert it.told(OriginHeld) == []


@pytest.mark.row(46)
@pytest.mark.virtual
async def test_a_day_of_quiet_is_raised_at_once_and_held_up_to_the_cap() -> None:
    it = bench(status(429, retry_after="86400"))
    began = anyio.current_time()
    with pytest.raises(RateLimitError, match="86400 s") as caught:
        await it.session.send(GET)
    assert caught.value.retry_after == 86400.0
    assert anyio.current_time() == began
    assert it.session.held_for == 60.0


@pytest.mark.virtual
async def test_a_shorter_wait_does_not_shorten_the_quiet() -> None:
    it = bench(status(429, retry_after="50"))
    await it.session.attempt(LEADS)
    it.session._hold(status(429, retry_after="3"))
    assert it.session.held_for == 50.0


@pytest.mark.virtual
async def test_quiet_beyond_the_deadline_fails_without_sending() -> None:
    it = bench(status(429, retry_after="50"))
    await it.session.attempt(LEADS)
    it.reads.script.clear()
    with pytest.raises(RequestTimeoutError) as caught:
        await it.session.send(GET, retry=RetryPolicy(deadline=20.0))
    assert (caught.value.proof, caught.value.reason) == ("not_sent", "held")
    assert it.reads.sent == []


# Auth


class Renewing:
    """A token that is renewed once."""

    def __init__(self, *, renewable: bool = True) -> None:
        self.token = "old-token"
        self.renewable = renewable
        self.renewals = 0

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": Secret(f"Bearer {self.token}")}

    async def renew(self, response: Response) -> bool:
        assert response.status == 401
        self.renewals += 1
        self.token = "new-token"
        return self.renewable

    def mask(self, text: str) -> str:
        return text.replace(self.token, "***")


@pytest.mark.virtual
async def test_a_401_is_answered_with_a_renewed_token_once() -> None:
    it = bench(status(401), status(401), status(200))
    it.session._shared.auth = auth = Renewing()
    with pytest.raises(AuthenticationError):
        await it.session.send(GET)
    assert ["Bearer old-token", "Bearer new-token"] == [
        headers["Authorization"] for _, _, headers, _ in it.reads.sent
    ]
    assert auth.renewals == 1


@pytest.mark.virtual
async def test_a_renewed_token_makes_the_request_succeed() -> None:
    it = bench(status(401), status(200))
    it.session._shared.auth = Renewing()
    assert (await it.session.send(PAUSE)).status == 200


@pytest.mark.virtual
async def test_what_cannot_be_renewed_is_not_sent_again() -> None:
    it = bench(status(401))
    it.session._shared.auth = Renewing(renewable=False)
    with pytest.raises(AuthenticationError):
        await it.session.send(GET)
    assert len(it.reads.sent) == 1


@pytest.mark.row(196)
@pytest.mark.virtual
async def test_a_rotated_key_is_used_from_the_next_attempt_on() -> None:
    keys = iter(["first-key", "second-key"])
    it = bench(status(500))
    it.session._shared.auth = ApiKey(lambda: next(keys))
    await it.session.send(GET)
    assert ["Bearer first-key", "Bearer second-key"] == [h["Authorization"] for _, _, h, _ in it.reads.sent]


# Transport


@pytest.mark.virtual
async def test_the_url_is_base_path_and_query() -> None:
    it = bench()
    await it.session.send(replace(GET, params=(("name", "A & B"),)))
    assert it.reads.sent[0][1] == f"{BASE_URL}/campaigns?name=A+%26+B"
    assert it.session.origin == "https://cc.example.com:443"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "campaigns",
        "//evil.example.net/x",
        "/../x",
        "/a/../b",
        "/a/./b",
        "/.",
        "/a//b",
        "/a?x",
        "/a#x",
        "/a b",
        "/%2e%2e/x",
        "/a\\b",
        "@evil.example.net/",
        ":8080/x",
        ".evil.example.net/x",
        "/a\n",
        "/a;b",
        "/ä",
        "/a:b@c",
    ],
)
async def test_a_path_that_would_leave_its_route_is_refused(path: str) -> None:
    it = bench()
    for exchange in (it.session.send, it.session.attempt):
        with pytest.raises(ConfigurationError):
            await exchange(replace(GET, path=path))
    assert it.reads.sent == it.leads.sent == []


@pytest.mark.parametrize("method", ["get", "GET /x HTTP/1.1\r\nX: y", "", "G", "GÉT", "GET\n"])
async def test_a_method_that_is_none_is_refused(method: str) -> None:
    it = bench()
    with pytest.raises(ConfigurationError):
        await it.session.send(replace(GET, method=method))


@pytest.mark.virtual
@pytest.mark.parametrize("code", [200, 204, 302, 400, 401, 409, 429, 500, 503, 999])
async def test_an_attempt_returns_any_complete_answer(code: int) -> None:
    it = bench(status(code, b'{"error": "x"}'))
    assert code == (await it.session.attempt(LEADS)).status
    assert len(it.leads.sent) == 1
    assert it.reads.sent == []
    assert it.leads.sent[0][3] == it.session.lead_timeout


@pytest.mark.virtual
@pytest.mark.parametrize("trouble", [LOST, UNSENT, GARBLED])
async def test_an_attempt_is_exactly_one(trouble: VoisoError) -> None:
    it = bench(trouble)
    with pytest.raises(type(trouble)) as caught:
        await it.session.attempt(LEADS)
    assert caught.value.proof == trouble.proof
    assert len(it.leads.sent) == 1


@pytest.mark.virtual
async def test_cancellation_is_told_and_propagates() -> None:
    it = bench(100.0)
    with anyio.move_on_after(1.0) as scope:
        await it.session.send(GET)
    assert scope.cancelled_caught
    [done] = it.told(RequestDone)
    assert (done.error, done.status, done.seconds) == ("CancelledError", None, 1.0)  # type: ignore[union-attr]


@pytest.mark.virtual
@pytest.mark.parametrize("wait", [status(503, retry_after="9"), LOST])
async def test_cancellation_while_waiting_sends_no_more(wait: Response | VoisoError) -> None:
    it = bench(wait, retry=RetryPolicy(base_delay=1e9, max_delay=1e9, deadline=1e12))
    with anyio.move_on_after(1.0):
        await it.session.send(GET)
    assert len(it.reads.sent) == 1


# Decipher


@pytest.mark.virtual
@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_every_2xx_is_passed_on(code: int) -> None:
    it = bench(status(code))
    assert code == (await it.session.send(GET)).status


@pytest.mark.virtual
@pytest.mark.parametrize("code", [101, 600, 999])
async def test_a_status_without_meaning_is_unreadable(code: int) -> None:
    it = bench(status(code))
    with pytest.raises(ResponseError) as caught:
        await it.session.send(GET)
    assert (caught.value.reason, caught.value.proof) == ("status", "in_doubt")


@pytest.mark.virtual
async def test_a_redirect_names_the_origin_of_its_target() -> None:
    it = bench(status(307, location="https://evil.example.net/steal?x=1"))
    with pytest.raises(RedirectError, match=r"https://evil\.example\.net:443 not followed"):
        await it.session.send(GET)


@pytest.mark.virtual
async def test_another_vendor_brings_its_own_explanation() -> None:
    it = bench(status(404, b"own words"))
    it.session._shared.explain = lambda body: ErrorBody(message=body.decode())
    with pytest.raises(NotFoundError, match="own words"):
        await it.session.send(GET)


@pytest.mark.row(195)
@pytest.mark.virtual
@pytest.mark.parametrize("code", [400, 401, 403, 422, 500, 503])
async def test_an_echoed_key_reaches_no_error(code: int, caplog: pytest.LogCaptureFixture) -> None:
    body = f'{{"error": "key {KEY} of Authorization: Bearer {KEY} is wrong", "errors": {{"{KEY}": ["{KEY}"]}}}}'
    it = bench(status(code, body.encode(), authorization=f"Bearer {KEY}", x_echo=f"Bearer {KEY}"), retry=NO_RETRY)
    with caplog.at_level(logging.DEBUG), pytest.raises(APIError) as caught:
        await it.session.send(GET)
    error = caught.value
    assert_nowhere(KEY, error, caplog)
    assert KEY not in repr(vars(error))
    it.leads.script = [status(code, body.encode(), x_echo=KEY)]
    response = await it.session.attempt(LEADS)
    assert KEY not in repr([response.headers, response.body, vars(it.session.api_error(LEADS, response))])


def assert_nowhere(canary: str, error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """The canary is in no text of the error, of the frames of our package, or of the log."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in trace.stack if "/voiso_async/" in frame.filename]
    frames = repr([(frame.name, frame.locals) for frame in ours])
    assert canary not in "".join([str(error), repr(error), *trace.format_exception_only(), frames, caplog.text])
    assert error.__cause__ is None
    assert error.__context__ is None


# Use and abuse


@pytest.mark.row(116)
async def test_a_closed_session_is_named_before_anything_is_done() -> None:
    it = bench()
    await it.session.send(GET)
    await it.session.aclose()
    await it.session.aclose()
    for exchange in (it.session.send, it.session.attempt, it.session.view().send):
        with pytest.raises(ClientClosedError):
            await exchange(GET)
    assert (it.reads.closed, it.leads.closed) == (1, 1)


async def test_closing_a_view_closes_its_owner() -> None:
    it = bench()
    await it.session.view().aclose()
    with pytest.raises(ClientClosedError):
        it.session.ensure_usable()


@pytest.mark.virtual
async def test_a_request_that_waits_while_the_session_is_closed_is_not_sent() -> None:
    it = bench(status(429, retry_after="9"))

    async def close() -> None:
        await anyio.sleep(1.0)
        await it.session.aclose()

    with pytest.raises(ClientClosedError):
        await asyncio.gather(it.session.send(GET), close())
    assert len(it.reads.sent) == 1


def test_without_a_loop_the_session_says_so() -> None:
    with pytest.raises(WrongLoopError, match="no event loop"):
        bench().session.ensure_usable()


@pytest.mark.row(118)
def test_a_second_loop_is_named() -> None:
    it = bench()
    asyncio.run(it.session.send(GET))
    with pytest.raises(WrongLoopError, match="another event loop"):
        asyncio.run(it.session.send(GET))
    assert len(it.reads.sent) == 1


@pytest.mark.row(118)
async def test_another_thread_is_another_loop() -> None:
    it = bench()
    await it.session.send(GET)
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            asyncio.run(it.session.send(GET))
        except WrongLoopError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 1


async def test_a_forked_child_is_refused_and_the_parent_unharmed(monkeypatch: pytest.MonkeyPatch) -> None:
    it = bench()
    await it.session.send(GET)
    monkeypatch.setattr("voiso_async.session.os.getpid", lambda: os.getppid() + 10**6)
    for refused in (it.session.send(GET), it.session.attempt(GET), it.session.aclose()):
        with pytest.raises(ForkedError):
            await refused
    monkeypatch.undo()
    await it.session.send(GET)
    assert len(it.reads.sent) == 2


async def test_a_view_changes_its_own_numbers_only() -> None:
    it = bench(LOST)
    quick = it.session.view(timeout=Timeout(total=1.0), retry=NO_RETRY)
    with pytest.raises(ConnectionLostError):
        await quick.send(GET)
    await it.session.send(GET)
    assert [1.0, 30.0] == [timeout.total for *_, timeout in it.reads.sent]
    assert quick.lead_timeout == it.session.lead_timeout


# Over real sockets


async def real(server: RawServer, **options: Timeout | RetryPolicy) -> Session:
    return Session(server.url, ApiKey(KEY), **options)  # type: ignore[arg-type]


async def test_every_attempt_is_one_request_on_the_wire() -> None:
    """Aiohttp's own repetition would show here as six requests."""
    async with RawServer(CLOSE_AFTER_READING) as server:
        session = await real(server, retry=RetryPolicy(max_attempts=3, base_delay=0.001))
        with pytest.raises(ConnectionLostError):
            await session.send(GET)
        await session.aclose()
        assert len(server.requests) == 3
    assert {f"Bearer {KEY}"} == {seen.header("authorization") for seen in server.requests}


async def test_lead_attempts_and_reads_use_connections_of_their_own() -> None:
    async with RawServer() as server:
        session = await real(server)
        for _ in range(2):
            await session.send(GET)
            await session.attempt(LEADS)
        await session.aclose()
        assert server.connections == 3


async def test_a_closed_port_proves_that_a_batch_was_not_sent() -> None:
    session = Session(f"http://127.0.0.1:{await closed_port()}/api/v4", ApiKey(KEY))
    with pytest.raises(ConnectError) as caught:
        await session.attempt(LEADS)
    assert caught.value.proof == "not_sent"
    await session.aclose()


@pytest.mark.row(194)
@pytest.mark.parametrize(
    "verb", [CLOSE_AFTER_READING, answer(401, {"error": f"wrong: {KEY}"}, {"Authorization": f"Bearer {KEY}"})]
)
async def test_the_key_is_nowhere_even_with_every_library_frame(
    caplog: pytest.LogCaptureFixture, verb: object
) -> None:
    asyncio.get_running_loop().set_debug(True)
    async with RawServer(verb) as server:  # type: ignore[arg-type]
        session = await real(server, retry=NO_RETRY)
        with caplog.at_level(logging.DEBUG), pytest.raises(VoisoError) as caught:
            await session.send(GET)
        assert_nowhere(KEY, caught.value, caplog)
        await session.aclose()
    assert len(server.requests) == 1


@pytest.mark.row(117)
async def test_one_warning_names_a_session_that_was_never_closed() -> None:
    async with RawServer() as server:
        session = await real(server)
        await session.send(GET)
        await session.attempt(LEADS)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del session
            gc.collect()
    assert [ResourceWarning] == [warning.category for warning in caught]
    assert "never closed" in str(caught[0].message)
    assert KEY not in str(caught[0].message)


async def test_a_session_that_was_never_used_needs_no_closing() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = Session(BASE_URL, ApiKey(KEY))
        session.ensure_usable()
        del session
        gc.collect()
    assert caught == []


async def test_a_plain_read_from_end_to_end() -> None:
    session = Session(BASE_URL, ApiKey(KEY))
    with http_mock() as http:
        http.get(f"{BASE_URL}/campaigns", payload={"campaigns": [], "metadata": {"total": 0}})
        response = await session.send(GET)
    assert decode_json(response, GET) == {"campaigns": [], "metadata": {"total": 0}}
    await session.aclose()


async def test_events_pair_by_id_and_tell_campaign_user_and_the_servers_own_id() -> None:
    """With 200 campaigns at once a verb and a template tell nobody anything."""
    heard: list[Any] = []
    async with RawServer(answer(404, {"error": "No"}, {"X-Request-Id": "req-7f3a"})) as server:
        session = Session(server.url, ApiKey(KEY), hook=EventHook(heard.append))
        ids = {"campaign_id": 3, "user_id": 311}
        request = Request.to("DELETE", "/campaigns/{campaign_id}/users/{user_id}", ids)
        errors = await asyncio.gather(*[_error_of(session.send(request)) for _ in range(2)])
        await session.aclose()
    sent = [event for event in heard if isinstance(event, RequestSent)]
    done = [event for event in heard if isinstance(event, RequestDone)]
    assert len({event.id for event in sent}) == 2
    assert {event.id for event in sent} == {event.id for event in done}
    for event in sent + done:
        assert (event.request, event.campaign, event.user) == (str(request), 3, 311)
    assert {event.request_id for event in done} == {"req-7f3a"}
    for error in errors:
        assert (error.request, error.campaign, error.user) == (str(request), 3, 311)
        assert error.request_id == "req-7f3a"
        assert str(error).startswith("DELETE /campaigns/3/users/311 -> 404: No")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (str(error), 3, "req-7f3a") == (str(again), again.campaign, again.request_id)


async def _error_of(call: Any) -> Any:
    with pytest.raises(VoisoError) as caught:
        await call
    return caught.value
