"""The error tree: one root, one line, and nothing lost in a pickle."""

import copy
import inspect
import pickle

import pytest

from voiso_async import IngestReport, Outcome, errors
from voiso_async.errors import (
    APIError,
    ConfigurationError,
    InputFileError,
    RateLimitError,
    SourceError,
    TransportError,
    UsageError,
    VoisoError,
)
from voiso_async.statuses import error_class

PUBLIC = [value for name, value in vars(errors).items() if name in errors.__all__ and inspect.isclass(value)]


def make(kind: type[VoisoError]) -> VoisoError:
    options = {"status": 400} if issubclass(kind, APIError) else {}
    return kind("something failed; do this", **options)


def test_all_is_sorted_and_complete() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert sorted(errors.__all__) == errors.__all__
    assert {name for name in defined if not name.startswith("_")} <= set(errors.__all__)


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_class_has_the_one_root_and_a_docstring(kind: type[VoisoError]) -> None:
    assert issubclass(kind, VoisoError)
    assert kind.__doc__
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_error_is_one_line(kind: type[VoisoError]) -> None:
    assert len(str(make(kind)).splitlines()) == 1


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_error_survives_a_pickle(kind: type[VoisoError]) -> None:
    error = make(kind)
    error.report = report(3)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago
    assert type(error) is type(twin)
    assert str(error) == str(twin)
    assert error.__dict__ == twin.__dict__


def test_an_api_error_keeps_everything_in_a_pickle() -> None:
    error = RateLimitError(
        "slow",
        status=429,
        request="GET /campaigns",
        fields={"a": ("b",)},
        headers={"retry-after": "7"},
        body={"error": "slow"},
        retry_after=7.0,
    )
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago
    assert (429, 7.0, {"a": ("b",)}, {"error": "slow"}, "refused") == (
        twin.status,
        twin.retry_after,
        twin.fields,
        twin.body,
        twin.proof,
    )
    assert str(twin) == "GET /campaigns -> 429: slow"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (300, "RedirectError"),
        (399, "RedirectError"),
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "APIError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (406, "NotAcceptableError"),
        (408, "APIError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (499, "APIError"),
        (500, "ServerError"),
        (599, "ServerError"),
    ],
)
def test_one_class_for_each_status(status: int, name: str) -> None:
    assert name == error_class(status).__name__


def report(rows: int) -> IngestReport:
    return IngestReport(rows=rows, counts={Outcome.CREATED: rows}, reasons={})


def test_a_copy_with_a_report_leaves_the_original_alone() -> None:
    error = TransportError("lost", request="POST /x", proof="in_doubt", reason="connection_lost")
    first, second = error.with_report(report(1)), error.with_report(report(2))
    assert (None, report(1), report(2)) == (error.report, first.report, second.report)
    assert str(error) == str(first) == "POST /x: lost"
    assert (first.proof, first.reason) == ("in_doubt", "connection_lost")


def test_wrong_input_is_also_a_value_error() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(InputFileError, ValueError)


@pytest.mark.parametrize("kind", [ConfigurationError, UsageError, *UsageError.__subclasses__()])
def test_what_is_refused_here_was_certainly_not_sent(kind: type[VoisoError]) -> None:
    assert make(kind).proof == "not_sent"


def test_a_source_error_keeps_the_original_as_its_cause() -> None:
    original = RuntimeError("source")
    with pytest.raises(SourceError) as caught:
        raise SourceError("the source raised RuntimeError") from original
    assert caught.value.__cause__ is original


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_error_can_be_copied_in_depth(kind: type[VoisoError]) -> None:
    error = make(kind)
    error.report = report(3)
    twin = copy.deepcopy(error)
    assert (type(error), str(error), error.__dict__) == (type(twin), str(twin), twin.__dict__)
    assert error.report is not twin.report
