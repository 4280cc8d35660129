"""What ``import voiso_async`` costs beside the library under it."""

import subprocess
import sys

from benchmarks.result import Line, Result, Target

__all__ = ["run"]

UNDER = "import aiohttp"
PROGRAM = """
import sys, time
began = time.process_time()
__import__(sys.argv[1])
sys.stdout.write(str(time.process_time() - began))
"""


def run(*, quick: bool) -> Result:
    """Import in turn, each time in a new interpreter; the cheapest round of each counts."""
    rounds = 3 if quick else 25
    spent = {"voiso_async": float("inf"), "aiohttp": float("inf")}
    for module in list(spent) * rounds:
        command = [sys.executable, "-c", PROGRAM, module]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        spent[module] = min(spent[module], float(done.stdout))
    return Result(
        name="start",
        title="processor time of an import",
        lines=(
            Line(
                what="import voiso_async",
                unit="ms",
                ours=1000 * spent["voiso_async"],
                peers={UNDER: 1000 * spent["aiohttp"]},
                targets=(Target("<=", 1.25, UNDER),),
            ),
        ),
    )
