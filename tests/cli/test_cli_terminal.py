"""What a person sees on a terminal: while leads are pushed, where it is narrow, and where it can do little."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import attrs
import pytest
from cli_runner import PATIENCE, begin, end, eventually, phones, posts, settings_for, write_leads

from voiso_async.sandbox import Sandbox


@attrs.frozen
class Terminal:
    """A terminal that can be read."""

    name: str
    columns: int = 80

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout  # noqa: S603

    def run(self, *arguments: object, env: dict[str, str]) -> None:
        settings = [f"{name}={value}" for name, value in env.items()]
        words = [
            "env",
            "-u",
            "COLUMNS",
            "-u",
            "LINES",
            *settings,
            sys.executable,
            "-m",
            "voiso_async.cli",
            *map(str, arguments),
        ]
        shown = f"{shlex.join(words)}; echo ended $?; sleep 60"
        self.tmux("new-session", "-d", "-x", str(self.columns), "-y", "30", shown)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-J")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(f"voiso-test-{uuid4().hex[:8]}")
    yield terminal
    terminal.tmux("kill-server")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux stands in for a terminal")
@pytest.mark.realtime
def test_three_batches_at_the_real_pace_move_a_bar(
    terminal: Terminal, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, cooldown=2.0)
    rows = [
        *phones(2000),
        *(f"1{area}55501{place:02}" for area in (201, 202, 203, 204, 205) for place in range(100)),
    ]
    path = write_leads(tmp_path / "leads.csv", rows)
    terminal.run("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox, tmp_path / "state"))
    seen: list[str] = []

    def has_a_bar() -> bool:
        seen.append(terminal.screen())
        return "40% ━" in seen[-1]

    eventually(has_a_bar)
    bar, pace, outcomes = [line for line in seen[-1].splitlines() if line.strip()][-3:]
    assert "1 000 of 2 500 · " in bar
    assert bar.rstrip().endswith(" s left")
    assert "/s · " in pace
    assert "next batch in " in pace
    assert "created 1 000 · pending 1 500" in outcomes
    eventually(lambda: "ended" in terminal.screen())
    screen = terminal.screen()
    assert "━" not in screen
    assert "  created  2 500  are new in the campaign\n" in screen
    took = re.search(r"  3 POSTs in (\d+\.\d) s", screen)
    assert took is not None
    assert float(took[1]) >= 4.0
    assert "Voiso allows" not in screen, "fewer than three full batches say little of the pace"
    assert "ended 0\n" in screen
    assert 0 == voiso_sandbox.too_early
    assert 3 == posts(voiso_sandbox)
    assert json.dumps(sorted(rows)) == json.dumps(sorted(voiso_sandbox.campaigns[3].leads))


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux stands in for a terminal")
@pytest.mark.parametrize("columns", [20, 40, 59])
def test_the_bar_of_a_narrow_terminal_stays_on_its_three_lines(
    terminal: Terminal, voiso_sandbox: Sandbox, tmp_path: Path, columns: int
) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=2.0)
    path = write_leads(tmp_path / "leads.csv", [*phones(2000), "letters", "12", ""])
    terminal = attrs.evolve(terminal, columns=columns)
    terminal.run("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox, tmp_path / "state"))
    eventually(lambda: re.search(r"^ *50% .*\n     .*\n     created 1", terminal.screen(), re.MULTILINE))
    lines = [line for line in terminal.screen().splitlines() if line.strip()]
    assert [len(lines) - 3] == [place for place, line in enumerate(lines) if re.match(" *[0-9]+% ", line)]
    assert ("━" in lines[-3]) == (columns > 30)
    eventually(lambda: "ended 3" in terminal.screen())
    assert not re.search("[0-9]%|━", terminal.screen().replace("100%", ""))


def on_terminal(*arguments: object, env: dict[str, str], columns: int = 80) -> tuple[int, str]:
    """Run a command on a terminal of its own; give its exit code, and all that was written, with every sign."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    size = {"COLUMNS": str(columns), "LINES": "30"}  # readline writes other ones into the environment
    process = begin(*arguments, env=env | size, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    return process.wait(PATIENCE), written.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_redraw_shows_plain_lines(
    voiso_sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    voiso_sandbox.add_campaign(id=3, name="Summer")
    path = write_leads(tmp_path / "leads.csv", [*phones(3), "letters"])
    env = settings_for(voiso_sandbox, tmp_path / "state") | {"TERM": kind}
    code, written = on_terminal("leads", "push", path, "--campaign", 3, env=env)
    assert (3, True) == (code, "created  3  are new in the campaign\n" in written)
    for command in (["campaigns", "list"], ["leads", "status"], ["doctor"], ["leads", "push", "--help"]):
        code, more = on_terminal(*command, env=env)
        assert 0 == code
        written += more
    assert not re.search(r"[\x1b\r\x08]", written)


def test_without_colours_there_are_none(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    env = settings_for(voiso_sandbox, tmp_path) | {"TERM": "xterm-256color"}
    coloured = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38;5)")
    assert coloured.search(on_terminal("campaigns", "list", env=env)[1])
    assert not coloured.search(on_terminal("campaigns", "list", env=env | {"NO_COLOR": "1"})[1])


@pytest.mark.parametrize("columns", [20, 40])
def test_a_narrow_terminal_shows_a_row_as_a_block_and_breaks_no_number_and_no_command(
    voiso_sandbox: Sandbox, tmp_path: Path, columns: int
) -> None:
    voiso_sandbox.add_campaign(id=1234, name="Summer renewals of the north")
    path = write_leads(tmp_path / "leads.csv", [*phones(1234), "letters"])
    env = settings_for(voiso_sandbox, tmp_path / "state") | {"TERM": "dumb"}
    code, written = on_terminal("leads", "push", path, "--campaign", 1234, env=env, columns=columns)
    assert 3 == code
    assert re.search(r"^  created  1 234 ", written, re.MULTILINE)
    assert re.search(r"^W.*: voiso leads results [0-9a-f]+ --rejects --out rejects.csv$", written, re.MULTILINE)
    written = on_terminal("campaigns", "list", env=env, columns=columns)[1]
    assert re.search(r"^ID +1234$", written, re.MULTILINE)
    assert re.search(r"^STATUS +active$", written, re.MULTILINE)
    assert {True} == {len(line) <= columns for line in written.splitlines()}
    assert re.search(r"^WAITING +0$", on_terminal("leads", "status", env=env, columns=columns)[1], re.MULTILINE)


def test_an_output_without_our_signs_gets_others(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3, name="Été")
    path = write_leads(tmp_path / "leads.csv", [*phones(3), "letters"])
    env = settings_for(voiso_sandbox, tmp_path / "state") | {"PYTHONIOENCODING": "ascii"}
    pushed = end(begin("leads", "push", path, "--campaign", 3, env=env))
    assert 'leads.csv -> campaign 3 "?t?" (live, active): job ' in pushed.err
    assert pushed.out.startswith('leads.csv -> campaign 3 "?t?" (live, active)\n')
    (campaign,) = end(begin("campaigns", "list", "--json", env=env)).lines
    assert "Été" == campaign["name"]
