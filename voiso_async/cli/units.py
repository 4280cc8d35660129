"""Times and shares as people write them: ``90``, ``10m``, ``2h30m``, ``25%``."""

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

__all__ = ["Duration", "Seconds", "Share", "Threshold", "seconds_of", "share_of"]

PARTS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
TIME = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
LONGEST = 3660 * 86_400.0
SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")


class Duration(float):
    """Seconds."""


class Share(float):
    """A part of 1."""


def seconds_of(text: str) -> Duration:
    """Read a time: seconds, or numbers with s, m, h and d, the largest first."""
    found = TIME.fullmatch(text.strip().lower()) if text.isascii() else None
    parts = zip(found.groups() if found else (), PARTS.values(), strict=False)
    seconds = sum(float(number) * unit for number, unit in parts if number)
    if not 0 < seconds <= LONGEST or not math.isfinite(seconds):
        raise ValueError("write a time above 0, such as 90, 10m or 2h30m")
    return Duration(seconds)


def share_of(text: str) -> Share:
    """Read a percentage."""
    found = SHARE.fullmatch(text.strip()) if text.isascii() else None
    if found is None or not 0 <= float(found[1]) <= 100:
        raise ValueError("write a percentage from 0% to 100%, such as 25%")
    return Share(float(found[1]) / 100)


def _seconds(_: Any, tokens: Sequence[Token]) -> Duration:
    return seconds_of(tokens[0].value)


def _share(_: Any, tokens: Sequence[Token]) -> Share:
    return share_of(tokens[0].value)


Seconds = Annotated[Duration, Parameter(converter=_seconds, n_tokens=1, accepts_keys=False)]
"""An option that takes a time."""
Threshold = Annotated[Share, Parameter(converter=_share, n_tokens=1, accepts_keys=False)]
"""An option that takes a percentage."""
