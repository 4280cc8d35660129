"""``voiso sandbox``: a local Voiso to try things on."""

from typing import Annotated

from cyclopts import Parameter, validators

from voiso_async.cli.common import Exit, Json
from voiso_async.cli.render.tables import complain, show_json
from voiso_async.sandbox import Rules, Sandbox, serve

PORT = 8765
REMEMBERED = 100  # exchanges; a sandbox may run for days

Seconds = Annotated[float, Parameter(validator=validators.Number(gte=0))]


async def sandbox(
    *,
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))] = PORT,
    cooldown: Seconds = 2.0,
    server_time: Seconds = 0.0,
    json: Json = False,
) -> int:
    """Run a local Voiso with sample data, until Ctrl-C.

    It enforces the rules of the real one: keys, 1000 leads a call, one call at a time and two seconds apart.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    cooldown
        Seconds that must lie between two calls that add leads to one campaign.
    server_time
        Seconds that such a call takes.
    """
    rules = Rules(cooldown=cooldown, server_time=server_time)
    local = Sandbox(rules=rules, port=port, sample=True, history_limit=REMEMBERED)

    def announce(url: str) -> None:
        if json:
            show_json({"url": url, "key": local.key})
            return
        print(f"A local Voiso with sample data listens on {url}; Ctrl-C ends it. In another shell:", flush=True)
        print(advice(url, local.key), flush=True)

    try:
        await serve(local, announce)
    except OSError as error:
        reason = "the port is in use or not allowed" if error.errno else str(error)
        complain(f"cannot listen on port {port}: {reason}; choose another with --port")
        return Exit.ERROR
    return Exit.OK


def advice(url: str, key: str) -> str:
    """Say how to point the other commands at a sandbox."""
    return f"""
  export VOISO_BASE_URL={url}
  export VOISO_API_KEY={key}

  voiso campaigns list
  voiso demo --keep-csv leads.csv           # makes a file to push
  voiso leads push leads.csv --campaign 3
"""
