"""``python -m voiso_async.sandbox``: serve sample data until Ctrl-C."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from voiso_async.sandbox.rules import COOLDOWN_SECONDS, Rules
from voiso_async.sandbox.server import DEFAULT_KEY, LOOPBACK, Sandbox, serve

PORT = 8765
HISTORY_LIMIT = 100  # a demonstration may run for days


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m voiso_async.sandbox",
        description="Serve a local Voiso with sample data; the first line printed is its URL.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on, 0 for a free one")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the API key, with every scope")
    parser.add_argument("--cooldown", type=float, default=COOLDOWN_SECONDS, help="seconds between lead requests")
    parser.add_argument("--server-time", type=float, default=0.0, help="seconds a lead request takes")
    return parser


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code is 0, or 1 if the port is taken."""
    options = _parser().parse_args(arguments)
    rules = Rules(cooldown=options.cooldown, server_time=options.server_time)
    sandbox = Sandbox(
        rules=rules,
        key=options.key,
        host=options.host,
        port=options.port,
        sample=True,
        history_limit=HISTORY_LIMIT,
    )
    try:
        asyncio.run(serve(sandbox, _announce))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
