"""``python -m benchmarks [name ...]``: measure, print tables, write one line of JSON each, draw pictures."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.catalogue import BENCHMARKS, measure
from benchmarks.picture import draw
from benchmarks.table import markdown_rows, show

HEADING = ("| benchmark | what | measured | target | |", "| --- | --- | --- | --- | --- |")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(BENCHMARKS)}; or all")
    parser.add_argument("--quick", action="store_true", help="a smoke run: everything small, nothing judged")
    parser.add_argument("--out", type=Path, help="the folder for results; else a temporary one")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks. The exit code is 0 unless one could not run: a missed target is only reported."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.names} - {*BENCHMARKS}):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    out: Path = options.out or Path(tempfile.mkdtemp(prefix="voiso-benchmarks-"))
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=max(140, Console().width))
    began = time.monotonic()
    rows = [row for name in options.names or BENCHMARKS for row in _run(name, out, console, quick=options.quick)]
    console.print(f"results are in {out}; {time.monotonic() - began:.0f} s in all", markup=False)
    if not options.quick:
        (out / "summary.md").write_text("\n".join([*HEADING, *rows]) + "\n", encoding="utf-8")
    return 0


def _run(name: str, out: Path, console: Console, *, quick: bool) -> list[str]:
    result = measure(name, quick=quick)
    show(result, console, judge=not quick)
    with (out / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(_circumstances(quick=quick) | result.as_dict()) + "\n")
    if result.picture is not None:
        draw(result.picture, out / f"{name}.png")
    return [] if quick else markdown_rows(result)


def _circumstances(*, quick: bool) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    sys.exit(main())
