"""A phone number as people write it, made canonical: digits with the country code, or the reason why not.

Canonical is what the API takes: 7 to 15 ASCII digits, the first from 1 to 9, no ``+``.
One leading ``+`` and the usual separators are dropped; nothing is ever guessed or repaired, because a wrong
guess calls a stranger.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from typing import Any

# Country codes of plans in which no number begins with 0: such a 0 is the trunk prefix, which is not dialled from
# abroad. In the other plans (Italy's 39, Ivory Coast's 225, …) a 0 may belong to the number.
_NO_ZERO = (
    r"(?:1|7|2(?:[07]|1[1268]|2[0-48]|3[0-9]|4[034-689]|5[1-8]|6[0-69]|9[01789])|3(?:[0-46]|5[0-9]|7[0-7]|8[0-35-79])"
    r"|4(?:[013-689]|2[013])|5(?:[1-8]|0[02-689]|9[0-79])|6(?:[013-6]|7[02-578]|8[0-35689]|9[0-2])"
    r"|8(?:[46]|5[0256]|8[06])|9(?:[0-58]|6[0-8]|7[0-35-7]|9[3-68]))"
)
_TRUNK_ZERO = _NO_ZERO + "0"
_COUNTRY = re.compile(
    rf"1[2-9][0-9]{{2}}[2-9][0-9]{{6}}|(?!1){_NO_ZERO}[1-9][0-9]*"
    r"|(?:39|47|62|8[12]|2(?:2[5679]|4[127]|50|6[78])|378|50[17]|598|67[69]|687|853|974|992)[0-9]*"
)
# Without + a short number may be a national one, in which these digits are no country code.
_DIGITS = rf"(?!(?=[0-9]{{11}}){_TRUNK_ZERO})[1-9][0-9]{{6,14}}"
CANONICAL = re.compile(_DIGITS)
_AFTER_PLUS = re.compile(rf"(?!{_TRUNK_ZERO})[1-9][0-9]{{6,14}}")
_CANONICALS = re.compile(rf"(?:{_DIGITS}\n)*")
SHORTEST, LONGEST = 7, 15
LONGEST_NATIONAL = 10
"""A number without ``+`` and with no more digits than this may well lack its country code."""
LONGEST_TEXT = 64
SCIENTIFIC_DIGITS = 7
"""Digits that programs keep at most where they write a number with an exponent, unless they are told otherwise."""
_ROUND = re.compile(rf"[0-9]{{1,{SCIENTIFIC_DIGITS}}}0000|[0-9]+00000")

SEPARATORS = " -.()\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_DROP_SEPARATORS = str.maketrans("", "", SEPARATORS)
_BLANKS_AND_DASHES = re.compile(r"[\s\u2010-\u2015\u2212]+")
# The usual separators, and too few digits for two numbers, or for one with more behind a dash.
_PLAIN = re.compile(
    r"\+?(?:(?:[0-9][ -]?){1,10}|(?:[0-9] ?){1,13}"
    r"|(?:1[ -]?)?(?:[0-9]{3}[ -]|\([2-9][0-9]{2}\) ?)[0-9]{3}[ -][0-9]{4})"
)
# A number that is complete, and one more digit behind a blank: a count or a note, not to be dialled with it.
_STRAY_DIGIT = re.compile(r"(?:[^0-9]*[0-9]){11,}\s+[0-9]")
_EXPONENT = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+")
_DECIMAL = re.compile(
    r"\+?(?:[0-9]{7,}[.,](?:[0-9]{1,2}|0+)|[0-9]{9,}[.,][0-9]{1,6}"
    r"|[0-9][0-9 \u00a0\u2009\u202f]{5,}[0-9][.,][0-9]{1,2})"
)
_THOUSANDS = re.compile(
    r"\+?[0-9]{1,4}(?:[,'\u2019\u02bc\u00b4`][0-9]{2,5}){2,}(?:\.[0-9]*)?|[0-9]{1,3}(?:\.[0-9]{3}){2,}(?:,[0-9]*)?"
    r"|\+?[0-9]{1,3}(?:\.[0-9]{3}){2,},[0-9]*"
)
_DAY, _MONTH = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"[0-9]{{4}}([-./]){_MONTH}\1{_DAY}(?:[ T].*)?"
    rf"|(?:{_DAY}([-./]) ?{_MONTH}\2|{_MONTH}([-./]) ?{_DAY}\3) ?"
    r"(?:[0-9]{4}(?:[ ,].*)?|[0-9]{2}(?:[ ,].*:.*)?)",
    re.DOTALL,
)
_EXTENSION = re.compile(
    r".*[0-9)]\s*(?:;?ext|extn|extension|x|#)[\s.:=]*[0-9]+|(?:[^0-9,]*[0-9]){7}[^,]*,+\s*[0-9]{1,6}",
    re.IGNORECASE | re.DOTALL,
)
_ZERO_IN_BRACKETS = re.compile(r".*[0-9].*?[(\[{<\uff08]\s*0\s*[)\]}>\uff09].*", re.DOTALL)
_NOTE_IN_BRACKETS = re.compile(r".*[0-9].*\([^()]*[0-9][^()]*\)", re.DOTALL)
# "1)", "2." and "(3)" count the numbers of a cell; (1) and (7) before ten digits are country codes.
_COUNTED = re.compile(r"(?!\([17]\)(?:[^0-9]*[0-9]){10}[^0-9]*$)(?:[0-9]{1,2}(?:\)|\.\s)|\([1-9]\)).*", re.DOTALL)
_BEHIND_DASH = re.compile(r"(.*[0-9)])(\s*)[-\u2010-\u2015\u2212](\s*)([0-9]+)", re.DOTALL)
# A number of North America, whole or without its area code, and digits behind it that are none of it.
_LOCAL_AND_MORE = re.compile(
    r"\(?[2-9][0-9]{2}[). -]*[2-9][0-9]{2}[. -]?[0-9]{4}\s*[-\u2010-\u2015\u2212]\s*[0-9]{1,4}"
    r"|[0-9]{3}[. -]?[0-9]{4}\s+[-\u2010-\u2015\u2212]\s+[0-9]{1,4}"
)
LONGEST_BEHIND_DASH = 4
_DIRECT_DIAL = ("43", "49")
"""Country codes of plans in which what stands behind the last dash belongs to the number."""
_JOINED = re.compile(r"[/;,|&\r\n]|\b(?:or|and|oder|und|ou|et|o|y|e)\b", re.IGNORECASE)
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
    SEVERAL = "several_numbers"
    THOUSANDS = "thousands_separators"
    ROUNDED = "rounded"
    DATE = "date"
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
    PhoneFault.TRUNK_ZERO: "a 0 stands after the country code: write the number as it is dialled from abroad",
    PhoneFault.SEVERAL: "it may be several numbers: write one, with nothing beside it",
    PhoneFault.THOUSANDS: "it is written as an amount, with thousands separators: format the column as text",
    PhoneFault.ROUNDED: "a spreadsheet may have rounded the number: check its last digits and write it as text",
    PhoneFault.DATE: "it is a date: a spreadsheet made it one, or it stands in the wrong column; write it as text",
    PhoneFault.PLUS_INSIDE: "a + may stand only at the beginning",
    PhoneFault.OTHER_DIGITS: "write the digits as 0 to 9",
    PhoneFault.HIDDEN_CHARACTER: "invisible characters stand in the number: type it again",
    PhoneFault.BAD_CHARACTER: "only digits, one leading + and the separators space - . ( ) may be used",
    PhoneFault.TOO_SHORT: f"a number has at least {SHORTEST} digits, country code included",
    PhoneFault.TOO_LONG: f"a number has at most {LONGEST} digits",
    PhoneFault.LEADING_ZERO: "begin with the country code, without 00 or 0",
}


def canonical(value: Any) -> str | PhoneFault:
    """Give the canonical digits of a phone number, or why it is none.

    Text and whole numbers are read; so is a float that is a whole number (spreadsheets make them), unless zeros at
    its end say that it was rounded.

    >>> canonical("+44 1632 960-123")
    '441632960123'
    """
    if type(value) is str:
        if value[:1] == "+":
            if _AFTER_PLUS.fullmatch(value, 1):
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
    """Give the ASCII digits of a number that a server sent back, for matching."""
    return value if CANONICAL.fullmatch(value) else _NOT_DIGITS.sub("", value)


def _as_text(value: Any) -> str | PhoneFault:
    if value is None:
        return PhoneFault.EMPTY
    if isinstance(value, str):
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        value = int(value)
        if is_round(str(value)):
            return PhoneFault.ROUNDED
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


def is_round(digits: str) -> bool:
    """Tell whether a number that a spreadsheet or a float held has lost its last digits."""
    return len(digits) >= SHORTEST and _ROUND.fullmatch(digits) is not None


def has_country_code(digits: str) -> bool:
    """Tell whether canonical digits begin with a country code that exists."""
    return _COUNTRY.fullmatch(digits) is not None


def is_zero_in_brackets(text: str) -> bool:
    """Tell whether a trunk zero stands in brackets behind other digits, as in ``44 (0)1632``."""
    return _ZERO_IN_BRACKETS.fullmatch(text) is not None


def _damage(text: str) -> PhoneFault | None:
    """Find what dropping the separators would hide."""
    if text[-2:-1].isspace() and _STRAY_DIGIT.fullmatch(text):
        return PhoneFault.SEVERAL
    if _PLAIN.fullmatch(text):
        return PhoneFault.DATE if "-" in text and _DATE.fullmatch(text) else None
    if text[0] in "-.":
        return PhoneFault.BAD_CHARACTER
    for pattern, fault in _DAMAGES:
        if pattern.fullmatch(text):
            return fault
    if _are_several(text) or _goes_on_behind_dash(text):
        return PhoneFault.SEVERAL
    return PhoneFault.EXTENSION if _EXTENSION.fullmatch(text) else None


_DAMAGES = (
    (_DATE, PhoneFault.DATE),
    (_EXPONENT, PhoneFault.EXPONENT),
    (_DECIMAL, PhoneFault.DECIMAL),
    (_THOUSANDS, PhoneFault.THOUSANDS),
    (_ZERO_IN_BRACKETS, PhoneFault.TRUNK_ZERO),
    (_NOTE_IN_BRACKETS, PhoneFault.SEVERAL),
    (_COUNTED, PhoneFault.SEVERAL),
    (_LOCAL_AND_MORE, PhoneFault.SEVERAL),
)


def _are_several(text: str) -> bool:
    """Tell whether two parts of a text could each be a number, or one could be joined from two."""
    whole = _NOT_DIGITS.sub("", text).lstrip("0")
    if len(whole) < 2 * SHORTEST:
        return False
    if any(sum(map(_is_long, split)) > 1 for split in (_JOINED.split(text), text.split("+"))):
        return True
    if len(whole) > LONGEST and sum(map(_is_long, _BLANKS_AND_DASHES.split(text))) > 1:
        return True
    # With a country code or a trunk zero so many digits may be one number, unless another trunk zero follows.
    one = text.lstrip("(")[:1] in {"+", "0"}
    parts = _NOT_DIGITS.split(text)
    before, count = 0, sum(map(len, parts))
    for part, following in pairwise(parts):  # a separator with a whole number on each side
        before += len(part)
        if SHORTEST <= before <= count - SHORTEST and (not one or following[:1] == "0"):
            return True
    return False


def _goes_on_behind_dash(text: str) -> bool:
    """Tell whether a number that is complete has a dash behind it and more digits, as in ``+44 1632 960123-4``."""
    found = _BEHIND_DASH.fullmatch(text)
    if found is None:
        return False
    before, blank, also_blank, behind = found.groups()
    digits = _NOT_DIGITS.sub("", before).lstrip("0")
    if blank and also_blank:
        return len(digits) > LONGEST_NATIONAL - 1
    return len(digits) > LONGEST_NATIONAL and len(behind) <= LONGEST_BEHIND_DASH and digits[:2] not in _DIRECT_DIAL


def _is_long(text: str) -> bool:
    return len(_NOT_DIGITS.sub("", text)) >= SHORTEST


def _bare(text: str) -> str | PhoneFault:
    digits = text.removeprefix("+")
    if not digits:
        return PhoneFault.EMPTY
    if not (digits.isascii() and digits.isdigit()):
        return _unknown(digits)
    if len(digits) < SHORTEST:
        return PhoneFault.TOO_SHORT
    if digits[0] == "0":
        return PhoneFault.LEADING_ZERO
    if len(digits) > LONGEST:
        return PhoneFault.TOO_LONG
    pattern = CANONICAL if digits is text else _AFTER_PLUS
    return digits if pattern.fullmatch(digits) else PhoneFault.TRUNK_ZERO


def _unknown(text: str) -> PhoneFault:
    """Name the worst character that is no ASCII digit: hidden ones first, they cannot be seen."""
    kinds = {unicodedata.category(char) for char in text if not ("0" <= char <= "9")}
    if kinds & {"Cc", "Cf", "Zl", "Zp", "Mn", "Me"}:
        return PhoneFault.HIDDEN_CHARACTER
    if any(kind.startswith("L") for kind in kinds):
        return PhoneFault.LETTERS
    if kinds & {"Nd", "No", "Nl"}:
        return PhoneFault.OTHER_DIGITS
    return PhoneFault.PLUS_INSIDE if "+" in text else PhoneFault.BAD_CHARACTER
