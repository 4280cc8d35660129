"""``voiso demo``: the whole of it in fifteen seconds, without an account."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter, validators

from voiso_async.cli.common import Connection, Exit
from voiso_async.cli.outboxes import Place
from voiso_async.cli.reading import leads_of
from voiso_async.cli.run import Load, Watch
from voiso_async.cli.sample import FEWEST, MOST, Sample, write_sample
from voiso_async.cli.sandbox import PORT, advice
from voiso_async.cli.sending import Trip
from voiso_async.cli.show import counted, note
from voiso_async.cli.signals import Signals
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError, VoisoError
from voiso_async.files import open_leads
from voiso_async.outbox import SqliteOutbox

__all__ = ["demo"]

CAMPAIGN = 3
KEY = "sandbox-key"
START_SECONDS = 20.0
END_SECONDS = 5.0


async def demo(
    *,
    leads: Annotated[int, Parameter(validator=validators.Number(gte=FEWEST, lte=MOST))] = 3000,
    server_time: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=60))] = 0.4,
    keep_csv: Path | None = None,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Watch a push from beginning to end: a local Voiso, a file with every kind of trouble, the real pace.

    Nothing leaves this machine.

    Parameters
    ----------
    leads
        Rows of the file.
    server_time
        Seconds the local Voiso takes for each call.
    keep_csv
        Write the file here and keep it.
    """
    with tempfile.TemporaryDirectory(prefix="voiso-demo-") as folder:
        path = keep_csv or Path(folder) / "leads.csv"
        sample = _written(path, leads)
        async with _sandbox(server_time) as url:
            note(f"a local Voiso runs on {url}, with the rules of the real one")
            code = await _pushed(url, path, Path(folder) / "demo.db", sample, signals)
    if code not in (Exit.OK, Exit.NOT_ALL) or signals.number is not None:
        return code
    kept = "" if keep_csv is None else f" ({path} is kept)"
    print(f"\nNow by hand{kept}: run voiso sandbox, and in another shell", flush=True)
    print(advice(f"http://127.0.0.1:{PORT}", KEY), end="", flush=True)
    return Exit.OK


async def _pushed(url: str, path: Path, kept_in: Path, sample: Sample, signals: Signals) -> int:
    watch = Watch(signals)
    async with (
        SqliteOutbox(kept_in) as outbox,
        VoisoClient(KEY, base_url=url, outbox=outbox, on_event=watch.meter) as voiso,
        await open_leads(path) as leads,
    ):
        campaign = await voiso.campaigns.get(CAMPAIGN)
        await voiso.leads.add(CAMPAIGN, sample.known)
        await anyio.sleep(max(lane.opens_in for lane in voiso.lanes()))
        note(f"{counted(len(sample.known))} of the {counted(sample.rows)} leads are in the campaign already")
        note("pushing the file: 1000 leads a call, two seconds apart")
        load = Load(leads=leads_of(leads, keyed=False), campaign=CAMPAIGN, rows=sample.rows)
        trip = Trip(watch, outbox, Place(outbox=kept_in), Connection(base_url=url), json=False, passing=True)
        job = await outbox.begin(name=path.name)
        return await trip.send(voiso, job, f'{path.name} → campaign {CAMPAIGN} "{campaign.name}"', load=load)


def _written(path: Path, rows: int) -> Sample:
    try:
        return write_sample(path, rows)
    except FileExistsError:
        fault = "there is such a file already"
    except OSError:
        fault = "it cannot be written there"
    raise ConfigurationError(f"--keep-csv: {fault}; choose another path")


@asynccontextmanager
async def _sandbox(server_time: float) -> AsyncIterator[str]:
    """Run the sandbox as a process of its own, out of reach of this terminal's Ctrl-C; end it whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voiso_async.sandbox"),
        *("--port", "0", "--key", KEY, "--server-time", str(server_time)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield await _first_line(process)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _first_line(process: asyncio.subprocess.Process) -> str:
    line = b""
    with anyio.move_on_after(START_SECONDS):
        line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise VoisoError("the sandbox did not start")
    return line.decode().strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    with anyio.move_on_after(END_SECONDS):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
