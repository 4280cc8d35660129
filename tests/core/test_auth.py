"""The API key: sent as it is, never shown."""

import copy
import functools
import pickle
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from voiso_async import VoisoClient
from voiso_async.auth import ApiKey, Secret
from voiso_async.errors import ConfigurationError
from voiso_async.wire import Response

CANARY = "canary-Key_7/+=secret.value"


def shown(error: BaseException) -> str:
    detail = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join([str(error), repr(error), *detail.format()])


async def test_the_header_holds_the_key_and_its_repr_does_not() -> None:
    headers = await ApiKey(CANARY).headers()
    assert headers == {"Authorization": f"Bearer {CANARY}"}
    assert CANARY not in repr(headers)


@pytest.mark.parametrize("make", [ApiKey, lambda key: ApiKey(lambda: key)])
async def test_the_repr_is_masked(make: Callable[[str], ApiKey]) -> None:
    key = make(CANARY)
    await key.headers()
    assert repr(key) == str(key) == "ApiKey(***)"


@pytest.mark.row(186)
@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        f"{CANARY}\n",
        f"{CANARY} ",
        f" {CANARY}",
        f"{CANARY}\x00",
        f"ключ{CANARY}",
        f"{CANARY}\x7f",
        f"Bearer {CANARY}",
        f"bearer  {CANARY}",
        f"Bearer Bearer {CANARY}",
        f"Bearer:{CANARY}",
        CANARY * 100,
    ],
)
async def test_a_hostile_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as given:
        ApiKey(key)
    with pytest.raises(ConfigurationError) as provided:
        await ApiKey(lambda: key).headers()
    for caught in (given, provided):
        own = [frame for frame in caught.traceback if str(frame.path).endswith("voiso_async/auth.py")]
        assert own
        assert CANARY not in str(caught.value)
        assert CANARY not in repr([list(frame.frame.f_locals.items()) for frame in own])


@pytest.mark.parametrize("key", [None, 3, b"bytes", ["list"]])
def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(ConfigurationError, match="visible ASCII"):
        ApiKey(key)  # type: ignore[arg-type]


async def test_a_key_function_is_asked_before_every_request() -> None:
    keys = iter(["first-key", "second-key"])
    auth = ApiKey(lambda: next(keys))
    assert await auth.headers() == {"Authorization": "Bearer first-key"}
    assert await auth.headers() == {"Authorization": "Bearer second-key"}
    assert auth.mask("first-key second-key") == "first-key ***"  # the old key is not kept


async def test_a_key_function_that_raises_is_a_configuration_error_without_its_text() -> None:
    def broken() -> str:
        raise KeyError(CANARY)

    auth = ApiKey(broken)
    with pytest.raises(ConfigurationError, match="KeyError") as caught:
        await auth.headers()
    assert CANARY not in shown(caught.value)


@pytest.mark.parametrize("copier", [pickle.dumps, copy.deepcopy])
async def test_neither_the_key_nor_its_header_can_be_pickled(copier: Callable[[object], object]) -> None:
    key = ApiKey(CANARY)
    for secret in (key, await key.headers()):
        with pytest.raises(TypeError, match="not pickled"):
            copier(secret)


@pytest.mark.row(195)
@pytest.mark.parametrize(
    "spelling",
    [
        CANARY,
        CANARY.replace("/", "\\/"),
        CANARY.replace("+", "\\u002B").replace("=", "\\u003d"),
        quote(CANARY, safe=""),
        quote(CANARY, safe="").lower().replace("canary-key", "canary-Key"),
    ],
)
def test_the_mask_finds_the_key_however_it_is_written(spelling: str) -> None:
    assert ApiKey(CANARY).mask(f"<{spelling}>, {{{spelling}}}") == "<***>, {***}"


def test_without_a_key_nothing_is_masked() -> None:
    assert ApiKey(lambda: CANARY).mask("text") == "text"


async def test_a_refused_key_is_not_renewed() -> None:
    assert not await ApiKey(CANARY).renew(Response(status=401))


def test_a_secret_is_its_text_everywhere_but_in_repr() -> None:
    secret = Secret(CANARY)
    assert f"{secret}" == CANARY
    assert repr(secret) == "'***'"
    assert CANARY not in repr({"key": secret})


async def later() -> str:
    return CANARY


class Later:
    async def __call__(self) -> str:
        return CANARY


@pytest.mark.parametrize("given", [later, Later(), functools.partial(later)])
def test_an_async_key_function_is_refused_when_it_is_given(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="async"):
        VoisoClient(given, cluster="cc-ams03")


async def test_an_async_key_function_that_hides_is_refused_when_it_is_asked() -> None:
    """And nobody is warned of a coroutine that was never awaited."""
    auth = ApiKey(lambda: later())  # type: ignore[arg-type,return-value]  # noqa: PLW0108 - it hides what it is
    with pytest.raises(ConfigurationError, match="async"):
        await auth.headers()
