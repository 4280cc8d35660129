"""The command line: called in this process, or run as a process of its own, against a sandbox in a thread."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from voiso_async.cli.app import run
from voiso_async.sandbox import Sandbox

COMMAND = (sys.executable, "-m", "voiso_async.cli")
CANARY_KEY = "canary-key-5f1c"
SETTINGS = ("VOISO_API_KEY", "VOISO_API_KEY_FILE", "VOISO_BASE_URL", "VOISO_CLUSTER")
PATIENCE = 40


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
    def complaint(self) -> str:
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

    def use(self, sandbox: Sandbox) -> None:
        """Point the environment at a sandbox."""
        for name, value in settings_for(sandbox).items():
            self.env.setenv(name, value)


def settings_for(sandbox: Sandbox) -> dict[str, str]:
    """Where a sandbox is, and its key."""
    return {"VOISO_BASE_URL": sandbox.url, "VOISO_API_KEY": sandbox.key}


def begin(*arguments: object, env: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    """Start the command in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *map(str, arguments)], text=True, env={**inherited, **env}, **{**streams, **options}
    )


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
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command line without any setting."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return Shell(capsys, monkeypatch)


@pytest.fixture
def sandbox_shell(shell: Shell, voiso_sandbox: Sandbox) -> Shell:
    """The command line, pointed at a sandbox with the campaign 3 and three users, two of them in it."""
    for number, name in enumerate(("Ada Moss", "Ben Tanaka", "Chidi Obi"), start=1):
        voiso_sandbox.add_user(id=number, name=name)
    voiso_sandbox.add_campaign(id=3, name="Summer", user_ids=[1, 2])
    shell.use(voiso_sandbox)
    return shell
