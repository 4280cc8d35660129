"""A file of leads for a demonstration: names are invented, numbers come from ranges reserved for fiction."""

import asyncio
import csv
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import anyio
from attrs import frozen
from cyclopts import Parameter, validators

from voiso_async.cli.commands.sandbox import PORT, advice
from voiso_async.cli.common import Connection, Exit
from voiso_async.cli.file_options import leads_of
from voiso_async.cli.outbox_option import OutboxOption
from voiso_async.cli.render.tables import counted, note
from voiso_async.cli.run import Load, Monitor, SendContext
from voiso_async.cli.signals import Signals
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError, VoisoError
from voiso_async.files import open_leads
from voiso_async.outbox import SqliteOutbox

FEWEST, MOST = 100, 50_000
KNOWN_SHARE, REPEATED_SHARE, INVALID_SHARE = 0.05, 0.02, 0.012
SEED = 2026

HEADER = ("Customer ID", "Phone number", "First name", "Last name", "Priority", "Active", "Source", "X-Plan")
FIRST_NAMES = ("Ada", "Ben", "Chidi", "Dora", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam")
LAST_NAMES = ("Moss", "Tanaka", "Obi", "Lind", "Kaya", "Ade", "Holm", "Reyes", "Rocha", "Falk", "Novak", "Byrne")
PLANS = ("gold", "silver", "basic")
UNUSABLE = (
    "",
    "ask for it",
    "07700 900123",
    "4.41633E+11",
    "2025550147",
    "12025550147 ext 7",
    "+44 (0)1632 960456",
    "960123",
)
"""What stands where a number should: each is refused for another reason."""

UK_RANGES = (range(441632960100, 441632961000), range(447700900000, 447700901000))  # the sandbox knows the rest
AREA_CODES = range(201, 990)  # in each, 555-0100 to 555-0199


@frozen(kw_only=True)
class Sample:
    """What was written: how many rows, and which of their phones the campaign should know already."""

    rows: int
    known: Sequence[str]


def write_sample(path: Path, rows: int) -> Sample:
    """Write a new file of so many rows; some are unusable, some repeat an earlier one. Same rows, same file."""
    dice = random.Random(SEED)  # noqa: S311 - a demonstration that is the same each time
    repeated, unusable = int(rows * REPEATED_SHARE), int(rows * INVALID_SHARE)
    phones = list(islice(_phones(), rows - repeated - unusable))
    known = phones[:: round(1 / KNOWN_SHARE)]
    cells = [_as_people_write(phone, dice) for phone in phones]
    for _ in range(repeated):
        place = dice.randrange(len(phones))
        cells.insert(dice.randrange(place, len(cells) + 1), _as_people_write(phones[place], dice))
    for turn in range(unusable):
        cells.insert(dice.randrange(len(cells) + 1), UNUSABLE[turn % len(UNUSABLE)])
    with path.open("x", encoding="utf-8", newline="") as file:
        _write(file, cells, dice)
    return Sample(rows=len(cells), known=known)


def _write(file: TextIO, cells: Sequence[str], dice: random.Random) -> None:
    table = csv.writer(file)
    table.writerow(HEADER)
    for number, phone in enumerate(cells, start=1):
        names = (dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES))
        table.writerow((f"C-{number:05}", phone, *names, dice.randint(1, 9), "yes", "demo", dice.choice(PLANS)))


def _phones() -> Iterator[str]:
    for numbers in UK_RANGES:
        yield from map(str, numbers)
    for area in AREA_CODES:
        if area % 100 != 11:  # such codes are services, not areas
            yield from (f"1{area}5550{last}" for last in range(100, 200))


def _as_people_write(phone: str, dice: random.Random) -> str:
    """Write a number as people do: bare, with a plus, or with blanks."""
    return dice.choice((phone, f"+{phone}", f"+{phone[:2]} {phone[2:6]} {phone[6:]}"))


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
    watch = Monitor(signals)
    async with (
        SqliteOutbox(kept_in) as outbox,
        VoisoClient(KEY, base_url=url, outbox=outbox, on_event=watch.meter) as voiso,
        open_leads(path) as leads,
    ):
        campaign = await voiso.campaigns.get(CAMPAIGN)
        await voiso.leads.add(CAMPAIGN, sample.known)
        await anyio.sleep(max(lane.opens_in for lane in voiso.lanes()))
        note(f"{counted(len(sample.known))} of the {counted(sample.rows)} leads are in the campaign already")
        note("pushing the file: 1000 leads a call, two seconds apart")
        load = Load(leads=leads_of(leads, keyed=False), campaign=CAMPAIGN, rows=sample.rows)
        context = SendContext(
            watch, outbox, OutboxOption(outbox=kept_in), Connection(base_url=url), json=False, temporary=True
        )
        job = await outbox.begin(name=path.name)
        return await context.send(voiso, job, f'{path.name} → campaign {CAMPAIGN} "{campaign.name}"', load=load)


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
