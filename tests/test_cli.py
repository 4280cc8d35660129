"""The command line: its tree, its errors in one line, its exit codes."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import CANARY_KEY, Shell, begin, end, sandbox_shell, settings_for, shell
from cyclopts import App

from voiso_async import __version__
from voiso_async.cli import common
from voiso_async.cli.app import app
from voiso_async.cli.show import quoted
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
            for name in ("plan", "push", "update", "resume", "status", "results", "retry", "settle")
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
        (["campaigns", "get"], "CAMPAIGN_ID requires an argument"),
        (["campaigns", "list", "--frob"], "Unknown option: --frob"),
        (["campaigns", "list", "--limit", "0"], "Must be >= 1"),
        (["campaigns", "list", "--limit", "many"], "unable to convert"),
        (["campaigns", "get", "3", "4"], "Unused"),
        (["campaigns", "add-users", "3"], "USER_IDS requires an argument"),
        (["leads", "push"], "FILE requires an argument"),
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
    assert says in ended.complaint
    assert ended.complaint.endswith("Try: voiso --help")


@pytest.mark.parametrize(
    ("env", "options", "says"),
    [
        ({}, [], "there is no address: set VOISO_CLUSTER"),
        ({"VOISO_CLUSTER": "cc-ams03"}, [], "there is no API key: set VOISO_API_KEY"),
        (
            {"VOISO_API_KEY": CANARY_KEY, "VOISO_CLUSTER": "evil.example.com/"},
            [],
            "cluster must be the first label",
        ),
        (
            {"VOISO_API_KEY": CANARY_KEY, "VOISO_BASE_URL": "http://example.com"},
            [],
            "base_url must begin with https://",
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
    assert says in ended.complaint


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
    assert "can read the key file" in warned.complaint


def test_a_key_file_with_anything_else_is_named_not_shown(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff" + CANARY_KEY.encode())
    path.chmod(0o600)
    ended = sandbox_shell("campaigns", "list", "--key-file", path)
    assert 2 == ended.code
    assert "it holds more than an API key" in ended.complaint


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
    assert (2, f"voiso: the key file cannot be read: {says}") == (ended.code, ended.complaint)


def test_the_key_may_come_through_a_pipe(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    os.mkfifo(path)
    sandbox_shell.env.delenv("VOISO_API_KEY")
    with monkeypatch.context() as patch:
        patch.setattr(common, "PIPE_PATIENCE", 0.05)
        ended = sandbox_shell("campaigns", "list", "--key-file", path)
        assert (2, True) == (ended.code, ended.complaint.endswith("nobody writes to the pipe"))
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
    assert "401" in ended.complaint


def test_a_closed_port_is_an_error_and_nothing_was_sent(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    ended = shell("campaigns", "start", 3, "--base-url", f"http://127.0.0.1:{port}")
    assert (1, "") == (ended.code, ended.out)
    assert ended.complaint.endswith("; nothing was sent")


@pytest.mark.parametrize("fault", [Html(), Status(418, {"error": "tea"}), Truncate(20)], ids=repr)
def test_an_answer_that_makes_no_sense_is_an_error(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, fault: object
) -> None:
    voiso_sandbox.faults.add(fault, times=100)  # type: ignore[arg-type]
    ended = sandbox_shell("campaigns", "get", 3)
    assert (1, "") == (ended.code, ended.out)
    assert "GET /campaigns/{campaign_id}" in ended.complaint


@pytest.mark.parametrize("campaign", ["../users", "3?x", "3/leads", "%2e%2e", "0", "-1", "٣", "9" * 400, ""])
@pytest.mark.parametrize(
    "command", [["campaigns", "get"], ["campaigns", "stop"], ["campaigns", "users"]], ids=" ".join
)
def test_a_hostile_id_never_reaches_the_wire(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, command: list[str], campaign: str
) -> None:
    ended = sandbox_shell(*command, campaign)
    assert (2, "") == (ended.code, ended.out)
    assert "campaign_id must be a positive integer" in ended.complaint
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
