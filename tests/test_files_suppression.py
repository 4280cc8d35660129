"""Numbers that must not be called."""

import json
import tracemalloc
from pathlib import Path
from typing import Any, cast

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import leads_in, reasons_in, rows_in

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import Suppression, open_leads
from voiso_async.ingest.intake import prepare
from voiso_async.ingest.outcome import IngestReport, LeadOutcome, Outcome
from voiso_async.ingest.row import Operation
from voiso_async.phone import canonical

LISTED, OTHER = "441632960001", "441632960002"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("dnc.txt", ["441632960001"]),
        ("dnc.txt", ["+44 1632 960-001", "", "12015550123"]),
        ("dnc.csv", ["since;phone", "2024-05-17;441632960001"]),
        ("dnc.jsonl", ['{"phone": 441632960001}', '"12015550123"']),
    ],
)
async def test_a_listed_number_is_never_sent(tmp_path: Path, name: str, lines: list[str]) -> None:
    leads = written(tmp_path / "leads.csv", "phone,id", f"+{LISTED},k1", f"{OTHER},k2")
    dnc = written(tmp_path / name, *lines)
    first, second = await leads_in(leads, suppress=dnc)
    assert ("phone_number", "suppressed") == first
    assert {"phone_number": OTHER, "key": "k2"} == second
    assert [first, second] == await leads_in(leads, suppress=[dnc, written(tmp_path / "more.txt", "12015550199")])
    assert [first, second] == await leads_in(leads, suppress=await Suppression.load(dnc))
    assert [first, second] == await leads_in(leads, suppress=Suppression([LISTED]))


async def test_a_column_of_another_name(tmp_path: Path) -> None:
    dnc = written(tmp_path / "dnc.csv", "who,what", f"{LISTED},x")
    with pytest.raises(InputFileError, match="no column holds the phone number"):
        await Suppression.load(dnc)
    assert LISTED in await Suppression.load(dnc, column="who")
    with pytest.raises(InputFileError, match="no one column is named 'where'"):
        await Suppression.load(dnc, column="where")


async def test_a_list_is_read_by_the_rule_of_the_leads(tmp_path: Path) -> None:
    """A number without its country code would match nobody, in silence."""
    dnc = written(tmp_path / "dnc.txt", "2015550123")
    leads = written(tmp_path / "leads.csv", "phone", "(201) 555-0123", "+12015550124")
    with pytest.raises(InputFileError, match=r"dnc\.txt: 1 of its 1 rows hold no phone number") as caught:
        await open_leads(leads, suppress=dnc)
    assert "not_a_phone_list" == caught.value.reason
    assert ["suppressed", None] == await reasons_in(leads, suppress=dnc, region="US")
    assert 2015550123 in await Suppression.load(dnc, international=True)


async def test_a_few_lines_may_be_no_numbers(tmp_path: Path) -> None:
    lines = [f"4416329600{n:02}" for n in range(97)]
    assert 97 == len(await Suppression.load(written(tmp_path / "dnc.txt", *lines)))
    few = await Suppression.load(written(tmp_path / "dnc.txt", *lines, "remark", "0163", "x"))
    assert (97, 3) == (len(few), few.refused)
    with pytest.raises(InputFileError, match="4 of its 101 rows"):
        await Suppression.load(written(tmp_path / "dnc.txt", *lines, "remark", "0163", "x", "y"))


async def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    leads = written(tmp_path / "leads.csv", "phone", LISTED)
    with pytest.raises(InputFileError, match=r"nowhere\.txt: it cannot be read"):
        await open_leads(leads, suppress=tmp_path / "nowhere.txt")
    with pytest.raises(InputFileError, match=r"empty\.txt: it is empty"):
        await open_leads(leads, suppress=written(tmp_path / "empty.txt"))
    with pytest.raises(ConfigurationError, match="the region"):
        await Suppression.load(leads, region="??")


async def test_the_lists_are_named_in_the_options_and_read_again(tmp_path: Path) -> None:
    leads = written(tmp_path / "leads.csv", "phone", LISTED)
    dnc = written(tmp_path / "dnc.txt", LISTED)
    async with await open_leads(leads, suppress=dnc) as file:
        assert [str(dnc)] == file.options["suppress"]
        print_before = await file.fingerprint()
    assert ["suppressed"] == await reasons_in(leads, **file.options)
    written(dnc, LISTED, OTHER)
    async with await open_leads(leads, **file.options) as again:
        assert print_before == await again.fingerprint()


def test_what_is_on_a_list() -> None:
    listed = Suppression([LISTED, int(OTHER), OTHER, "none"])
    assert (2, 1) == (len(listed), listed.refused)
    assert LISTED in listed
    assert int(OTHER) in listed
    for stranger in ("441632960003", 441632960003, "", "x", -1, None, 1.5, f"+{LISTED}"):
        assert stranger not in listed


NUMBERS = st.integers(10**6, 10**15 - 1).filter(lambda number: isinstance(canonical(number), str))


@given(st.sets(NUMBERS), st.lists(NUMBERS))
def test_a_list_is_a_set(listed: set[int], asked: list[int]) -> None:
    suppression = Suppression(listed)
    assert len(listed) == len(suppression)
    assert all(phone in suppression for phone in listed)
    assert [phone in listed for phone in asked] == [phone in suppression for phone in asked]


def test_two_million_numbers_would_take_twenty_megabytes() -> None:
    tracemalloc.start()
    listed = Suppression(range(441_000_000_000, 441_000_100_000))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 100_000 == len(listed)
    assert kept < 1_000_000
    assert peak < 2_500_000


async def outcomes_in(path: Path, **options: Any) -> list[LeadOutcome | None]:
    """How each row of a file ends that is not sent."""
    rows = prepare(await rows_in(path, **options), 0, Operation.ADD, cast("Any", None))
    return [row if isinstance(row, LeadOutcome) else None for row in rows]


@pytest.mark.parametrize(
    "row",
    [
        f"+{LISTED},,,,",
        f"{LISTED},none,,,",  # priority
        f"{LISTED},,perhaps,,",  # active
        f"{LISTED},,,#N/A,",  # name
        f"{LISTED},,,,list",  # campaign
        f"+44 (0){LISTED[2:]},,,,",  # what would have to be corrected is no reason to call
        f"+{LISTED} ext 5,,,,",
        f"+440{LISTED[2:]},,,,",
        f"={LISTED},,,,",
    ],
)
async def test_who_must_not_be_called_is_suppressed_whatever_else_is_wrong(tmp_path: Path, row: str) -> None:
    path = written(tmp_path / "leads.csv", "phone,priority,active,name,list", row)
    (found,) = await outcomes_in(path, suppress=Suppression([LISTED]), campaign_column="list")
    assert found is not None
    assert (Outcome.SUPPRESSED, "suppressed") == (found.outcome, found.reason)
    (found,) = await outcomes_in(path, suppress=Suppression([OTHER]), campaign_column="list")
    assert found is not None
    assert Outcome.INVALID is found.outcome


MARKS = ["suppressed", "SUPPRESSED", " Suppressed ", "\u00a0suppressed\u200b", "'suppressed"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("title", ["voiso_outcome", "voiso_reason", "Voiso Outcome", "outcome", "reason"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
async def test_a_row_that_was_suppressed_before_is_suppressed_again(
    tmp_path: Path, form: str, title: str, mark: str
) -> None:
    path = tmp_path / f"rejects.{form}"
    table = [["phone", title], [f"+{LISTED}", mark], ["12", mark], [OTHER, "letters"], [f"+{LISTED}", ""]]
    if form == "csv":
        written(path, *(",".join(row) for row in table))
    elif form == "jsonl":
        lines = [{"phone": phone, title: said} for phone, said in table[1:]]
        written(path, *map(json.dumps, [*lines, {title: mark}]))
    else:
        made = openpyxl.Workbook()
        for row in table:
            made.active.append(row)
        made.save(path)
    found = [None if row is None else row.outcome for row in await outcomes_in(path)]
    held = Outcome.SUPPRESSED
    assert [held, held, None, held, *([held] if form == "jsonl" else [])] == found


def test_the_outcome_needs_no_further_thought() -> None:
    counts = dict.fromkeys(Outcome, 0) | {Outcome.CREATED: 1, Outcome.SUPPRESSED: 2}
    report = IngestReport(rows=3, counts=counts, reasons={})
    report.raise_unless_ok()
    assert "created 1 · suppressed 2" == str(report)
