"""Reads a spreadsheet of two million contacts, as on its way into the outbox."""

import asyncio
import csv
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.apart import apart
from benchmarks.leads import phone
from benchmarks.meter import megabytes, peak_megabytes
from benchmarks.result import Line, Result, Target
from voiso_async.files import open_leads
from voiso_async.outbox import SqliteOutbox

PART = 10_000
WARM = 2000


def run(*, quick: bool) -> Result:
    """Read the same file with this package and with the plain csv module, each in its own process."""
    rows = 20_000 if quick else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "leads.csv"), Path(folder, "small.csv")
        _write(path, rows)
        _write(small, WARM)
        seconds, growth = apart(_ours, path, small, rows)
        plain, plain_growth = apart(_plain, path, small)
    peer = "csv, executemany"
    return Result(
        name="files",
        title=f"{rows} CSV rows to the outbox",
        lines=(
            Line(
                what="rows stored",
                unit="rows/s",
                ours=rows / seconds,
                peers={peer: rows / plain},
                targets=(Target(">=", 60_000),),
            ),
            Line(
                what="memory growth",
                unit="MB",
                ours=growth,
                peers={peer: plain_growth},
                targets=(Target("<=", 80),),
            ),
        ),
        notes=(f"{peer}: no check of any field, unchecked JSON, as durable",),
    )


def _write(path: Path, rows: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Phone", "Name", "Priority", "X-Plan"])
        writer.writerows([f"+{phone(number)}", f"Customer {number}", "5", "gold"] for number in range(rows))


def _ours(path: Path, small: Path, rows: int) -> tuple[float, float]:
    asyncio.run(_stored(small, WARM))
    before = megabytes()
    began = time.perf_counter()
    asyncio.run(_stored(path, rows))
    return time.perf_counter() - began, max(0.0, peak_megabytes() - before)


async def _stored(path: Path, rows: int) -> None:
    async with SqliteOutbox(path.with_suffix(".db")) as outbox, open_leads(path) as leads:
        job = await outbox.put(3, leads)
        if job.report.rows != rows or job.report.pending != rows:
            raise RuntimeError(f"{job.report} of {rows} rows")


def _plain(path: Path, small: Path) -> tuple[float, float]:
    _stored_plainly(small)
    before = megabytes()
    began = time.perf_counter()
    _stored_plainly(path)
    return time.perf_counter() - began, max(0.0, peak_megabytes() - before)


def _stored_plainly(path: Path) -> None:
    connection = sqlite3.connect(path.with_suffix(".plain"))
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE leads (id INTEGER PRIMARY KEY, phone INT, body BLOB, state INT)")
    with path.open(newline="", encoding="utf-8") as file:
        rows = _rows(csv.DictReader(file))
        while part := list(islice(rows, PART)):
            connection.executemany("INSERT INTO leads (phone, body, state) VALUES (?, ?, 0)", part)
            connection.commit()
    connection.close()


def _rows(reader: Iterator[dict[str, str]]) -> Iterator[tuple[int, bytes]]:
    for row in reader:
        number = row["Phone"].removeprefix("+")
        lead = {
            "phone_number": number,
            "name": row["Name"],
            "priority": int(row["Priority"]),
            "context_headers": {"X-Plan": row["X-Plan"]},
        }
        yield int(number), msgspec.json.encode(lead)
