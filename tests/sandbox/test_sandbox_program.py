"""``python -m voiso_async.sandbox``, and ``serve``."""

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from sandbox_caller import eventually

from voiso_async.sandbox import Sandbox, serve

PROGRAM = [sys.executable, "-m", "voiso_async.sandbox"]


async def test_serve_announces_and_ends_at_a_signal() -> None:
    told: list[str] = []
    serving = asyncio.create_task(serve(Sandbox(), told.append))
    await eventually(lambda: told)
    assert told[0].startswith("http://127.0.0.1:")
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(serving, 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_prints_its_url_serves_and_ends_cleanly(number: signal.Signals) -> None:
    options = ["--port", "0", "--key", "my-key", "--cooldown", "0", "--server-time", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*PROGRAM, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        request = urllib.request.Request(  # noqa: S310 - a loopback URL
            f"{url}/api/v4/campaigns?limit=5", headers={"Authorization": "Bearer my-key"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - a loopback URL
            page = json.load(reply)
        child.send_signal(number)
        rest, complaints = child.communicate(timeout=60)
    assert (5, 12) == (len(page["campaigns"]), page["metadata"]["total"])
    assert (0, "", "") == (child.returncode, rest, complaints)


def test_the_program_says_in_one_line_that_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, "--port", str(port)], capture_output=True, text=True, timeout=60, check=False
        )
    assert (1, "") == (done.returncode, done.stdout)
    assert f"cannot listen on 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}\n" == done.stderr
