"""What happened to a world, as text: one step a line, so that a failure can be kept and played again."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine_world import World

__all__ = ["FOLDER", "LAST_FAILURE", "kept_if_it_fails", "play", "written"]

FOLDER = Path(__file__).parent / "schedules" / "machine"
LAST_FAILURE = FOLDER / "last-failure.txt"

Step = tuple[str, dict[str, Any]]


def written(steps: list[Step]) -> str:
    return "".join(f"{name} {json.dumps(values)}\n" for name, values in steps)


def read(text: str) -> list[Step]:
    """Read what was ``written``; lines that begin with # are remarks."""
    lines = [line.partition(" ") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, json.loads(values)) for name, _, values in lines]


@contextmanager
def kept_if_it_fails(steps: list[Step]) -> Iterator[None]:
    """Write failing steps down: the last ones that are tried are the fewest, and played from then on."""
    try:
        yield
    except BaseException:
        LAST_FAILURE.write_text(written(steps))
        raise


def play(text: str) -> None:
    """Let it happen once more."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            for name, values in read(text):
                getattr(world, name)(**values)
                world.check()
            world.end()
        finally:
            world.leave_off()
