"""Two hundred campaigns in one process: the pace that each keeps, and the cost."""

from benchmarks.fleet import PEERS, FleetRun, Scene, ours, run_fleet
from benchmarks.result import Line, Picture, Result, Series, Target

CURVE = (1, 10, 50, 100, 200)


def run(*, quick: bool) -> Result:
    """Run all campaigns, then draw how the throughput grows with their number."""
    scene = _scene(10, 3, quick=quick) if quick else _scene(200, 20, quick=quick)
    found = run_fleet(scene, ours)
    # a peer that falls behind would take many times as long: a quarter of the batches shows its pace
    peers = {
        name: run_fleet(_scene(scene.campaigns, max(scene.batches // 4, 2), quick=quick), peer)
        for name, peer in PEERS.items()
    }
    return Result(
        name="lanes",
        title=f"{scene.campaigns} campaigns in one process, {scene.batches} full batches each",
        lines=(
            Line(
                what="throughput of all",
                unit="leads/s",
                ours=_speed(scene, found),
                peers={name: _speed(scene, peer) for name, peer in peers.items()},
                limit=scene.ceiling,
                targets=(Target(">=", 0.99, "limit"),),
            ),
            Line(
                what="share of the ceiling, the slowest campaign",
                unit="",
                ours=min(found.shares),
                peers={name: min(peer.shares) for name, peer in peers.items()},
                limit=1.0,
                targets=(Target(">=", 0.99, "limit"),),
            ),
            Line(
                what="processor seconds per second",
                unit="cores",
                ours=found.processor,
                peers={name: peer.processor for name, peer in peers.items()},
                targets=(Target("<=", 1.0),),
            ),
            Line(what="refused as too early", unit="", ours=float(found.too_early)),
        ),
        notes=("a peer's processor figure is for the leads that it managed to send",),
        picture=_picture(quick=quick),
    )


def _scene(campaigns: int, batches: int, *, quick: bool) -> Scene:
    times = {"server_time": 0.05, "cooldown": 0.2} if quick else {"server_time": 0.5, "cooldown": 2.0}
    return Scene(campaigns=campaigns, batches=batches, **times)


def _speed(scene: Scene, fleet_run: FleetRun) -> float:
    return scene.ceiling * sum(fleet_run.shares) / len(fleet_run.shares)


def _picture(*, quick: bool) -> Picture:
    counts = CURVE[:2] if quick else CURVE
    scenes = [_scene(count, 3 if quick else 5, quick=quick) for count in counts]
    fleets = {"ours": ours, **({} if quick else PEERS)}
    series = [
        Series(name, tuple(map(float, counts)), tuple(_speed(scene, run_fleet(scene, fleet)) for scene in scenes))
        for name, fleet in fleets.items()
    ]
    limit = Series("physical limit", tuple(map(float, counts)), tuple(scene.ceiling for scene in scenes))
    return Picture(
        kind="curves",
        title="Throughput of one process",
        x_label="campaigns",
        y_label="leads per second",
        series=(*series, limit),
    )
