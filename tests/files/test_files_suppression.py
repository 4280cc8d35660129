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
from voiso_async.files.columns.phones import PhoneRule
from voiso_async.files.number_list import NumberList
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.prepare import prepare
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation
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
    with pytest.raises(InputFileError, match=r"dnc\.txt: 1 of its 1 row is not understood") as caught:
        await open_leads(leads, suppress=dnc).open()
    assert ("list_not_understood", 1) == (caught.value.reason, caught.value.row)
    assert ["suppressed", None] == await reasons_in(leads, suppress=dnc, region="US")
    assert 2015550123 in await Suppression.load(dnc, international=True)


async def test_a_list_is_read_in_full_or_refused(tmp_path: Path) -> None:
    """Whoever stands in a line that is not understood would be called."""
    lines = [f"4416329600{n:02}" for n in range(200)]
    assert 200 == len(await Suppression.load(written(tmp_path / "dnc.txt", *lines)))
    path = written(tmp_path / "dnc.txt", *lines, "0163 296 01", *["remark"] * 5, "44 (0)1632 960777")
    with pytest.raises(InputFileError) as caught:
        await Suppression.load(path)
    assert caught.value.message.startswith(
        "dnc.txt: 7 of its 207 rows are not understood, so somebody who must not be called would be: rows "
        "201 (national without region), 202 (letters), 203 (letters), 204 (letters), 205 (letters), …: with at "
    )
    assert caught.value.message.endswith("by suppress_lenient=True. Nothing was sent")
    assert ("list_not_understood", 201) == (caught.value.reason, caught.value.row)
    assert not any(part in caught.value.message for part in ("296", "960", "remark"))
    some = await Suppression.load(path, lenient=True)
    assert (200, 7) == (len(some), some.refused)
    (remark,) = some.remarks
    assert remark.startswith("dnc.txt: 7 of its 207 rows are passed over as not understood, and who stands there")


async def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    leads = written(tmp_path / "leads.csv", "phone", LISTED)
    with pytest.raises(InputFileError, match=r"nowhere\.txt: it cannot be read"):
        await open_leads(leads, suppress=tmp_path / "nowhere.txt").open()
    with pytest.raises(InputFileError, match=r"empty\.txt: it is empty"):
        await open_leads(leads, suppress=written(tmp_path / "empty.txt")).open()
    with pytest.raises(ConfigurationError, match="suppress_lenient"):
        await open_leads(leads, suppress_lenient=True).open()
    with pytest.raises(ConfigurationError, match="the region"):
        await Suppression.load(leads, region="??")


async def test_the_lists_are_named_in_the_options_and_read_again(tmp_path: Path) -> None:
    leads = written(tmp_path / "leads.csv", "phone", LISTED)
    dnc = written(tmp_path / "dnc.txt", LISTED)
    async with open_leads(leads, suppress=dnc) as file:
        assert [str(dnc)] == file.options["suppress"]
        print_before = await file.fingerprint()
    assert ["suppressed"] == await reasons_in(leads, **file.options)
    written(dnc, LISTED, OTHER)
    async with open_leads(leads, **file.options) as again:
        assert print_before == await again.fingerprint()


def test_what_is_on_a_list() -> None:
    values: list[str | int] = [LISTED, int(OTHER), OTHER, "none", "+44 (0)1632 960001"]
    with pytest.raises(ConfigurationError, match=r"2 values .* index 3 \(letters\), 4 \(trunk zero\); ") as caught:
        Suppression(values)
    assert "960" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="give an iterable"):
        Suppression(LISTED)
    listed = Suppression(values, lenient=True)
    assert (2, 2) == (len(listed), listed.refused)
    assert LISTED in listed
    assert int(OTHER) in listed
    for other in ("441632960003", 441632960003, "", "x", -1, None, 1.5, f"+{LISTED}"):
        assert other not in listed


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


UNDERSTOOD: list[tuple[str, list[str]]] = [
    ("dnc.txt", ["Do not call", f"+{LISTED}", OTHER]),
    ("dnc.txt", ["# list of 2026", f"+{LISTED}", OTHER]),
    ("dnc.txt", [f"+{LISTED};{OTHER}"]),
    ("dnc.txt", [f"'+{LISTED}", f'"=""{OTHER}"""']),
    ("dnc.csv", ["Phone,Mobile", f"+{LISTED},", f",{OTHER}"]),
    ("dnc.csv", ["phone_number,mobile", f"+{LISTED},{OTHER}"]),
    ("dnc.csv", ["Phone,Phone 2", f"{LISTED},{OTHER}"]),
    ("dnc.csv", ["Phone,Phone", f"{LISTED},{OTHER}"]),
    ("dnc.csv", ["Phone;Alternative phone;Phone type", f"{LISTED};+44 1632 960-002;mobile"]),
    ("dnc.csv", ["Phone,Home,Name,Since", f"{LISTED},+{OTHER},+1 Ada,2024-05-17"]),
    ("dnc.csv", ["Phone,Work,id", f"{LISTED},{OTHER},12345678"]),
    ("dnc.csv", ["Phone,", f"{LISTED},{OTHER}"]),
    ("dnc.csv", [f"{LISTED},Ada,2024-05-17", f"+{OTHER},Ben,"]),
    ("dnc.csv", [f"Ada,{LISTED}", f"Ben,{OTHER}"]),
    ("dnc.csv", [f"{LISTED},{OTHER}"]),
    ("dnc.jsonl", [f'{{"phone": {LISTED}, "mobile": "+{OTHER}"}}']),
    ("dnc.jsonl", [f'{{"phones": ["{LISTED}", {{"number": "{OTHER}", "type": "home"}}]}}']),
    ("dnc.jsonl", [f'{{"who": {{"tel": "{LISTED}"}}, "born": "1980-01-01"}}', f'"+{OTHER}"']),
]


@pytest.mark.parametrize(("name", "lines"), UNDERSTOOD)
async def test_every_number_of_a_list_counts_whichever_column_it_stands_in(
    tmp_path: Path, name: str, lines: list[str]
) -> None:
    listed = await Suppression.load(written(tmp_path / name, *lines))
    assert (2, True, True) == (len(listed), LISTED in listed, OTHER in listed)


MISUNDERSTOOD: list[tuple[str, list[str], str, str]] = [
    ("dnc.txt", [f"+{LISTED}", "# a remark"], "row 2 (letters)", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED}", "+44 (0)1632 960002"], "row 2 (trunk zero)", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED}", "01632 960002"], "row 2 (national without region)", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED}", "4.41633E+11"], "row 2 (scientific notation)", "list_not_understood"),
    ("dnc.txt", ["4.41633E+11", f"+{LISTED}"], "row 1 (scientific notation)", "list_not_understood"),
    ("dnc.txt", ["#N/A", f"+{LISTED}"], "row 1 (spreadsheet error)", "list_not_understood"),
    ("dnc.txt", ["+44 1632 96OOO2", f"+{LISTED}"], "row 1 (letters)", "list_not_understood"),
    ("dnc.txt", ["12", f"+{LISTED}"], "row 1 (too short)", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED} / +{OTHER}"], "row 1 (", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED}", f"+{OTHER};+{LISTED}"], "row 2", "list_not_understood"),
    ("dnc.txt", [f"+{LISTED}", f"+{OTHER},+{LISTED}"], "row 2", "ragged"),
    ("dnc.csv", ["Phone,Name", f"{LISTED},", ",Ada"], "row 3 (empty)", "list_not_understood"),
    ("dnc.csv", ["Phone,Mobile", f"{LISTED},4.4E+11"], "row 2 (scientific notation)", "list_not_understood"),
    ("dnc.csv", ["Phone,Mobile", f"{LISTED},n/a"], "row 2 (letters)", "list_not_understood"),
    ("dnc.csv", ["Phone,Other phone", f"{LISTED},01632 960002"], "row 2 (national", "list_not_understood"),
    ("dnc.csv", ["Phone,Home", f"{LISTED},+44 (0)1632 960002"], "row 2 (trunk zero)", "list_not_understood"),
    ("dnc.csv", ["Phone,", f"{LISTED},01632 960002"], "row 2 (national", "list_not_understood"),
    ("dnc.csv", ["who,what", "Ada,x"], "there are 'who', 'what'", "no_phone_column"),
    ("dnc.csv", ["Do not call,", "Phone,Name", f"{LISTED},Ada"], "no column holds", "no_phone_column"),
    ("dnc.csv", [f"Phone,{LISTED}", f"{OTHER},Ada"], "names of columns and a phone number", "no_header"),
    ("dnc.csv", ["2024-05-17,", "Phone,Name", f"{LISTED},Ada"], "no column holds", "no_phone_column"),
    ("dnc.csv", ["Phone,Name"], "it is empty", "empty"),
    ("dnc.txt", ["Do not call"], "it is empty", "empty"),
    ("dnc.jsonl", [f'{{"phone": {LISTED}}}', "[1]"], "row 2 (wrong type)", "list_not_understood"),
    ("dnc.jsonl", [f'{{"phone": {LISTED}}}', "null"], "row 2 (wrong type)", "list_not_understood"),
    ("dnc.jsonl", [f'{{"phone": {LISTED}}}', '{"name": "Ada"}'], "row 2 (empty)", "list_not_understood"),
    ("dnc.jsonl", [f'{{"phone": {LISTED}, "mobile": true}}'], "row 1 (not text)", "list_not_understood"),
    ("dnc.jsonl", ['{"phone": ' + '{"a": ' * 20 + "1" + "}" * 21], "row 1", "list_not_understood"),
]


@pytest.mark.parametrize(("name", "lines", "says", "reason"), MISUNDERSTOOD)
async def test_what_is_not_understood_is_named_and_nothing_is_sent(
    tmp_path: Path, name: str, lines: list[str], says: str, reason: str
) -> None:
    with pytest.raises(InputFileError) as caught:
        await Suppression.load(written(tmp_path / name, *lines))
    assert reason == caught.value.reason
    assert says in caught.value.message
    assert caught.value.message.startswith(f"{name}: ")
    assert not any(part in caught.value.message for part in (LISTED[2:], OTHER[2:], "960002", "Ada"))


async def test_a_lenient_reading_takes_what_it_can(tmp_path: Path) -> None:
    path = written(tmp_path / "dnc.csv", "Phone,Mobile", f"{LISTED},n/a", ",", "x,y")
    listed = await Suppression.load(path, lenient=True)
    assert (1, 2) == (len(listed), listed.refused)
    assert "2 of its 2 rows are passed over" in listed.remarks[-1]
    nothing = await Suppression.load(written(tmp_path / "dnc.csv", "Phone"), lenient=True)
    assert 0 == len(nothing)
    with pytest.raises(InputFileError, match="none of its 2 rows holds a phone number"):
        await Suppression.load(written(tmp_path / "dnc.csv", "Phone", "x", "y"), lenient=True)


async def test_columns_that_are_named_are_the_only_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "dnc.csv", "Phone,Work,Home", f"n/a,{LISTED},+{OTHER}")
    listed = await Suppression.load(path, column="work")
    assert (1, True) == (len(listed), LISTED in listed)
    both = await Suppression.load(path, written(tmp_path / "dnc.txt", "12015550123"), column=["Work", "Home"])
    assert (3, 2) == (len(both), len(both.paths))
    assert "2 numbers not to be called, of 'Work', 'Home'" in both.remarks[0]
    lines = ('{"a": {"work": "441632960001"}, "phone": "x"}',)
    assert LISTED in await Suppression.load(written(tmp_path / "dnc.jsonl", *lines), column="work")


def workbook(path: Path, sheets: dict[str, list[list[Any]]], *, hidden: str = "") -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if title == hidden:
            sheet.sheet_state = "hidden"
    made.save(path)
    return path


async def test_every_sheet_that_shows_is_read(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "empty": [],
        "2025": [["since", "phone"], ["2024-05-17", int(LISTED)]],
        "2026": [["Handy", "name"], [f"+{OTHER}", "Ada"]],
        "2026 ": [[12015550123]],
        "old": [["phone"], [12015550199]],
    }
    listed = await Suppression.load(workbook(tmp_path / "dnc.xlsx", sheets, hidden="old"))
    assert (3, True, True) == (len(listed), LISTED in listed, OTHER in listed)
    assert "dnc.xlsx: hidden sheets are not read: 'old'" == listed.remarks[0]
    assert "dnc.xlsx, sheet '2026': 1 number not to be called, of 'Handy'" in listed.remarks


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["who", "what"], ["Ada", "x"]], "no column holds the phone number"),
        ([["phone"], ["Ada"]], "1 of its 1 row is not understood"),
        ([["phone"], [OTHER, f"+{OTHER}"]], r"row 2 \(unnamed cells\)"),
        ([["Stop list"], ["Phone", "Mobile"], [OTHER, LISTED]], r"rows 2 \(letters\), 3 \(unnamed cells\)"),
        ([["phone"], [441633000000]], r"row 2 \(rounded\)"),
        ([["phone"], [f"={OTHER}"]], r"row 2 \(formula\)"),
    ],
)
async def test_a_sheet_that_is_not_understood_is_named(tmp_path: Path, rows: list[list[Any]], says: str) -> None:
    good: list[list[Any]] = [["phone"], [int(LISTED)]]
    path = workbook(tmp_path / "dnc.xlsx", {"2025": good, "2026": rows})
    with pytest.raises(InputFileError, match=rf"^dnc\.xlsx, sheet '2026': .*{says}"):
        await Suppression.load(path)
    listed = await Suppression.load(path, lenient=True)
    assert LISTED in listed
    assert any(remark.startswith("dnc.xlsx, sheet '2026': ") and "called" in remark for remark in listed.remarks)


async def test_a_list_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "dnc.txt", *[f"4416329{n:05}" for n in range(6000)])
    steps = NumberList(phones=PhoneRule()).read(path, [])
    next(steps)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{LISTED}")
    with pytest.raises(InputFileError, match=r"dnc\.txt: the file was changed while it was read"):
        list(steps)


@pytest.mark.parametrize("header", ["Téléphone,nom", "phone,name"])
async def test_a_list_in_another_encoding_is_read_for_its_numbers(tmp_path: Path, header: str) -> None:
    path = tmp_path / "dnc.csv"
    path.write_bytes(f"{header}\n+441632960123,José\n+441632960124,Ørsted\n".encode("cp1252"))
    suppression = await Suppression.load(path)
    assert (2, 0) == (len(suppression), suppression.refused)
    path.write_bytes(f"{header}\n+441632960123,José\n+44163296\xff0124,x\n".encode("cp1252"))
    with pytest.raises(InputFileError, match="row 3"):
        await Suppression.load(path)
    path.write_bytes(f"{header}\n+441632960123,x\n".encode("utf-16-le"))
    with pytest.raises(InputFileError) as caught:
        await Suppression.load(path)
    assert "encoding=" not in str(caught.value)  # there is no such option for a list
