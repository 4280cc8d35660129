"""The hook: tells the log and the caller, and never raises."""

import inspect
import logging
import typing

import pytest

from voiso_async.events import Event, EventHook, OriginHeld, RequestSent

SENT = RequestSent(request="GET /campaigns", attempt=1)


def test_the_caller_and_the_log_are_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []
    with caplog.at_level(logging.DEBUG, logger="voiso_async"):
        EventHook(told.append)(SENT)
    assert [SENT] == told
    assert [str(SENT)] == caplog.messages


def test_without_a_caller_only_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="voiso_async"):
        EventHook()(OriginHeld(seconds=2.0))
    assert ["OriginHeld(seconds=2.0)"] == caplog.messages


def test_a_hook_that_raises_is_named_once_and_goes_on_being_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        raise RuntimeError("secret text of the caller")

    hook = EventHook(broken)
    for _ in range(3):
        hook(SENT)
    assert len(told) == 3
    assert ["on_event raised RuntimeError; the run goes on"] == caplog.messages


@pytest.mark.row(107)
def test_a_slow_hook_is_named_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("voiso_async.events.time.monotonic", lambda: float(next(clock)))
    hook = EventHook(lambda _: None)
    hook(SENT)
    hook(SENT)
    assert ["on_event held the event loop for more than 0.05 s"] == caplog.messages


def test_a_hook_that_is_stopped_on_purpose_is_not_held_back() -> None:
    """Only ordinary errors stay here: a keyboard interrupt ends the program."""

    def interrupted(_: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EventHook(interrupted)(SENT)


@pytest.mark.row(197)
@pytest.mark.parametrize("kind", typing.get_args(Event))
def test_an_event_is_frozen_and_holds_no_personal_data(kind: type) -> None:
    allowed = {"str", "int", "float", "str | None", "int | None", "int | str | None", "voiso_async.events.Verdict"}
    types = typing.get_type_hints(kind)
    names = {*types}
    assert {str(inspect.formatannotation(hint)) for hint in types.values()} <= allowed
    assert not names & {"phone", "phone_number", "name", "url", "path", "key", "body", "headers"}
    event = kind(**dict.fromkeys(names, 1))
    with pytest.raises(AttributeError):
        setattr(event, names.pop(), "changed")
