"""The cost of ``import voiso_async`` beside that of the HTTP library alone."""

import compileall
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import voiso_async
from benchmarks.result import Line, Result, Target

UNDER = "import aiohttp"
PROGRAM = """
import sys, time
began = time.process_time()
__import__(sys.argv[1])
sys.stdout.write(str(time.process_time() - began))
"""


def run(*, quick: bool) -> Result:
    """Import alternately, each time in a new interpreter; the cheapest round of each counts."""
    rounds = 3 if quick else 25
    spent = {"voiso_async": float("inf"), "aiohttp": float("inf")}
    with _installed() as folder:
        for module in list(spent) * rounds:
            command = [sys.executable, "-c", PROGRAM, module]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603
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


@contextmanager
def _installed() -> Iterator[Path]:
    """Return a folder with the package and its bytecode, as installers leave it; a source tree may have none."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "voiso_async")
        shutil.copytree(Path(voiso_async.__file__).parent, package)
        compileall.compile_dir(package, quiet=1)
        yield Path(folder)
