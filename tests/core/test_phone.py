"""Phone numbers: one rule, every way to break it, nothing guessed."""

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from voiso_async.phone import PhoneFault, are_canonical, canonical, digits_of


@pytest.mark.row(166, 168)
@pytest.mark.parametrize(
    "written",
    [
        "441632960123",
        "+441632960123",
        " +44 1632 960-123 ",
        "+44 (1632) 960.123",
        "+44\u00a01632\u202f960\u2011123",
        "+44\u20131632\u2009960\u2212123",
        441632960123,
        441632960123.0,
        "441632960123\n",
    ],
)
def test_what_people_write_becomes_digits(written: object) -> None:
    assert "441632960123" == canonical(written)


@pytest.mark.row(166, 167, 168)
@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (None, PhoneFault.EMPTY),
        ("", PhoneFault.EMPTY),
        ("  ", PhoneFault.EMPTY),
        ("+", PhoneFault.EMPTY),
        ("()", PhoneFault.EMPTY),
        (True, PhoneFault.NOT_TEXT),
        ([1], PhoneFault.NOT_TEXT),
        (b"441632960123", PhoneFault.NOT_TEXT),
        (1.5, PhoneFault.NOT_TEXT),
        (float("nan"), PhoneFault.NOT_TEXT),
        (float("inf"), PhoneFault.NOT_TEXT),
        (1e300, PhoneFault.NOT_TEXT),
        (10**400, PhoneFault.TOO_LONG),
        ("123456", PhoneFault.TOO_SHORT),
        (-441632960123, PhoneFault.BAD_CHARACTER),
        ("1234567890123456", PhoneFault.TOO_LONG),
        ("4" * 5000, PhoneFault.TOO_LONG),
        ("00441632960123", PhoneFault.LEADING_ZERO),
        ("01632960123", PhoneFault.LEADING_ZERO),
        ("+44 (0) 1632 960123", PhoneFault.TRUNK_ZERO),
        ("+44 ( 0 )1632 960123", PhoneFault.TRUNK_ZERO),
        ("++441632960123", PhoneFault.PLUS_INSIDE),
        ("44+1632960123", PhoneFault.PLUS_INSIDE),
        ("1-800-FLOWERS", PhoneFault.LETTERS),
        ("n/a", PhoneFault.LETTERS),
        ("441632960123 ext. 5", PhoneFault.EXTENSION),
        ("441632960123x5", PhoneFault.EXTENSION),
        ("441632960123;ext=5", PhoneFault.EXTENSION),
        ("441632960123 #12", PhoneFault.EXTENSION),
        ("4.41E+11", PhoneFault.EXPONENT),
        ("4,41E+11", PhoneFault.EXPONENT),
        ("441632960123.0", PhoneFault.DECIMAL),
        ("441632960123,00", PhoneFault.DECIMAL),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", PhoneFault.OTHER_DIGITS),
        ("\uff14\uff14\uff11\uff16\uff13\uff12\uff19", PhoneFault.OTHER_DIGITS),
        ("44163296012\u00b2", PhoneFault.OTHER_DIGITS),
        ("\u202a441632960123\u202c", PhoneFault.HIDDEN_CHARACTER),
        ("44163296\u200b0123", PhoneFault.HIDDEN_CHARACTER),
        ("44163296\x000123", PhoneFault.HIDDEN_CHARACTER),
        ("44163296\n0123", PhoneFault.HIDDEN_CHARACTER),
        ("441632960123/441632960124", PhoneFault.SEVERAL),
        ("-441632960123", PhoneFault.BAD_CHARACTER),
        ("441632960123;", PhoneFault.BAD_CHARACTER),
        ("44163296012\ud800", PhoneFault.BAD_CHARACTER),
    ],
)
def test_what_is_no_number_says_why(written: object, fault: PhoneFault) -> None:
    assert fault is canonical(written)


def test_every_fault_has_a_hint() -> None:
    assert all(fault.hint for fault in PhoneFault)


@given(st.one_of(st.text(), st.text("0123456789+-() .eExX#"), st.integers(), st.floats(), st.none(), st.binary()))
def test_anything_is_digits_or_a_fault(written: object) -> None:
    """No other result and no exception; canonical digits are a fixed point."""
    result = canonical(written)
    if isinstance(result, PhoneFault):
        return
    assert result.isascii()
    assert result.isdigit()
    assert 7 <= len(result) <= 15
    assert result == canonical(result)


@pytest.mark.parametrize("sent_back", ["441632960123", "+441632960123", "+44 1632-960123"])
def test_numbers_in_answers_match_by_digits(sent_back: str) -> None:
    assert "441632960123" == digits_of(sent_back)


@pytest.mark.parametrize("code", ["+44", "44", "(+44)", "(44)", "0044", "+49", "+33", "+7", "+971"])
@pytest.mark.parametrize("zero", ["(0)", " (0)", " ( 0 ) ", "-(0)-", "(0) ", "[0]", "{0}"])
def test_a_trunk_zero_in_brackets_is_none_of_the_number(code: str, zero: str) -> None:
    assert PhoneFault.TRUNK_ZERO is canonical(f"{code}{zero}1632960123")


@pytest.mark.parametrize("written", ["+4401632960123", "4401632960123", "+44 0 1632 960123", "+44 (01632) 960123"])
def test_a_trunk_zero_without_brackets_is_none_of_the_number_either(written: str) -> None:
    assert PhoneFault.TRUNK_ZERO is canonical(written)
    assert not are_canonical([written, "441632960123"])


@pytest.mark.parametrize("written", ["+39 06 698 12345", "390669812345", "+39 (06) 69812345", "+225 07 01020304"])
def test_a_zero_that_belongs_to_the_number_stays(written: str) -> None:
    assert re.sub(r"\D", "", written) == canonical(written)


def test_only_plans_without_a_leading_zero_are_held_to_it() -> None:
    """The table of country codes against the numbering plans themselves."""
    checked = 0
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        examples = [phonenumbers.example_number_for_type(region, kind) for region in regions for kind in range(11)]
        for number in filter(None, examples):
            digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            if len(digits) > 7:
                assert digits[1:] == canonical(digits), code
                checked += 1
    assert checked > 1000


@pytest.mark.parametrize(
    "written",
    [
        "+44 1632 960123 (2)",
        "+44 1632 960123 2",
        "441632960123 2",
        "555-0100 - 555-0101",
        "555-0100 555-0101",
        "555-0100-555-0101",
        "5550100-5550101",
        "5550100 \u2013 5550101",
        "+441632960123 / +441632960124",
        "+441632960123, +441632960124",
        "+441632960123,441632960124",
        "+441632960123;+441632960124",
        "+441632960123 or +441632960124",
        "+441632960123\n+441632960124",
        "441632960123 441632960124",
        "+441632960123 +441632960124",
        "030 12345 030 12346",
        "+44 1632 960123-4",
        "+44 1632 960123 \u2013 4",
        "+1 202-555-0123-4",
        "202-555-0123 - 0124",
        "2025550123-4",
        "555-0100 - 0101",
        "+49 30 123456 - 123457",
        "(2) 441632960123",
        "1) 441632960123",
        "2. +441632960123",
    ],
)
def test_several_numbers_are_never_joined(written: str) -> None:
    assert PhoneFault.SEVERAL is canonical(written)


@pytest.mark.parametrize(
    "written",
    [
        *("441,632,960,126", "441.632.960.126", "441'632'960'126", "441\u2019632\u2019960\u2019126", "1,632,960"),
        *("44,16,32,96,01,26", "4,4163,2960,126", "441,632,960,126.00", "441.632.960.126,00", "+441,632,960,126"),
    ],
)
def test_an_amount_is_no_number(written: str) -> None:
    assert PhoneFault.THOUSANDS is canonical(written)


@pytest.mark.parametrize(
    "written", ["441632960123.000", "441632960123.1", "441 632 960 123.00", "441632960123.4567"]
)
def test_decimals_are_none_of_the_digits(written: str) -> None:
    assert PhoneFault.DECIMAL is canonical(written)


@pytest.mark.parametrize(
    "written",
    [
        *("26.11.2026", "26. 11. 2026", "26-11-2026", "11/26/2026", "2026-11-26", "2026/11/26", "26.11.26"),
        *("2026-11-26 10.30", "2026-11-26T1030", "26.11.2026 1030"),
    ],
)
def test_a_date_is_no_number(written: str) -> None:
    assert PhoneFault.DATE is canonical(written)


@pytest.mark.parametrize(
    "written",
    [
        *("+34.912.345.678", "555.123.4567", "+1.202.555.0123", "+49 1520 1234567", "+49 30 12345678-90"),
        *("+7 (495) 123-45-67", "(7) 495 123-45-67", "(1) 202 555 0123", "+375 29 123-45-67", "+1 800 555 - 0199"),
        *("+86 138-1234-5678", "+44 - 1632 - 960123", "+44 20 7946 0958", "22.11.20.26", "12-34-56-78"),
    ],
)
def test_groups_of_digits_are_how_people_write(written: str) -> None:
    assert re.sub(r"\D", "", written) == canonical(written)


@pytest.mark.parametrize("written", [441633000000.0, 1.20156e10, 4.42e11, 1.202555e10, 2025550000.0])
def test_a_float_that_was_rounded_is_refused(written: float) -> None:
    assert PhoneFault.ROUNDED is canonical(written)
    assert str(int(written)) == canonical(int(written)), "a whole number was never rounded"


def test_a_float_with_all_its_digits_is_a_number() -> None:
    assert "441632960000" == canonical(441632960000.0)


@given(
    st.integers(10**9, 10**12 - 1),
    st.sampled_from(["-", " - ", ", ", "/", " or ", "\n"]),
    st.integers(10**9, 10**10),
)
def test_two_numbers_are_never_merged(one: int, between: str, other: int) -> None:
    assert isinstance(canonical(f"+{one}{between}{other}"), PhoneFault)


@given(st.sampled_from(["+44", "44", "(44)", "0049", "+39"]), st.text("0123456789 -", min_size=6, max_size=11))
def test_no_zero_in_brackets_is_ever_dialled(code: str, rest: str) -> None:
    assert isinstance(canonical(f"{code} (0){rest}"), PhoneFault)


@given(st.text("0123456789+-() ./,'", max_size=40))
@example("+44 1632 (960) 001")
@example("+44 (0)1632")
def test_no_digit_is_lost_or_moved(written: str) -> None:
    result = canonical(written)
    assert isinstance(result, PhoneFault) or re.sub(r"\D", "", written) == result
