"""Files that a command writes at its end: `--results`, `--rejects`, `--out`; found to fail at once."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_runner import Shell, phones, posts, report_of, sandbox_shell, shell, write_leads

from voiso_async.cli.render.progress import RateMeter
from voiso_async.sandbox import Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures

Spell = Callable[[Path], object]


@pytest.fixture
def leads(sandbox_shell: Shell, tmp_path: Path) -> Path:
    """A file of leads, in the folder that the shell is in; `link` is another name of that folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    sandbox_shell.env.chdir(tmp_path)
    return write_leads(tmp_path / "leads.csv", [*phones(2), "letters"])


@pytest.mark.parametrize(
    "other",
    [
        lambda _: "x.csv",
        lambda _: "./x.csv",
        lambda _: "sub/../x.csv",
        lambda _: "link/x.csv",
        lambda folder: folder / "x.csv",
        lambda folder: folder / "link" / "link" / "x.csv",
        lambda _: "X.CSV",
    ],
    ids=["same", "dot", "parent", "link", "absolute", "links", "case"],
)
@pytest.mark.parametrize(
    "options", [("--results", "--rejects"), ("--results", "--outbox"), ("--outbox", "--rejects")]
)
def test_two_files_that_would_be_one_are_refused_before_anything_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path, other: Spell, options: tuple[str, str]
) -> None:
    given = (options[0], "x.csv", options[1], other(leads.parent))
    ended = sandbox_shell("leads", "push", "leads.csv", "--campaign", 3, *given)
    assert (2, "", []) == (ended.code, ended.out, voiso_sandbox.history)
    assert "two files of this command would be the same one" in ended.message
    assert not list(leads.parent.glob("[xX].*"))


@pytest.mark.parametrize("name", ["\u00e9.csv", "e\u0301.csv"], ids=["composed", "decomposed"])
def test_a_name_that_some_file_systems_take_for_the_other_is_the_same(
    sandbox_shell: Shell, leads: Path, name: str
) -> None:
    options = ("--results", "\u00e9.csv", "--rejects", name)
    ended = sandbox_shell("leads", "push", leads, "--campaign", 3, *options)
    assert (2, True) == (ended.code, "would be the same one" in ended.message)


@pytest.mark.parametrize("option", ["--results", "--rejects"])
@pytest.mark.parametrize("name", ["x.xlsx", "x.xls", "x.XLSX", "x.csv.gz", "x.json", "x.txt", "x.tsv", "x", "x."])
def test_an_ending_that_is_not_written_is_refused_with_those_there_are(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path, name: str, option: str
) -> None:
    ended = sandbox_shell("leads", "push", leads, "--campaign", 3, option, name)
    assert (2, "", []) == (ended.code, ended.out, voiso_sandbox.history)
    assert ended.message.startswith(f"voiso: {name}: choose a name that ends in .csv, or in .jsonl or .ndjson")


@pytest.mark.parametrize("command", ["resume", "retry", "requeue"])
def test_so_it_is_for_every_command_that_sends(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path, command: str
) -> None:
    job = report_of(sandbox_shell("leads", "push", leads, "--campaign", 3, "--json"))["job"]
    before = posts(voiso_sandbox)
    for options in (
        ("--results", "x.xlsx"),
        ("--results", "x.csv", "--rejects", "./x.csv"),
        ("--rejects", "x.jsonl"),
    ):
        ended = sandbox_shell("leads", command, job, *options)
        assert (2, "", before) == (ended.code, ended.out, posts(voiso_sandbox))


def test_rejects_have_the_form_of_the_file_and_a_name_that_promises_another_is_refused(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path
) -> None:
    lines = leads.with_name("leads.jsonl")
    lines.write_text('{"phone_number": "letters"}\n', encoding="utf-8")
    for path, wrong, ending in ((leads, "x.jsonl", "CSV (.csv)"), (lines, "x.csv", "(.jsonl or .ndjson)")):
        ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--rejects", wrong)
        assert (2, "", []) == (ended.code, ended.out, voiso_sandbox.history)
        assert ending in ended.message
    ended = sandbox_shell("leads", "push", lines, "--campaign", 3, "--rejects", "r.jsonl", "--results", "a.ndjson")
    assert 3 == ended.code
    assert "letters" == json.loads(Path("r.jsonl").read_text(encoding="utf-8"))["phone_number"]
    assert "invalid" == json.loads(Path("a.ndjson").read_text(encoding="utf-8"))["outcome"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--results", "leads.csv"), "there is such a file already"),
        (("--results", "hard.csv"), "there is such a file already"),
        (("--rejects", "soft.csv"), "there is such a file already"),
        (("--results", "list.csv", "--suppress", "list.csv"), "there is such a file already"),
        (("--results", "nowhere/x.csv"), "there is no folder"),
        (("--results", "leads.csv/x.csv"), "there is no folder"),
        (("--rejects", f"{'x' * 300}.csv"), "cannot be written there: file name too long"),
        (("--results", "a\0b.csv"), "a file's name cannot hold a NUL"),
    ],
    ids=["input", "hard link", "dangling link", "list", "no folder", "file for folder", "too long", "NUL"],
)
def test_what_is_in_the_way_of_an_output_is_found_before_anything_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path, options: tuple[str, ...], says: str
) -> None:
    Path("hard.csv").hardlink_to(leads)
    Path("soft.csv").symlink_to("gone.csv")
    write_leads(Path("list.csv"), ["441632960999"])
    ended = sandbox_shell("leads", "push", leads, "--campaign", 3, *options)
    assert (2, "", []) == (ended.code, ended.out, voiso_sandbox.history)
    assert says in ended.message


def test_a_folder_where_nothing_may_be_made_is_found_before_anything_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path
) -> None:
    """The superuser may make files in any folder, but in few of /proc."""
    folder = Path("sub")
    folder.chmod(0o500)
    place = folder if not os.access(folder, os.W_OK) else Path("/proc/self/task")
    if not place.is_dir():
        pytest.skip("there is no such folder here")
    for command in (("push", leads, "--campaign", 3, "--results"), ("results", "7f3a", "--out")):
        ended = sandbox_shell("leads", *command, place / "x.csv")
        assert (2, "", []) == (ended.code, ended.out, voiso_sandbox.history)
        assert "x.csv: it cannot be written there: " in ended.message


def test_a_dry_run_writes_no_files_and_says_so(sandbox_shell: Shell, leads: Path) -> None:
    ended = sandbox_shell("leads", "push", leads, "--campaign", 3, "--dry-run", "--results", "x.csv")
    assert (2, "") == (ended.code, ended.out)
    assert "--dry-run sends nothing and writes no --results" in ended.message


def test_results_of_a_file_that_was_pushed_before_come_from_the_job_there_is(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path
) -> None:
    first = report_of(sandbox_shell("leads", "push", leads, "--campaign", 3, "--json"))
    options = ("--results", "results.csv", "--rejects", "rejects.csv", "--json")
    again = sandbox_shell("leads", "push", leads, "--campaign", 3, *options)
    assert (3, 1) == (again.code, posts(voiso_sandbox))
    assert first["job"] == report_of(again)["job"]
    assert ["created", "created", "invalid"] == [row["outcome"] for row in rows_of("results.csv")]
    assert ["letters"] == [row["phone_number"] for row in rows_of("rejects.csv")]
    later = sandbox_shell("leads", "resume", first["job"], "--results", "later.jsonl", "--json")
    assert first["job"] == report_of(later)["job"]
    assert 3 == len(Path("later.jsonl").read_text(encoding="utf-8").splitlines())


def test_an_output_that_fails_at_the_end_is_an_error_and_no_outcome_is_lost(
    sandbox_shell: Shell, leads: Path
) -> None:
    begin = RateMeter.begin

    def begun(meter: RateMeter, done: int = 0) -> None:
        Path("x.csv").write_text("another program was faster", encoding="utf-8")
        begin(meter, done)

    sandbox_shell.env.setattr(RateMeter, "begin", begun)
    ended = sandbox_shell("leads", "push", leads, "--campaign", 3, "--results", "x.csv", "--json")
    assert (1, 2) == (ended.code, report_of(ended)["counts"]["created"])
    assert "x.csv: there is such a file already" in report_of(ended)["error"]


@pytest.mark.parametrize(
    ("name", "form", "code"),
    [
        ("x.csv", "csv", 0),
        ("x.jsonl", "jsonl", 0),
        ("x.txt", "csv", 0),
        ("x", "jsonl", 0),
        ("x.jsonl", "csv", 2),
        ("x.csv", "jsonl", 2),
        ("x.xlsx", "csv", 2),
        ("x.xlsx", None, 2),
        ("x", None, 2),
    ],
)
def test_the_name_of_results_goes_with_their_form(
    sandbox_shell: Shell, leads: Path, name: str, form: str | None, code: int
) -> None:
    job = report_of(sandbox_shell("leads", "push", leads, "--campaign", 3, "--json"))["job"]
    options = () if form is None else ("--format", form)
    ended = sandbox_shell("leads", "results", job, "--out", name, *options)
    assert (code, code == 0) == (ended.code, Path(name).exists())


def test_again_sends_whatever_the_keys_and_keeps_them_in_the_results(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path
) -> None:
    write_leads(leads, [f"k{place},{phone}" for place, phone in enumerate(phones(3))], "id,phone")
    options = ("--campaign", 3, "--key-column", "id")
    assert 0 == sandbox_shell("leads", "push", leads, *options).code
    again = sandbox_shell("leads", "push", leads, *options, "--again", "--results", "x.csv", "--json")
    assert (0, 3, 2) == (again.code, report_of(again)["counts"]["duplicate"], posts(voiso_sandbox))
    assert ["k0", "k1", "k2"] == [row["key"] for row in rows_of("x.csv")]


def test_again_keeps_the_keys_of_a_job_that_goes_on(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, leads: Path
) -> None:
    write_leads(leads, [f"k{place},{phone}" for place, phone in enumerate(phones(3))], "id,phone")
    options = ("--campaign", 3, "--key-column", "id")
    assert 0 == sandbox_shell("leads", "push", leads, *options).code
    voiso_sandbox.faults.add(Status(404), method="POST")
    stopped = report_of(sandbox_shell("leads", "push", leads, *options, "--again", "--json"))
    assert 3 == stopped["waiting"]
    gone_on = report_of(sandbox_shell("leads", "push", leads, *options, "--results", "x.csv", "--json"))
    assert (stopped["job"], 3) == (gone_on["job"], gone_on["counts"]["duplicate"])
    assert ["k0", "k1", "k2"] == [row["key"] for row in rows_of("x.csv")]


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
