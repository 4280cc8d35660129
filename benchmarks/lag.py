"""The event loop under two hundred busy lanes: how late other code of the same process wakes."""

from benchmarks.fleet import PEERS, Scene, ours, run_fleet
from benchmarks.meter import percentile
from benchmarks.result import Line, Result, Target

NOTE = "the rest of a wait was taken by other processes of the machine, the server among them"


def run(*, quick: bool) -> Result:
    """Measure the loop's lag while all lanes are busy."""
    if quick:
        scene = Scene(campaigns=10, batches=3, server_time=0.05, cooldown=0.2)
    else:
        scene = Scene(campaigns=200, batches=10, server_time=0.5, cooldown=2.0)
    found = {"ours": run_fleet(scene, ours).lag}
    found |= {name: run_fleet(scene, peer).lag for name, peer in ({} if quick else PEERS).items()}
    lines = []
    for share, name in ((0.5, "median"), (0.99, "p99"), (0.999, "p99.9")):
        late = {who: 1000 * percentile(lag.samples, share) for who, lag in found.items()}
        held = {who: 1000 * percentile(lag.held, share) for who, lag in found.items()}
        targets = (Target("<=", 20),) if share == 0.999 else ()
        lines.append(Line(what=name, unit="ms", ours=late.pop("ours"), peers=late, targets=targets))
        what = f"{name}, of that at work"
        lines.append(Line(what=what, unit="ms", ours=held.pop("ours"), peers=held))
    return Result(
        name="lag", title=f"loop lag with {scene.campaigns} busy lanes", lines=tuple(lines), notes=(NOTE,)
    )
