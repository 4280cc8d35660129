"""National numbers by the numbering plan of their region; the extra ``phone`` brings the plans."""

import re
from importlib import import_module
from typing import Any

from voiso_async.errors import ConfigurationError
from voiso_async.phone import LONGEST, SHORTEST, PhoneFault, canonical

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
        self._closed: dict[tuple[int, int], bool] = {}
        self._code = str(self._plans.country_code_for_region(self.region))

    def international(self, text: str) -> str:
        """Give the canonical digits of a number without ``+``.

        Takes some 150 microseconds a number. ``NumberingError`` if the plan has no such number, or if the digits
        begin with a country code and the plan has such a national number too: the code of this region, or 11 and
        more digits that are a valid number elsewhere, unless all national numbers of their kind have one length.
        The same goes for 00 where it is not what is dialled before a country code.
        """
        digits = _NOT_DIGITS.sub("", text)
        zeros = digits.startswith("00")
        own = digits.startswith(self._code)
        long = len(digits) >= LONG
        if ((own and long) or zeros) and canonical(f"+{digits.lstrip('0')}") is PhoneFault.TRUNK_ZERO:
            raise NumberingError("trunk_zero")
        national = self._valid(text)
        complete = self._valid(f"+{digits[2:] if zeros else digits}") if own or long or zeros else None
        if national is None and own:
            national = complete
        if national is None:
            raise NumberingError("not_in_numbering_plan")
        if zeros and complete != national:
            raise NumberingError("unclear_country_code")
        fixed = national == self._code + digits and not own and self.is_closed(national)
        if complete not in {None, national} and not fixed:
            raise NumberingError("unclear_country_code")
        return national

    def is_closed(self, phone: str) -> bool:
        """Tell whether all national numbers of the kind of this one have one length, as in North America.

        Those of services, such as freephone numbers, are not for calling people: they make nothing certain.
        """
        plans = self._plans
        people = plans.PhoneNumberType
        number = plans.parse(f"+{phone}")
        kind = number.country_code, plans.number_type(number)
        if kind[1] not in {people.FIXED_LINE, people.MOBILE, people.FIXED_LINE_OR_MOBILE}:
            return False
        if kind not in self._closed:
            others = (
                plans.PhoneNumber(country_code=kind[0], national_number=10 ** (length - 1))
                for length in range(SHORTEST - 2, LONGEST + 1)
            )
            fits = [plans.is_possible_number_for_type_with_reason(other, kind[1]) for other in others]
            self._closed[kind] = fits.count(plans.ValidationResult.IS_POSSIBLE) == 1
        return self._closed[kind]

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
