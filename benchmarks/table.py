"""Prints results as tables, for a terminal and for a README."""

from rich.console import Console
from rich.table import Table

from benchmarks.result import Line, Result, Target


def show(result: Result, console: Console, *, judge: bool) -> None:
    """Print a result; with ``judge`` also whether each target was reached."""
    table = Table("what", title=f"{result.name}: {result.title}", title_justify="left")
    for heading in ("ours", "peers", "limit", "ratio", "target"):
        table.add_column(heading, justify="left" if heading in ("peers", "target") else "right")
    for line in result.lines:
        table.add_row(*_cells(line, judge=judge))
    console.print(table)
    for note in result.notes:
        console.print(f"  {note}", markup=False)


def markdown_rows(result: Result) -> list[str]:
    """Return the lines with targets as rows of a Markdown table: what, ratio or figure, target, reached."""
    return [
        f"| {result.name} | {line.what} | {_ratio(line, target)} | {_target(target)} | {_met(line, target)} |"
        for line in result.lines
        for target in line.targets
    ]


def _cells(line: Line, *, judge: bool) -> list[str]:
    against = [target.against for target in line.targets if target.against is not None]
    compared = against or [*line.peers] or (["limit"] if line.limit is not None else [])
    verdicts = [_target(target) + (f" {_met(line, target)}" if judge else "") for target in line.targets]
    return [
        line.what,
        f"{_figure(line.ours)} {line.unit}",
        "\n".join(f"{name} {_figure(value)}" for name, value in line.peers.items()),
        "" if line.limit is None else _figure(line.limit),
        "\n".join(f"{line.ratio(name):.3g} x {name}" for name in compared),
        "\n".join(verdicts),
    ]


def _ratio(line: Line, target: Target) -> str:
    if target.against is None:
        return f"{_figure(line.ours)} {line.unit}"
    return f"{line.ratio(target.against):.3g} x {target.against}"


def _target(target: Target) -> str:
    return f"{target.sign} {target.value:.4g}" + (f" x {target.against}" if target.against else "")


def _met(line: Line, target: Target) -> str:
    return "reached" if line.meets(target) else "MISSED"


def _figure(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3g}"
