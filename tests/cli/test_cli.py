"""The command line: its tree, its errors in one line, its exit codes."""

import json
import math
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from cli_runner import (
    CANARY_KEY,
    COMMAND,
    Shell,
    begin,
    end,
    phones,
    sandbox_shell,
    settings_for,
    shell,
    write_leads,
)
from cyclopts import App

from voiso_async import __version__
from voiso_async.cli import common
from voiso_async.cli.app import app
from voiso_async.cli.render.tables import quoted
from voiso_async.sandbox import Html, Sandbox, Status, Truncate

__all__ = ["sandbox_shell", "shell"]  # fixtures

SCRIPT = Path(sys.executable).with_name("voiso")


def tree(parent: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    yield path, parent
    for name in parent:
        if not name.startswith("-"):
            yield from tree(parent[name], (*path, name))


TREE = dict(tree(app))
OPTION = re.compile(r"│ [ *]*--")
EXPLAINED = re.compile(r"│ [ *]*(--?[a-z-]+ )+(\([-h]+\) )?([A-Z]+(\.\.\.)? )? +[A-Z]\w.*[a-z]")


def test_the_tree_of_commands() -> None:
    commands = {" ".join(path) for path, node in TREE.items() if node.default_command and path[0] != "talkdesk"}
    assert {
        "campaigns list",
        "campaigns get",
        "campaigns start",
        "campaigns pause",
        "campaigns stop",
        "campaigns users",
        "campaigns add-users",
        "campaigns remove-user",
        "users list",
        *(
            f"leads {name}"
            for name in ("plan", "push", "update", "resume", "status", "results", "retry", "requeue")
        ),
        "leads withdraw",
        "leads purge",
        "worker",
        "lanes",
        "doctor",
        "demo",
        "sandbox",
    } == commands


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_and_every_option_has_its_help(shell: Shell, path: tuple[str, ...]) -> None:
    ended = shell(*path, "--help")
    assert (0, "") == (ended.code, ended.err)
    assert ended.out.startswith(f"Usage: {' '.join(('voiso', *path))}")
    assert TREE[path].help.strip()
    for line in ended.out.splitlines():
        assert not OPTION.match(line) or EXPLAINED.match(line), line


def test_voiso_alone_shows_the_help(shell: Shell) -> None:
    assert shell("--help") == shell()


def test_the_installed_script_tells_its_version() -> None:
    done = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    assert f"{__version__}\n" == done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lead"], 'Did you mean "leads"?'),
        (["campaigns", "lits"], 'Did you mean "list"?'),
        (["campaigns", "get"], "CAMPAIGN_ID is missing."),
        (["campaigns", "list", "--frob"], "Unknown option: --frob"),
        (["campaigns", "list", "--limit", "0"], "Must be >= 1"),
        (["campaigns", "list", "--limit", "many"], "unable to convert"),
        (["campaigns", "get", "3", "4"], "Unexpected argument: 4."),
        (["campaigns", "list", "--limit"], "--limit needs a value."),
        (["campaigns", "list", "--status", "bogus"], "choose from draft, active, paused, stopping, completed,"),
        (["campaigns", "list", "--strategy", "bogus"], "choose from simple, predictive_ai."),
        (["talkdesk", "campaigns", "--status", "bogus"], "choose from incomplete, ready, running, paused."),
        (["talkdesk", "bring-users", "7b"], "--campaign is missing."),
        (["leads", "push", "--bogus", "leads.csv", "--campaign", "3"], "Unknown option: --bogus."),
        (["leads", "push", "--bogus", "--campaign", "3"], "Unknown option: --bogus."),
        (["leads", "push", "-x.csv", "--campaign", "3"], "a file of this name is written ./-x.csv"),
        (["leads", "push", "leads.csv", "--campign", "3"], "Did you mean --campaign?"),
        (["leads", "plan", "--campign", "3", "leads.csv"], "Unknown option: --campign. Did you mean --campaign?"),
        (["campaigns", "add-users", "3"], "USER_IDS is missing."),
        (["leads", "push"], "FILE is missing."),
        (["leads", "push", "leads.csv", "--campaign", "3", "--timeout", "-1"], "write a time above 0, such as 90"),
        (["leads", "push", "leads.csv", "--campaign", "3", "--expires-in", "soon"], "write a time above 0"),
        (["leads", "push", "leads.csv", "--campaign", "3", "--wait-live", "0"], "write a time above 0"),
        (["leads", "push", "leads.csv", "--campaign", "3", "--max-rejected", "25"], "such as 25%"),
        (["leads", "push", "leads.csv", "--campaign", "3", "--max-rejected", "101%"], "from 0% to 100%"),
        (
            ["leads", "push", "leads.csv", "--campaign", "3", "--format", "pdf"],
            'Choose from: "csv", "jsonl", "xlsx"',
        ),
        (["leads", "plan", "leads.csv", "--campaign", "3", "--server-time", "-1"], "Must be >= 0"),
        (["leads", "results", "7f3a", "--format", "xlsx"], 'Choose from: "csv", "jsonl"'),
        (["leads", "purge", "--older-than", "a month"], "write a time above 0"),
        (["leads", "push", "leads.csv", "--campaign", "3", "--api-key", "x"], "--api-key"),
        (["demo", "--leads", "5"], "Must be >= 100"),
        (["sandbox", "--port", "70000"], "Must be <= 65535"),
    ],
)
def test_what_is_typed_wrong_is_usage(shell: Shell, arguments: list[str], says: str) -> None:
    ended = shell(*arguments)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message
    said, _, command = ended.message.partition(" Try: voiso ")
    assert said.endswith((".", "?"))
    assert 0 == shell(*command.split()).code
    path = tuple(command.split()[:-1])
    assert path == max((known for known in TREE if tuple(arguments[: len(known)]) == known), key=len)


@pytest.mark.parametrize(
    ("env", "options", "says"),
    [
        ({}, [], "there is no address: set VOISO_CLUSTER"),
        ({"VOISO_CLUSTER": "cc-ams03"}, [], "there is no API key: set VOISO_API_KEY"),
        (
            {"VOISO_API_KEY": CANARY_KEY, "VOISO_CLUSTER": "evil.example.com/"},
            [],
            "--cluster or VOISO_CLUSTER must be the first label",
        ),
        (
            {"VOISO_API_KEY": CANARY_KEY, "VOISO_BASE_URL": "http://example.com"},
            [],
            "--base-url or VOISO_BASE_URL must begin with https://",
        ),
        (
            {"VOISO_API_KEY": CANARY_KEY},
            ["--cluster", "a", "--base-url", "https://a.example.com"],
            "give --cluster or --base-url, not both",
        ),
        ({"VOISO_API_KEY": f"{CANARY_KEY}\n", "VOISO_CLUSTER": "a"}, [], "the API key must be a text of visible"),
        ({"VOISO_API_KEY": f"Bearer {CANARY_KEY}", "VOISO_CLUSTER": "a"}, [], "without its 'Bearer ' prefix"),
        ({"VOISO_API_KEY_FILE": "/nowhere/key", "VOISO_CLUSTER": "a"}, [], "no such file or directory"),
    ],
)
def test_a_missing_or_useless_setting_is_usage(
    shell: Shell, env: dict[str, str], options: list[str], says: str
) -> None:
    for name, value in env.items():
        shell.env.setenv(name, value)
    ended = shell("campaigns", "list", *options)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message


def test_all_that_is_wrong_is_told_at_once_the_file_first(shell: Shell, tmp_path: Path) -> None:
    ended = shell(
        *("leads", "push", "nowhere.csv", "--results", tmp_path, "--suppress", "nolist.txt", "--json"),
        *("--region", "GB", "--international", "--map", "phone", "--wait-live", "1m", "--account", "a b"),
    )
    assert 2 == ended.code
    told = [line.removeprefix("voiso: ") for line in ended.err.splitlines()]
    beginnings = [
        "nowhere.csv: it cannot be read: no such file or directory",
        "nolist.txt: it cannot be read: no such file or directory",
        "--map takes FIELD=COLUMN",
        "give --region or --international, not both",
        "say where the leads go: --campaign 3, or --campaign-column NAME",
        f"{tmp_path.name}: ",
        "there is no API key: set VOISO_API_KEY",
        "there is no address: set VOISO_CLUSTER",
        "an account's label is of letters",
    ]
    assert [True] * len(beginnings) == [
        fault.startswith(words) for fault, words in zip(told, beginnings, strict=True)
    ]
    assert [{"event": "error", "error": fault, "exit": 2} for fault in told] == ended.lines


@pytest.mark.parametrize("command", ["leads push", "leads plan", "leads update", "talkdesk push"])
def test_a_missing_file_is_told_before_a_missing_key(shell: Shell, command: str) -> None:
    where = ["--list", "x"] if command.startswith("talkdesk") else ["--campaign", "3"]
    ended = shell(*command.split(), "nowhere.csv", *where)
    assert 2 == ended.code
    assert ended.err.startswith("voiso: nowhere.csv: it cannot be read: no such file or directory\n")
    if command != "leads plan":
        assert re.search("there is no (API key|account): set ", ended.err)


OF_THE_LIBRARY = re.compile(
    r"\b(api_key|base_url|token_url|(?<!{)campaign_id|user_ids?|list_ids?|client_id|client_secret|private_key|key_id|"
    r"hidden_rows|update_verb=|encoding=|NOT_SENT|UNKNOWN|give account|list its jobs|purge by force)\b|\.report\b"
)
"""Words for who writes Python: the shell has its own."""


@pytest.mark.parametrize(
    ("env", "arguments"),
    [
        ({}, ["campaigns", "list"]),
        ({}, ["talkdesk", "campaigns"]),
        ({"TALKDESK_ACCOUNT": "A B"}, ["talkdesk", "campaigns"]),
        ({"TALKDESK_ACCOUNT": "a"}, ["talkdesk", "campaigns"]),
        ({"TALKDESK_ACCOUNT": "a", "TALKDESK_REGION": "mars"}, ["talkdesk", "campaigns"]),
        ({"TALKDESK_ACCOUNT": "a", "TALKDESK_CLIENT_ID": "i"}, ["talkdesk", "campaigns"]),
        (
            {"TALKDESK_ACCOUNT": "a", "TALKDESK_CLIENT_ID": "i", "TALKDESK_PRIVATE_KEY": "k"},
            ["talkdesk", "campaigns"],
        ),
        (
            {"TALKDESK_ACCOUNT": "a", "TALKDESK_CLIENT_ID": "i j", "TALKDESK_CLIENT_SECRET": "s"},
            ["talkdesk", "campaigns"],
        ),
        ({"VOISO_CLUSTER": "A."}, ["campaigns", "list"]),
        ({"VOISO_BASE_URL": "x"}, ["campaigns", "list"]),
        ({"VOISO_BASE_URL": "http://[", "VOISO_API_KEY": "k"}, ["campaigns", "list"]),
        ({"VOISO_CLUSTER": "a"}, ["campaigns", "get", "x/y"]),
        ({"VOISO_CLUSTER": "a"}, ["campaigns", "add-users", "3", "x/y"]),
        ({"VOISO_CLUSTER": "a"}, ["leads", "push", __file__, "--campaign", "x"]),
        ({}, ["leads", "push", __file__, "--campaign", "3", "--encoding", "klingon"]),
        ({}, ["leads", "plan", __file__, "--campaign", "3", "--delimiter", "ab"]),
        ({}, ["leads", "plan", __file__, "--campaign", "3", "--region", "XX"]),
        ({}, ["leads", "plan", __file__, "--campaign", "3", "--map", "nose=Nose"]),
        ({}, ["talkdesk", "users", "x/y"]),
        ({}, ["doctor", "--campaign", "x"]),
        ({}, ["doctor"]),
    ],
)
def test_errors_speak_of_options_and_variables_not_of_arguments(
    shell: Shell, env: dict[str, str], arguments: list[str]
) -> None:
    for name, value in env.items():
        shell.env.setenv(name, value)
    ended = shell(*arguments)
    assert ended.code in (1, 2)
    assert not OF_THE_LIBRARY.search(ended.out + ended.err), ended


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 413, 418, 422, 429, 500])
@pytest.mark.parametrize("command", ["push", "update"])
def test_answers_that_end_a_push_are_told_in_words_of_the_shell(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, command: str, status: int
) -> None:
    method = {"push": "POST", "update": "PATCH"}[command]
    voiso_sandbox.faults.add(Status(status, {"error": "no"}), method=method, times=math.inf)
    path = write_leads(tmp_path / "leads.csv", [f"{phones(2)[0]},Ada"], "phone,name")
    ended = sandbox_shell("leads", command, path, "--campaign", 3, "--timeout", "1")
    assert not OF_THE_LIBRARY.search(ended.out + ended.err), ended
    if status == 401:
        assert "check VOISO_API_KEY, or the file that --key-file names" in ended.message


@pytest.mark.parametrize("command", ["status", "results", "retry", "requeue", "withdraw", "purge", "resume"])
def test_a_job_that_is_not_there_is_told_with_the_command_that_lists_them(
    sandbox_shell: Shell, tmp_path: Path, command: str
) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(2))
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3).code
    ended = sandbox_shell("leads", command, "zzzz")
    assert (1, True) == (ended.code, "voiso leads status lists them" in ended.message)


def test_the_key_comes_from_a_file(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{voiso_sandbox.key}\n", encoding="ascii")
    path.chmod(0o600)
    sandbox_shell.env.setenv("VOISO_API_KEY", "not-this-one")
    assert 0 == sandbox_shell("campaigns", "list", "--key-file", path).code
    sandbox_shell.env.delenv("VOISO_API_KEY")
    sandbox_shell.env.setenv("VOISO_API_KEY_FILE", str(path))
    quiet = sandbox_shell("campaigns", "list")
    path.chmod(0o644)
    warned = sandbox_shell("campaigns", "list")
    assert (0, 0) == (quiet.code, warned.code)
    assert "can read the key file" not in quiet.err
    assert "can read the key file" in warned.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("command", [["campaigns", "list"], ["leads", "push"], ["leads", "plan"], ["doctor"]])
def test_a_key_that_comes_through_a_pipe_is_read_once(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    """As by ``--key-file <(pass show voiso)``."""
    sandbox_shell.env.delenv("VOISO_API_KEY")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_text(voiso_sandbox.key, encoding="ascii"), daemon=True).start()
    file = [write_leads(tmp_path / "leads.csv", phones(2)), "--campaign", 3] if command[0] == "leads" else []
    ended = sandbox_shell(*command, *file, "--key-file", pipe)
    assert 0 == ended.code, ended


def test_a_key_file_with_anything_else_is_named_not_shown(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff" + CANARY_KEY.encode())
    path.chmod(0o600)
    ended = sandbox_shell("campaigns", "list", "--key-file", path)
    assert 2 == ended.code
    assert "it holds more than an API key" in ended.message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (".", "is a directory"),
        ("nowhere", "no such file or directory"),
        ("a\0b", "no usable name"),
        ("n" * 256, "file name too long"),
    ],
)
def test_a_key_file_that_cannot_be_read_is_usage(
    sandbox_shell: Shell, tmp_path: Path, name: str, says: str
) -> None:
    ended = sandbox_shell("campaigns", "list", "--key-file", tmp_path / name)
    assert (2, f"voiso: the key file cannot be read: {says}") == (ended.code, ended.message)


def test_the_key_may_come_through_a_pipe(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    os.mkfifo(path)
    sandbox_shell.env.delenv("VOISO_API_KEY")
    with monkeypatch.context() as patch:
        patch.setattr(common, "PIPE_PATIENCE", 0.05)
        ended = sandbox_shell("campaigns", "list", "--key-file", path)
        assert (2, True) == (ended.code, ended.message.endswith("nobody writes to the pipe"))
    writer = threading.Thread(target=lambda: path.write_text(voiso_sandbox.key, encoding="ascii"))
    writer.start()
    ended = sandbox_shell("campaigns", "list", "--key-file", path)
    writer.join()
    assert (0, "1 campaign\n") == (ended.code, ended.err)


@pytest.mark.parametrize("name", [b"plain", b"it's a %\\ \xc3\xbc", b"bad\xff.db", b"a'\\\n\xff \x1b"])
def test_a_word_is_written_as_a_shell_reads_it(name: bytes) -> None:
    word = quoted(os.fsdecode(name))
    done = subprocess.run(["/bin/bash", "-c", f"printf %s {word}"], capture_output=True, check=True)  # noqa: S603
    assert (name, True) == (done.stdout, word.isprintable())


def test_a_wrong_key_is_an_error_that_does_not_show_it(sandbox_shell: Shell) -> None:
    sandbox_shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    ended = sandbox_shell("campaigns", "list")
    assert (1, "") == (ended.code, ended.out)
    assert "401" in ended.message


def test_a_closed_port_is_an_error_and_nothing_was_sent(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    ended = shell("campaigns", "start", 3, "--base-url", f"http://127.0.0.1:{port}")
    assert (1, "") == (ended.code, ended.out)
    assert ended.message.endswith("; nothing was sent")


@pytest.mark.parametrize("fault", [Html(), Status(418, {"error": "tea"}), Truncate(20)], ids=repr)
def test_an_answer_that_makes_no_sense_is_an_error(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, fault: object
) -> None:
    voiso_sandbox.faults.add(fault, times=100)  # type: ignore[arg-type]
    ended = sandbox_shell("campaigns", "get", 3)
    assert (1, "") == (ended.code, ended.out)
    assert "GET /campaigns/3" in ended.message


@pytest.mark.parametrize("campaign", ["../users", "3?x", "3/leads", "%2e%2e", "0", "-1", "٣", "9" * 400, ""])
@pytest.mark.parametrize(
    "command", [["campaigns", "get"], ["campaigns", "stop"], ["campaigns", "users"]], ids=" ".join
)
def test_a_hostile_id_never_reaches_the_wire(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, command: list[str], campaign: str
) -> None:
    ended = sandbox_shell(*command, campaign)
    assert (2, "") == (ended.code, ended.out)
    assert "the id of a campaign is a whole number above 0" in ended.message
    assert [] == voiso_sandbox.history


def test_a_name_cannot_steer_the_terminal(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.add_campaign(id=4, name="[red]\x1b[31mred\x07\x1b]0;title\x07\nnext")
    listed = sandbox_shell("campaigns", "list").out + sandbox_shell("campaigns", "get", 4).out
    assert "\x1b" not in listed
    assert "\x07" not in listed
    assert "[red] [31mred" in listed
    assert ["Summer", "[red]\x1b[31mred\x07\x1b]0;title\x07\nnext"] == [
        campaign["name"] for campaign in sandbox_shell("campaigns", "list", "--json").lines
    ]


def test_a_reader_that_leaves_early_is_no_traceback(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    for number in range(1, 400):
        voiso_sandbox.add_campaign(id=number, name="n" * 400)
    reading, writing = os.pipe()
    process = begin("campaigns", "list", "--json", env=settings_for(voiso_sandbox, tmp_path), stdout=writing)
    os.close(writing)
    os.read(reading, 100)
    os.close(reading)
    assert (1, "") == ((ended := end(process)).code, ended.err)


def test_a_push_goes_on_though_nobody_reads_it_any_more(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = evolve(voiso_sandbox.rules, cooldown=1.0)  # for a while, while it is looked at
    path = write_leads(tmp_path / "leads.csv", [*phones(2000), *(f"12015550{place}" for place in range(100, 200))])
    reading, writing = os.pipe()
    process = begin(
        *("leads", "push", path, "--campaign", 3, "--json", "--results", tmp_path / "results.csv"),
        env=settings_for(voiso_sandbox, tmp_path / "state") | {"PYTHONUNBUFFERED": "1"},
        stdout=writing,
        stderr=writing,
    )
    os.close(writing)
    assert b'"event": "job"' in os.read(reading, 4096)
    os.close(reading)
    assert 1 == end(process).code
    assert 2100 == len(voiso_sandbox.campaigns[3].leads)
    assert 2101 == len((tmp_path / "results.csv").read_text().splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="stands in for a full disk")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_an_output_that_cannot_be_written_is_an_error(
    voiso_sandbox: Sandbox, tmp_path: Path, options: list[str]
) -> None:
    voiso_sandbox.add_campaign(id=3)
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        process = begin("campaigns", "list", *options, env=settings_for(voiso_sandbox, tmp_path), stdout=full)
        ended = end(process)
    assert (1, "voiso: standard output cannot be written: no space left on device\n") == (ended.code, ended.err)


def test_closed_streams_are_like_nobody_listening(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    """Else the outbox would be opened in their place, and be written to as if it were one of them."""
    voiso_sandbox.add_campaign(id=3)
    path = write_leads(tmp_path / "leads.csv", phones(3))
    env = os.environ | settings_for(voiso_sandbox, tmp_path / "state")
    push = shlex.join([*COMMAND, "leads", "push", str(path), "--campaign", "3"])
    lines = [f"{push} <&- >&- 2>&-", f"{shlex.join([*COMMAND, 'leads', 'status', '--json'])} > status.json"]
    for line in lines:
        done = subprocess.run(line, shell=True, env=env, cwd=tmp_path, timeout=120, check=False)  # noqa: S602
        assert 0 == done.returncode, line
    job = json.loads((tmp_path / "status.json").read_text())["job"]
    written = f"{shlex.join([*COMMAND, 'leads', 'results', job])} >&-"
    done = subprocess.run(written, shell=True, env=env, timeout=120, check=False)  # noqa: S602
    assert 0 == done.returncode
    done = subprocess.run(lines[1], shell=True, env=env, cwd=tmp_path, timeout=120, check=False)  # noqa: S602
    assert 0 == done.returncode  # the outbox is whole
    assert 3 == len(voiso_sandbox.campaigns[3].leads)


WITHOUT = "import sys; sys.modules[{!r}] = None; from voiso_async.cli import main; main()"


@pytest.mark.parametrize("module", ["cyclopts", "rich.live"])
def test_a_missing_extra_is_told_kindly(module: str) -> None:
    code = WITHOUT.format(module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert (1, "") == (done.returncode, done.stdout)
    assert "the voiso command needs: pip install 'voiso-async[cli]'\n" == done.stderr


def test_any_other_missing_module_still_shows() -> None:
    code = WITHOUT.format("voiso_async.files")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert "ModuleNotFoundError: import of voiso_async.files halted" in done.stderr


def test_the_package_itself_loads_none_of_this() -> None:
    parts = {"voiso_async.cli", "voiso_async.files", "voiso_async.sandbox", "cyclopts", "rich"}
    code = f"import sys, voiso_async; print(sorted({parts} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    assert "[]\n" == done.stdout
