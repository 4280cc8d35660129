"""The command line: called in this process, or run as a process of its own, against a sandbox in a thread."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from voiso_async import LanePolicy
from voiso_async.cli.app import run
from voiso_async.sandbox import Sandbox
from voiso_async.testing import COOLDOWN

COMMAND = (sys.executable, "-m", "voiso_async.cli")
CANARY_KEY = "canary-key-5f1c"
PACED = """
import functools, sys, voiso_async.client as client, voiso_async.cli.run as run
client.LanePolicy = functools.partial(client.LanePolicy, cooldown={pace}, doubt_backoff={pace})
run.GRACE_SECONDS = {grace}
from voiso_async.cli import main
main()
"""
"""The command at another pace, and with another patience after a signal; the shell itself has no such options."""
GRACE = 30.0
LONG = 150.0
"""A pace at which no second POST leaves, and a patience that none needs, before the end of a test."""
SETTINGS = (
    *("VOISO_API_KEY", "VOISO_API_KEY_FILE", "VOISO_BASE_URL", "VOISO_CLUSTER"),
    *("VOISO_OUTBOX", "VOISO_ACCOUNT", "XDG_STATE_HOME"),
)
PATIENCE = 120


@frozen
class Ended:
    """How a command ended; none of its texts may hold the canary key or a traceback."""

    code: int
    out: str
    err: str = field()

    @err.validator
    def _check(self, _: Any, err: str) -> None:
        assert "Traceback" not in err
        assert CANARY_KEY not in self.out + err

    @property
    def message(self) -> str:
        """The one line that says what went wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("voiso: ")]
        assert 1 == len(lines), self.err
        return lines[0]

    @property
    def lines(self) -> list[Any]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@frozen
class Shell:
    """Call commands in this process, with no setting but those given here."""

    capture: pytest.CaptureFixture[str]
    env: pytest.MonkeyPatch

    def __call__(self, *arguments: object) -> Ended:
        """Run a command."""
        code = run([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        return Ended(int(code), out, err)

    def use(self, sandbox: Sandbox, state: Path) -> None:
        """Point the environment at a sandbox, and keep outboxes in a folder of the test."""
        for name, value in settings_for(sandbox, state).items():
            self.env.setenv(name, value)


def settings_for(sandbox: Sandbox, state: Path) -> dict[str, str]:
    """Where a sandbox is, its key, and the folder of the outboxes."""
    return {"VOISO_BASE_URL": sandbox.url, "VOISO_API_KEY": sandbox.key, "XDG_STATE_HOME": str(state)}


def begin(
    *arguments: object,
    env: Mapping[str, str],
    quick: bool = False,
    pace: float = COOLDOWN,
    grace: float = GRACE,
    **options: Any,
) -> "subprocess.Popen[str]":
    """Start the command in a process of its own; a quick one keeps the pace of the sandbox of these tests."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    quick = quick or (pace, grace) != (COOLDOWN, GRACE)
    command = (sys.executable, "-c", PACED.format(pace=pace, grace=grace)) if quick else COMMAND
    return subprocess.Popen(  # noqa: S603 - our own command
        [*command, *map(str, arguments)], text=True, env={**inherited, **env}, **{**streams, **options}
    )


def eventually(holds: Callable[[], object]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def posts(sandbox: Sandbox) -> int:
    """How many calls that write leads a sandbox has seen."""
    return sum(exchange.path.endswith("/leads") for exchange in sandbox.history)


def report_of(ended: Ended) -> dict[str, Any]:
    """The last line of a command with --json: its counts balance."""
    report: dict[str, Any] = ended.lines[-1]
    assert ("report", True) == (report["event"], report["balanced"])
    assert report["rows"] == sum(report["counts"].values()) + report["waiting"]
    return report


def end(process: "subprocess.Popen[str]", given: str | None = None) -> Ended:
    """Wait for its end."""
    with process:
        try:
            out, err = process.communicate(given, timeout=PATIENCE)
        finally:
            process.kill()
    return Ended(process.returncode, out or "", err or "")


def phones(count: int) -> Sequence[str]:
    """Numbers reserved for fiction, at most 2000."""
    return [str(first + place) for first in (441632960000, 447700900000) for place in range(1000)][:count]


def write_leads(path: Path, rows: Sequence[str], header: str = "phone_number") -> Path:
    """Write a file of leads."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """The command line without any setting, at the pace of the sandbox of these tests."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    quick = partial(LanePolicy, cooldown=COOLDOWN, doubt_backoff=COOLDOWN)
    monkeypatch.setattr("voiso_async.client.LanePolicy", quick)
    return Shell(capsys, monkeypatch)


@pytest.fixture
def sandbox_shell(shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> Shell:
    """The command line, pointed at a sandbox with the campaign 3 and three users, two of them in it."""
    for number, name in enumerate(("Ada Moss", "Ben Tanaka", "Chidi Obi"), start=1):
        voiso_sandbox.add_user(id=number, name=name)
    voiso_sandbox.add_campaign(id=3, name="Summer", user_ids=[1, 2])
    shell.use(voiso_sandbox, tmp_path / "state")
    return shell
