"""Query parameters: what is None stays out, flags are true and false, everything else is text."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from voiso_async.errors import ConfigurationError


def query(**filters: Any) -> tuple[tuple[str, str], ...]:
    """Make query parameters of the filters that were given."""
    return pairs_of(filters)


def pairs_of(params: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Make query parameters of a mapping, or of pairs if a name comes twice."""
    pairs = dict(params).items() if isinstance(params, Mapping) else params
    return tuple((_text("a name", name), _text(name, value)) for name, value in pairs if value is not None)


def _text(name: Any, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    with suppress(ValueError):  # of lone surrogates, and of integers with thousands of digits
        if isinstance(value, str | int):
            return str(value).encode().decode()
    raise ConfigurationError(f"{name} must be text, a whole number or a flag; nothing was sent")
