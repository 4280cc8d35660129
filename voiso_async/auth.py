"""Who the client is: headers for one request, and a mask for everything that is shown."""

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import NoReturn, Protocol

from voiso_async.errors import ConfigurationError
from voiso_async.wire import Response

LONGEST_KEY = 1024
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
PREFIXED = re.compile(r"\s*bearer[\s:]", re.IGNORECASE)
MASK = "***"
NOT_ASYNC = (
    "the function that gives the API key is async: give one that returns the key itself, which a task of yours "
    "may keep up to date; nothing was sent"
)


class Secret(str):
    """Text that goes over the wire as it is, but whose ``repr`` is masked and which cannot be pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; make it anew from its source")


class Auth(Protocol):
    """What the session asks of a way to authenticate."""

    async def headers(self) -> Mapping[str, str]:
        """Headers of the next request, their values as ``Secret``; asked anew before every attempt."""
        ...

    async def renew(self, response: Response) -> bool:
        """After a 401: whether the same request may be tried once more, with fresh ``headers()``."""
        ...

    def mask(self, text: str) -> str:
        """Replace the secret wherever it occurs in a text of the server."""
        ...


class ApiKey:
    """A scoped Voiso API key, sent as a bearer token.

    Give the key, or a function of no arguments that returns it: that is asked before every request, so a key can
    be rotated while the client runs. A key that cannot work raises ``ConfigurationError``, which never shows it.
    """

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._provider: Callable[[], object] | None = None
        self._spelled: re.Pattern[str] | None = None
        self._used = Secret()
        if callable(key):
            if iscoroutinefunction(key) or iscoroutinefunction(getattr(key, "__call__", None)):  # noqa: B004 - of what kind it is
                raise ConfigurationError(NOT_ASYNC)
            self._provider = key
            return
        # The plain text leaves this frame before anything can raise in it.
        key = hidden(key)
        self._use(key)

    def __repr__(self) -> str:
        return f"ApiKey({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an ApiKey is not pickled; make it anew from its source")

    async def headers(self) -> Mapping[str, str]:
        """The ``Authorization`` header; a failing key function is a ``ConfigurationError``."""
        if self._provider is not None:
            self._use(_asked(self._provider))
        return {"Authorization": Secret(f"Bearer {self._used}")}

    async def renew(self, response: Response) -> bool:  # noqa: ARG002 - a refused key stays refused
        """Nothing to renew: a key is valid or it is not."""
        return False

    def mask(self, text: str) -> str:
        """Replace the key, however JSON or a URL writes its characters."""
        return self._spelled.sub(MASK, text) if self._spelled else text

    def _use(self, key: Secret) -> None:
        if key != self._used or not key:
            self._used = _checked(key)
            self._spelled = spellings(key)


def hidden(key: object) -> Secret:
    """Take text out of sight before anything can raise next to it; what is no text becomes empty."""
    return Secret(key) if isinstance(key, str) else Secret()


def _asked(provider: Callable[[], object]) -> Secret:
    failure = ""
    try:
        key = provider()
        if not isawaitable(key):
            return hidden(key)
        if iscoroutine(key):
            key.close()  # else it would warn that nobody awaited it
    except Exception as error:  # noqa: BLE001 - whatever a key function raises, no request can be sent
        failure = type(error).__name__
    if not failure:
        raise ConfigurationError(NOT_ASYNC)
    raise ConfigurationError(f"the function that gives the API key raised {failure}; nothing was sent")


def _checked(key: Secret) -> Secret:
    """Give a usable key: keys are opaque, so only what HTTP cannot carry is refused."""
    if PREFIXED.match(key):
        raise ConfigurationError("the API key must be given without its 'Bearer ' prefix")
    if not key or len(key) > LONGEST_KEY or not VISIBLE_ASCII.fullmatch(key):
        raise ConfigurationError(
            "the API key must be a text of visible ASCII characters, without blanks and not empty; "
            "check for a line end that was copied with it"
        )
    return key


def spellings(key: str, rest: str = "") -> re.Pattern[str]:
    """Write each character in every way: plain, escaped as in JSON, or percent-encoded as in a URL."""
    ways = (rf"(?:\\?{re.escape(char)}|(?i:\\u00{ord(char):02x}|%{ord(char):02x}))" for char in key)
    return re.compile("".join(ways) + rest)


def masked(text: str, spelled: Iterable[re.Pattern[str]]) -> str:
    """Replace what the patterns find."""
    for pattern in spelled:
        text = pattern.sub(MASK, text)
    return text


def checked_text(name: str, value: object, longest: int = LONGEST_KEY, *, without: str = "") -> Secret:
    """Pass on text that HTTP can carry, or raise ``ConfigurationError`` without showing it."""
    value = hidden(value)
    if not value or len(value) > longest or not VISIBLE_ASCII.fullmatch(value) or set(without) & set(value):
        raise ConfigurationError(
            f"{name} must be a text of visible ASCII characters, without blanks and not empty; "
            "check for a line end that was copied with it"
        )
    return value
