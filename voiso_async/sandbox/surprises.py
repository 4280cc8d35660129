"""Rule 26: answers that a client has never seen and must survive."""

from typing import Any

__all__ = ["surprise"]

NEW_VALUES = {"strategy": "orbital", "follow_up_mode": "by_moonlight"}
NULLED = frozenset(
    {
        "amd_enabled",
        "caller_id",
        "caller_id_sets",
        "dial_level",
        "dial_level_override",
        "email",
        "extension",
        "max_dial_time",
        "skills",
        "teams",
        "timezone",
        "updated_at",
    }
)
UNKNOWN: dict[str, Any] = {"unheard_of": {"deep": [1, None, "two"]}, "extra": "a field of this name, too"}


def surprise(value: Any) -> Any:
    """Add unknown fields to every object, replace enum values by new ones, and put null where null may be."""
    if isinstance(value, list):
        return [surprise(one) for one in value]
    if not isinstance(value, dict):
        return value
    known = {name: _surprised(name, member) for name, member in value.items()}
    return {**known, **UNKNOWN}


def _surprised(name: str, member: Any) -> Any:
    if name in NULLED:
        return None
    if name in NEW_VALUES:
        return NEW_VALUES[name]
    return surprise(member)
