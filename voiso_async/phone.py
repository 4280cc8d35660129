"""A phone number as people write it, made canonical: digits with the country code, or the reason why not.

Canonical is what the API takes (contract 12.14): 7 to 15 ASCII digits, the first from 1 to 9, no ``+``.
One leading ``+`` and the usual separators are dropped; nothing is ever guessed or repaired, because a wrong
guess calls a stranger.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import Any

__all__ = ["PhoneFault", "are_canonical", "canonical", "digits_of"]

CANONICAL = re.compile(r"[1-9][0-9]{6,14}")
_CANONICALS = re.compile(r"(?:[1-9][0-9]{6,14}\n)*")
SHORTEST, LONGEST = 7, 15
LONGEST_TEXT = 64

SEPARATORS = " -.()\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_DROP_SEPARATORS = str.maketrans("", "", SEPARATORS)
_EXPONENT = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+")
_DECIMAL = re.compile(r"\+?[0-9]{7,}[.,][0-9]{1,2}")
_EXTENSION = re.compile(r".*[0-9)]\s*(;?ext|extn|extension|x|#|,+)[\s.:=]*[0-9]+", re.IGNORECASE | re.DOTALL)
_TRUNK_ZERO = re.compile(r"\+.*\(\s*0\s*\).*", re.DOTALL)
_NOT_DIGITS = re.compile(r"[^0-9]+")


class PhoneFault(Enum):
    """Why a text is not a phone number: ``value`` is the reason code, ``hint`` what to do about it."""

    EMPTY = "empty"
    NOT_TEXT = "not_text"
    LETTERS = "letters"
    EXTENSION = "extension"
    EXPONENT = "exponent"
    DECIMAL = "decimal"
    TRUNK_ZERO = "trunk_zero"
    PLUS_INSIDE = "plus_inside"
    OTHER_DIGITS = "other_digits"
    HIDDEN_CHARACTER = "hidden_character"
    BAD_CHARACTER = "bad_character"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LEADING_ZERO = "leading_zero"

    @property
    def hint(self) -> str:
        """One sentence for the person who can mend the number."""
        return _HINTS[self]


_HINTS = {
    PhoneFault.EMPTY: "there is no phone number",
    PhoneFault.NOT_TEXT: "give the phone number as text or as a whole number",
    PhoneFault.LETTERS: "letters stand in the phone number",
    PhoneFault.EXTENSION: "leave out the extension: a campaign dials the number alone",
    PhoneFault.EXPONENT: "a spreadsheet shortened the number and its digits are gone: export the column as text",
    PhoneFault.DECIMAL: "a spreadsheet made a decimal of the number: export the column as text",
    PhoneFault.TRUNK_ZERO: "leave out the (0): it is not dialled with a country code",
    PhoneFault.PLUS_INSIDE: "a + may stand only at the beginning",
    PhoneFault.OTHER_DIGITS: "write the digits as 0 to 9",
    PhoneFault.HIDDEN_CHARACTER: "invisible characters stand in the number: type it anew",
    PhoneFault.BAD_CHARACTER: "only digits, one leading + and the separators space - . ( ) may be used",
    PhoneFault.TOO_SHORT: f"a number has at least {SHORTEST} digits, country code included",
    PhoneFault.TOO_LONG: f"a number has at most {LONGEST} digits",
    PhoneFault.LEADING_ZERO: "begin with the country code, without 00 or 0",
}


def canonical(value: Any) -> str | PhoneFault:
    """Give the canonical digits of a phone number, or why it is none.

    Text and whole numbers are read; so is a float that is a whole number (spreadsheets make them).

    >>> canonical("+44 1632 960-123")
    '441632960123'
    """
    if type(value) is str:
        if value[:1] == "+":
            if CANONICAL.fullmatch(value, 1):
                return value[1:]
        elif CANONICAL.fullmatch(value):
            return value
    return _from_text(_as_text(value))


def are_canonical(values: Sequence[Any]) -> bool:
    """Whether all of these are texts in the canonical form: many are judged as fast as a few."""
    try:
        lines = "\n".join([*values, ""])
    except TypeError:
        return False
    return _CANONICALS.fullmatch(lines) is not None and lines.count("\n") == len(values)


def digits_of(value: Any) -> str:
    """Give the ASCII digits of a number that a server sent back, for matching (contract 12.3)."""
    return value if CANONICAL.fullmatch(value) else _NOT_DIGITS.sub("", value)


def _as_text(value: Any) -> str | PhoneFault:
    if value is None:
        return PhoneFault.EMPTY
    if isinstance(value, str):
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if type(value) is int:
        return str(value) if abs(value) < 10**LONGEST_TEXT else PhoneFault.TOO_LONG  # huge ints cost much
    return PhoneFault.NOT_TEXT


def _from_text(text: str | PhoneFault) -> str | PhoneFault:
    if isinstance(text, PhoneFault):
        return text
    text = text.strip(" \t\r\n" + SEPARATORS[5:])
    if not text:
        return PhoneFault.EMPTY
    if len(text) > LONGEST_TEXT:
        return PhoneFault.TOO_LONG
    fault = _damage(text)
    return fault or _bare(text.translate(_DROP_SEPARATORS))


def _damage(text: str) -> PhoneFault | None:
    """Find what dropping the separators would hide."""
    if text[0] in "-.":
        return PhoneFault.BAD_CHARACTER
    if _EXPONENT.fullmatch(text):
        return PhoneFault.EXPONENT
    if _DECIMAL.fullmatch(text):
        return PhoneFault.DECIMAL
    if _TRUNK_ZERO.fullmatch(text):
        return PhoneFault.TRUNK_ZERO
    if _EXTENSION.fullmatch(text):
        return PhoneFault.EXTENSION
    return None


def _bare(text: str) -> str | PhoneFault:
    digits = text.removeprefix("+")
    if not digits:
        return PhoneFault.EMPTY
    if not (digits.isascii() and digits.isdigit()):
        return _stranger(digits)
    if len(digits) < SHORTEST:
        return PhoneFault.TOO_SHORT
    if digits[0] == "0":
        return PhoneFault.LEADING_ZERO
    return digits if len(digits) <= LONGEST else PhoneFault.TOO_LONG


def _stranger(text: str) -> PhoneFault:
    """Name the worst character that is no ASCII digit: hidden ones first, they cannot be seen."""
    kinds = {unicodedata.category(char) for char in text if not ("0" <= char <= "9")}
    if kinds & {"Cc", "Cf", "Zl", "Zp", "Mn", "Me"}:
        return PhoneFault.HIDDEN_CHARACTER
    if any(kind.startswith("L") for kind in kinds):
        return PhoneFault.LETTERS
    if kinds & {"Nd", "No", "Nl"}:
        return PhoneFault.OTHER_DIGITS
    return PhoneFault.PLUS_INSIDE if "+" in text else PhoneFault.BAD_CHARACTER
