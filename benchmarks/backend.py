"""Starts the server in its own process, and reads the times that it recorded."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from urllib.request import urlopen

import msgspec
from attrs import frozen

KEY = "bench-key"


class Log(msgspec.Struct):
    """Each lead call as (campaign, began, ended, rows) by the server's clock, and the number of early ones."""

    calls: list[tuple[int, float, float, int]]
    too_early: int

    def cycles(self, campaign: int) -> list[float]:
        """Seconds from the start of one lead call to the start of the next."""
        began = [call[1] for call in self.calls if call[0] == campaign]
        return [later - earlier for earlier, later in pairwise(began)]

    def gaps(self) -> list[float]:
        """Seconds from the end of each lead call to the start of its campaign's next."""
        by_campaign: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for campaign, began, ended, _ in self.calls:
            by_campaign[campaign].append((began, ended))
        return [later[0] - earlier[1] for calls in by_campaign.values() for earlier, later in pairwise(calls)]


@frozen
class Backend:
    """A running server."""

    url: str

    @property
    def api(self) -> str:
        """The base URL of every call."""
        return f"{self.url}/api/v4"

    def log(self) -> Log:
        """Read the times recorded so far."""
        with urlopen(f"{self.url}/log") as answer:  # noqa: S310 - our own server
            return msgspec.json.decode(answer.read(), type=Log)


@contextmanager
def backend(
    *,
    cooldown: float = 0.0,
    server_time: float = 0.0,
    latency: float = 0.0,
    users: int = 0,
    new_fields: bool = False,
) -> Iterator[Backend]:
    """Run the server during the block."""
    options = {"cooldown": cooldown, "server-time": server_time, "latency": latency, "users": users}
    settings = [f"--{name}={value}" for name, value in options.items()] + ["--new-fields"] * new_fields
    command = [sys.executable, "-m", "benchmarks.server", *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the server has no pipes")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the server did not start")
        try:
            yield Backend(url)
        finally:
            process.stdin.close()
