"""The result of a benchmark: lines of figures, each beside its peers, its limit and its targets."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import asdict, field, frozen


@frozen
class Target:
    """``ours`` must be at most or at least ``value``, alone or times the figure of a peer or of ``"limit"``."""

    sign: Literal["<=", ">="]
    value: float
    against: str | None = None


@frozen(kw_only=True)
class Line:
    """One figure of ours, the same figure of peers, and the physical limit if there is one."""

    what: str
    unit: str
    ours: float
    peers: Mapping[str, float] = field(factory=dict)
    limit: float | None = None
    targets: tuple[Target, ...] = ()

    def ratio(self, against: str | None) -> float:
        """Our figure, as a multiple of a peer's or of the limit, or as it is."""
        if against is None:
            return self.ours
        reference = self.limit if against == "limit" else self.peers[against]
        return self.ours / reference if reference else float("inf")

    def meets(self, target: Target) -> bool:
        """Whether a target is reached."""
        ratio = self.ratio(target.against)
        return ratio <= target.value if target.sign == "<=" else ratio >= target.value


@frozen
class Series:
    """One curve of a picture; a histogram has values of ``x`` alone."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...] = ()


@frozen(kw_only=True)
class Picture:
    """A picture, for what a table shows badly."""

    kind: Literal["curves", "histogram"]
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


@frozen(kw_only=True)
class Result:
    """Everything that one benchmark measured."""

    name: str
    title: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    picture: Picture | None = None

    @property
    def missed(self) -> list[str]:
        """The lines that miss a target."""
        return [line.what for line in self.lines if not all(line.meets(target) for target in line.targets)]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values with the ratios, without the picture."""
        lines = [
            asdict(line)
            | {
                "targets": [
                    asdict(target) | {"ratio": line.ratio(target.against), "met": line.meets(target)}
                    for target in line.targets
                ]
            }
            for line in self.lines
        ]
        return {"benchmark": self.name, "title": self.title, "lines": lines, "notes": list(self.notes)}
