"""Pictures of results, as PNG files."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.result import Picture

BINS = 60


def draw(picture: Picture, path: Path) -> None:
    """Write a picture to a file."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for series in picture.series:
        if picture.kind == "histogram":
            axes.hist(series.x, bins=BINS, alpha=0.6, label=series.name)
        else:
            axes.plot(series.x, series.y, marker="." if len(series.x) < 40 else "", label=series.name)
    axes.set(title=picture.title, xlabel=picture.x_label, ylabel=picture.y_label)
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=120)
