"""Scans what every test let out for the keys it used and for phone numbers from the ranges reserved for fiction.

It scans our own log and the logs of the libraries at level DEBUG, printed output, and every ``VoisoError`` that
was made: its text, its formatted traceback, and the local variables of all frames except those of tests. Local
variables may hold leads, but not the key.
"""

import logging
import re
import traceback
from collections import deque
from collections.abc import Generator, Iterator
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from attrs import Factory, define

from voiso_async import errors
from voiso_async.auth import ApiKey
from voiso_async.errors import VoisoError

LOGGERS = ["voiso_async", "asyncio", "aiohttp.client", "aiohttp.internal", "aiohttp.web", "aiohttp.access"]
PHONES = re.compile(r"(?<![0-9A-Za-z])\+?(441632960|1201555|447700900)[0-9]{3,}")
NAMES = ("Canarina", "Vogelsang")
SHORTEST_KEY = 8
MOST_ERRORS = 20
UNHEARD = 1
TESTS = str(Path(__file__).parents[1])


@define(eq=False, repr=False)
class Canaries:
    """The secrets that one test used, and the texts that came out."""

    keys: set[str] = Factory(set)
    errors: "deque[VoisoError]" = Factory(lambda: deque(maxlen=MOST_ERRORS))
    logged: list[str] = Factory(list)

    def found_in(self, text: str, *, key_only: bool = False) -> list[str]:
        """The canaries in a text."""
        found = [key for key in self.keys if key in text]
        if not key_only:
            found += [match[0] for match in PHONES.finditer(text)] + [name for name in NAMES if name in text]
        return found

    def complaints(self) -> Iterator[str]:
        """Every secret that came out."""
        for line in self.logged:
            if self.found_in(line):
                yield f"logged: {line}"
        for error in self.errors:
            text = "".join([f"{error!s}\n{error!r}\n", *traceback.format_exception_only(error)])
            if self.found_in(text):
                yield f"shown by an error: {text}"
            for name, value in _locals_of(error):
                if self.found_in(value, key_only=True):
                    yield f"a local variable of an error: {name} = {value[:200]}"


class _Listener(logging.Filter):
    """Receives every record of a logger at DEBUG, and passes on those that its level would have let through."""

    def __init__(self, logger: logging.Logger, logged: list[str]) -> None:
        super().__init__()
        self._logger, self._logged = logger, logged

    def filter(self, record: logging.LogRecord) -> bool:
        self._logged.append(logging.Formatter().format(record))
        return self._logger.level != UNHEARD or record.levelno >= logging.getLogger().getEffectiveLevel()


def _locals_of(error: BaseException) -> Iterator[tuple[str, str]]:
    for part in (error, error.__cause__, error.__context__):
        if part is not None:
            for frame, _ in traceback.walk_tb(part.__traceback__):
                yield from _locals_in(frame)


def _locals_in(frame: FrameType) -> Iterator[tuple[str, str]]:
    if frame.f_code.co_filename.startswith(TESTS):
        return
    for name, value in frame.f_locals.items():
        try:
            yield f"{frame.f_code.co_qualname}: {name}", repr(value)
        except Exception:  # noqa: BLE001, S112 - what cannot be shown gives nothing away
            continue


def _remembering(patch: pytest.MonkeyPatch, canaries: Canaries) -> None:
    made, revive, use = VoisoError.__init__, errors._revive, ApiKey._use

    @wraps(made)
    def making(error: VoisoError, *args: Any, **rest: Any) -> None:
        made(error, *args, **rest)
        canaries.errors.append(error)

    @wraps(revive)
    def reviving(*args: Any) -> VoisoError:
        canaries.errors.append(error := revive(*args))
        return error

    @wraps(use)
    def using(auth: ApiKey, key: Any) -> None:
        if len(key) >= SHORTEST_KEY:
            canaries.keys.add(str.__str__(key))
        use(auth, key)

    patch.setattr(VoisoError, "__init__", making)
    patch.setattr(errors, "_revive", reviving)
    patch.setattr(ApiKey, "_use", using)


@pytest.fixture(autouse=True)
def canaries(request: pytest.FixtureRequest) -> Generator[Canaries]:
    """The canaries of one test; it fails if one came out."""
    canaries = Canaries()
    heard = [(logger := logging.getLogger(name), _Listener(logger, canaries.logged)) for name in LOGGERS]
    request.node.stash[STASH] = canaries
    with pytest.MonkeyPatch.context() as patch:
        _remembering(patch, canaries)
        for logger, listener in heard:
            logger.addFilter(listener)
            if logger.level == logging.NOTSET:
                logger.setLevel(UNHEARD)
        yield canaries
        for logger, listener in heard:
            logger.removeFilter(listener)
            if logger.level == UNHEARD:
                logger.setLevel(logging.NOTSET)
    complaints = list(canaries.complaints())
    canaries.errors.clear()
    assert not complaints, complaints[0]


STASH = pytest.StashKey[Canaries]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed a canary of its own."""
    report = yield
    canaries = item.stash.get(STASH, None)
    if canaries is not None and report.passed and call.when == "teardown":
        printed = report.capstdout + report.capstderr
        if found := canaries.found_in(printed, key_only=True):
            report.outcome, report.longrepr = "failed", f"printed: {len(found)} keys"
    return report
