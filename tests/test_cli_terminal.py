"""What a person sees on a terminal while leads are pushed."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import attrs
import pytest
from cli_runner import eventually, phones, posts, settings_for, write_leads

from voiso_async.sandbox import Sandbox


@attrs.frozen
class Terminal:
    """A terminal of 80 by 30 that can be read."""

    name: str

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout  # noqa: S603

    def run(self, *arguments: object, env: dict[str, str]) -> None:
        settings = [f"{name}={value}" for name, value in env.items()]
        words = ["env", *settings, sys.executable, "-m", "voiso_async.cli", *map(str, arguments)]
        shown = f"{shlex.join(words)}; echo ended $?; sleep 60"
        self.tmux("new-session", "-d", "-x", "80", "-y", "30", shown)

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
