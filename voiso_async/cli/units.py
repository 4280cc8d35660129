"""Times, shares, ids and choices as people write them: ``90``, ``10m``, ``2h30m``, ``25%``, ``3``, ``paused``."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

from cyclopts import CoercionError, Parameter, Token

from voiso_async.errors import ConfigurationError
from voiso_async.wire import id_text, positive_id

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


def one_of(names: Iterable[str]) -> Callable[[Any, Sequence[Token]], str]:
    """Make a converter that takes one of these names, however its words are joined."""
    known = {str(name): str(name) for name in names}

    def chosen(_: Any, tokens: Sequence[Token]) -> str:
        text = tokens[0].value
        if (name := known.get(text.strip().lower().replace("-", "_").replace(" ", "_"))) is None:
            raise ValueError(f"there is no {text[:40]!r}; choose from {', '.join(known)}")
        return name

    return chosen


def _campaign(_: Any, tokens: Sequence[Token]) -> int:
    try:
        return positive_id(tokens[0].value)
    except ConfigurationError:
        raise ValueError("the id of a campaign is a whole number above 0, such as 3") from None


def _text_id(_: Any, tokens: Sequence[Token]) -> str:
    try:
        return id_text(tokens[0].value, "id")
    except ConfigurationError:
        fault = CoercionError(msg="an id has letters, digits, '-' and '_' only, such as 3")
    raise fault


def _seconds(_: Any, tokens: Sequence[Token]) -> Duration:
    return seconds_of(tokens[0].value)


def _share(_: Any, tokens: Sequence[Token]) -> Share:
    return share_of(tokens[0].value)


Seconds = Annotated[Duration, Parameter(converter=_seconds, n_tokens=1, accepts_keys=False)]
"""An option that takes a time."""
Threshold = Annotated[Share, Parameter(converter=_share, n_tokens=1, accepts_keys=False)]
"""An option that takes a percentage."""
CampaignId = Annotated[int, Parameter(converter=_campaign, n_tokens=1, accepts_keys=False)]
"""The id of a Voiso campaign."""
TextId = Annotated[str, Parameter(converter=_text_id, n_tokens=1, accepts_keys=False)]
"""Any other id."""
