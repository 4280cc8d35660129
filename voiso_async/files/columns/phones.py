"""The phone number in a cell of a file: what spreadsheets did to it is named, and nothing is guessed."""

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from attrs import frozen

from voiso_async.errors import ConfigurationError
from voiso_async.files.columns.cells import BadCell, Cell, is_error
from voiso_async.phone import (
    LONGEST,
    LONGEST_NATIONAL,
    SHORTEST,
    PhoneFault,
    canonical,
    has_country_code,
    is_round,
    is_zero_in_brackets,
)

# exports write a number so to keep a spreadsheet from reading it: exact
_QUOTED = re.compile(r'="(\+?[0-9][0-9 ().\-\u00a0]*)"')
_DAMAGE_NOTE = re.compile(r".*\((date|rounded)\)", re.DOTALL)  # what ``marked`` writes
# links, and the exports of advertising platforms: exact
_SCHEME = re.compile(r"(?:tel|phone|callto|p):\s*(?://)?(.*)", re.IGNORECASE | re.DOTALL)
_WHOLE = re.compile(r"([0-9]{7,15})\.0")  # how data frames write a whole number: exact
_NUMBERLIKE = {
    PhoneFault.LEADING_ZERO,
    PhoneFault.EXPONENT,
    PhoneFault.DECIMAL,
    PhoneFault.TRUNK_ZERO,
    PhoneFault.ROUNDED,
}
_NATIONAL = {PhoneFault.LEADING_ZERO, PhoneFault.TOO_SHORT, PhoneFault.TRUNK_ZERO}
"""What a plan may read all the same: only its region tells whether the first digits are a country code."""

_REASONS = {PhoneFault.EXPONENT: "scientific_notation"}


LONG_NUMBER = 11
"""So many digits may be a complete number in a plan whose national numbers have no fixed length."""
_NOT_DIGITS = re.compile("[^0-9]+")


class NumberingError(Exception):
    """A number that a plan does not have, or that can be read in two ways; ``reason`` is the code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NumberingPlan:
    """The numbering plan of one region, such as ``GB``: what stands without ``+`` is read as dialled there."""

    def __init__(self, region: str) -> None:
        self.region: str = region.strip().upper() if isinstance(region, str) else ""
        self._library = _load_phonenumbers()
        if self.region not in self._library.SUPPORTED_REGIONS:
            raise ConfigurationError("the region must be a code of two letters, such as GB, US or DE")
        self._fixed_length: dict[tuple[int, int], bool] = {}
        self._code = str(self._library.country_code_for_region(self.region))

    def to_international(self, text: str) -> str:
        """Give the canonical digits of a number without ``+``.

        Takes some 150 microseconds a number. ``NumberingError`` if the plan has no such number, or if the digits
        begin with a country code and the plan has such a national number too: the code of this region, or 11 and
        more digits that are a valid number elsewhere, unless all national numbers of their kind have one length.
        The same goes for 00 where it is not what is dialled before a country code.
        """
        digits = _NOT_DIGITS.sub("", text)
        zeros = digits.startswith("00")
        own = digits.startswith(self._code)
        long = len(digits) >= LONG_NUMBER
        if ((own and long) or zeros) and canonical(f"+{digits.lstrip('0')}") is PhoneFault.TRUNK_ZERO:
            raise NumberingError("trunk_zero")
        national = self._parse(text)
        complete = self._parse(f"+{digits[2:] if zeros else digits}") if own or long or zeros else None
        if national is None and own:
            national = complete
        if national is None:
            raise NumberingError("not_in_numbering_plan")
        if zeros and complete != national:
            raise NumberingError("unclear_country_code")
        fixed = national == self._code + digits and not own and self.has_fixed_length(national)
        if complete not in {None, national} and not fixed:
            raise NumberingError("unclear_country_code")
        return national

    def has_fixed_length(self, phone: str) -> bool:
        """Tell whether all national numbers of the kind of this one have one length, as in North America.

        Those of services, such as freephone numbers, are not for calling people: they make nothing certain.
        """
        plans = self._library
        people = plans.PhoneNumberType
        number = plans.parse(f"+{phone}")
        kind = number.country_code, plans.number_type(number)
        if kind[1] not in {people.FIXED_LINE, people.MOBILE, people.FIXED_LINE_OR_MOBILE}:
            return False
        if kind not in self._fixed_length:
            others = (
                plans.PhoneNumber(country_code=kind[0], national_number=10 ** (length - 1))
                for length in range(SHORTEST - 2, LONGEST + 1)
            )
            fits = [plans.is_possible_number_for_type_with_reason(other, kind[1]) for other in others]
            self._fixed_length[kind] = fits.count(plans.ValidationResult.IS_POSSIBLE) == 1
        return self._fixed_length[kind]

    def _parse(self, text: str) -> str | None:
        plans = self._library
        try:
            number = plans.parse(text, self.region)
        except plans.NumberParseException:
            return None
        if number.extension or not plans.is_valid_number(number):
            return None
        return str(plans.format_number(number, plans.PhoneNumberFormat.E164)).removeprefix("+")


def _load_phonenumbers() -> Any:
    """Import the plans only for those who ask for them: they take a while, and an extra."""
    try:
        return import_module("phonenumbers")
    except ModuleNotFoundError:
        pass
    raise ConfigurationError("reading national numbers by their region needs: pip install 'voiso-async[phone]'")


@frozen(kw_only=True)
class PhoneRule:
    """How numbers without ``+`` are read: refused if short, as ``international``, or by a region's plan."""

    international: bool = False
    plan: NumberingPlan | None = None

    @classmethod
    def of(cls, region: str | None, *, international: bool) -> "PhoneRule":
        """Load the numbering plan of a region; that takes a while."""
        check_region(region, international=international)
        return cls(international=international, plan=None if region is None else NumberingPlan(region))

    def read(self, value: Any) -> str | BadCell:
        """Give the canonical digits of what stands in a cell, or why there are none."""
        if isinstance(value, str):
            if value[:1] == "+" and type(value) is str and isinstance(phone := canonical(value), str):
                return phone
            value = _unwrap(value)
            if isinstance(value, BadCell):
                return value
        phone = canonical(value)
        text = str(value) if isinstance(value, str | int) else ""
        if self.plan and "+" not in text:
            return self._by_plan(self.plan, text or str(phone), phone)
        if isinstance(phone, PhoneFault):
            lone_zero = phone is PhoneFault.LEADING_ZERO and text[:2] != "00" and not self.international
            return BadCell.of("national_without_region") if lone_zero and text[:1] == "0" else _bad_cell(phone)
        if len(phone) <= LONGEST_NATIONAL and not self.international and "+" not in text:
            return BadCell.of("national_without_region")
        return phone

    def is_complete(self, cell: str) -> bool:
        """Tell whether a cell is a complete number, and no id or amount that looks like one."""
        phone = self.read(cell)
        if not isinstance(phone, str):
            return False
        if self.plan is None:
            return "+" in cell or has_country_code(phone)
        return "+" in cell or cell.strip()[:1] in {"0", "("} or self.plan.has_fixed_length(phone)

    def _by_plan(self, plan: NumberingPlan, text: str, phone: str | PhoneFault) -> str | BadCell:
        if isinstance(phone, PhoneFault) and (phone not in _NATIONAL or is_zero_in_brackets(text)):
            return _bad_cell(phone)
        try:
            return plan.to_international(text)
        except NumberingError as error:
            return BadCell.of(error.reason)


def check_region(region: str | None, *, international: bool) -> None:
    """Refuse options that contradict each other."""
    if region is not None and international:
        raise ConfigurationError(
            "give a region or international: numbers without + cannot be national and complete"
        )


def any_phone(first: Sequence[str]) -> bool:
    """Tell whether a first row may be a lead, and no header."""
    return any(map(looks_like_phone, first))


def looks_like_phone(text: str) -> bool:
    """Tell whether a cell of the first row is a number to call, and so no column's name."""
    bare = _unwrap(text)
    phone = bare if isinstance(bare, BadCell) else canonical(bare)
    return isinstance(phone, str) or phone in _NUMBERLIKE


def _unwrap(value: str) -> str | BadCell:
    """Take off what exports wrap around a number and what is exact; name what is damaged."""
    if isinstance(value, Cell) and value.damage:
        return BadCell.of(value.damage)
    text: str = str(value).strip()
    if text.isdigit():
        return text
    if exact := _QUOTED.fullmatch(text) or _SCHEME.fullmatch(text):
        text = exact[1].strip()
    if whole := _WHOLE.fullmatch(text):
        return BadCell.of("rounded") if is_round(whole[1]) else whole[1]
    damage = _find_damage(text)
    return BadCell.of(damage) if damage else text


def _find_damage(text: str) -> str | None:
    """Name what a spreadsheet did to a text, if it did."""
    if text[:1] == "=":
        return "formula"
    if is_error(text):
        return "spreadsheet_error"
    marked = _DAMAGE_NOTE.fullmatch(text)
    return marked[1] if marked else None


def _bad_cell(fault: PhoneFault) -> BadCell:
    return BadCell(_REASONS.get(fault, fault.value), fault.hint)
