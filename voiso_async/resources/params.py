"""Query parameters: what is None stays out, flags are true and false, everything else is text."""

from typing import Any

from voiso_async.errors import ConfigurationError

__all__ = ["query"]


def query(**filters: Any) -> tuple[tuple[str, str], ...]:
    """Make query parameters of the filters that were given (contract 4 and 5.2)."""
    return tuple((name, _text(name, value)) for name, value in filters.items() if value is not None)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise ConfigurationError(f"{name} must be text, a whole number or a flag; nothing was sent")
