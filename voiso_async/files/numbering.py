"""National numbers by the numbering plan of their region; the extra ``phone`` brings the plans."""

import re
from importlib import import_module
from typing import Any

from voiso_async.errors import ConfigurationError
from voiso_async.phone import PhoneFault, canonical

__all__ = ["Numbering", "NumberingError"]

LONG = 11
"""So many digits may be a complete number in a plan whose national numbers have no fixed length."""
_NOT_DIGITS = re.compile("[^0-9]+")


class NumberingError(Exception):
    """A number that a plan does not have, or that can be read in two ways; ``reason`` is the code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Numbering:
    """The numbering plan of one region, such as ``GB``: what stands without ``+`` is read as dialled there."""

    def __init__(self, region: str) -> None:
        self.region: str = region.strip().upper() if isinstance(region, str) else ""
        self._plans = _plans()
        if self.region not in self._plans.SUPPORTED_REGIONS:
            raise ConfigurationError("the region must be a code of two letters, such as GB, US or DE")
        self._code = str(self._plans.country_code_for_region(self.region))

    def international(self, text: str) -> str:
        """Give the canonical digits of a number without ``+``.

        Takes some 150 microseconds a number. ``NumberingError`` if the plan has no such number, or if the digits
        begin with a country code: those of this region's own, or 11 and more that are a valid number elsewhere,
        where the plan has such a national number too.
        """
        digits = _NOT_DIGITS.sub("", text)
        own = digits.startswith(self._code)
        long = len(digits) >= LONG
        coded = (own and long) or digits.startswith("00")
        if coded and canonical(f"+{digits.lstrip('0')}") is PhoneFault.TRUNK_ZERO:
            raise NumberingError("trunk_zero")
        national = self._valid(text)
        complete = self._valid(f"+{digits}") if own or long else None
        if complete is None or complete == national:
            found = national
        elif national is None:
            found = complete if own else None
        else:
            raise NumberingError("unclear_country_code")
        if found is None:
            raise NumberingError("not_in_numbering_plan")
        return found

    def _valid(self, text: str) -> str | None:
        plans = self._plans
        try:
            number = plans.parse(text, self.region)
        except plans.NumberParseException:
            return None
        if number.extension or not plans.is_valid_number(number):
            return None
        return str(plans.format_number(number, plans.PhoneNumberFormat.E164)).removeprefix("+")


def _plans() -> Any:
    """Import the plans only for those who ask for them: they take a while, and an extra."""
    try:
        return import_module("phonenumbers")
    except ModuleNotFoundError:
        pass
    raise ConfigurationError("reading national numbers by their region needs: pip install 'voiso-async[phone]'")
