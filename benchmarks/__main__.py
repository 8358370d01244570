"""``python -m benchmarks``: start the server, connect sidecars, change things, print the table, write the results.

Exits 0 also when a budget is missed: a miss is reported, not hidden, and not a failure of the measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

import benchmarks.engine
import benchmarks.rendering  # noqa: F401 - registers its questions
from benchmarks import inprocess
from benchmarks.cluster import running_cluster
from benchmarks.dns import measure_dns
from benchmarks.effective import measure_agent, measure_effect
from benchmarks.mesh import Mesh, Shape
from benchmarks.processes import (
    FLOOR,
    PILOT_DISCOVERY,
    PILOT_DISCOVERY_CLUSTER,
    PILOT_DISCOVERY_SECURE,
    MeasuringError,
)
from benchmarks.report import describe_machine, render_table, write_results
from benchmarks.rows import Row, row
from benchmarks.scenarios import Setup, measure

__all__ = ["flatness", "main"]

_FLAT = {
    "flat_endpoint_change": "endpoint_change_cpu_per_proxy",
    "flat_virtual_service_change": "virtual_service_change_cpu_per_proxy",
}


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--server",
        default=PILOT_DISCOVERY,
        help="command line of the control plane; may name {python} {dir} {grpc} {http} {monitoring}. "
        "'floor' measures the bare gRPC server of benchmarks/floor.py",
    )
    parser.add_argument(
        "--source", choices=("directory", "cluster"), default="directory", help="where the mesh is kept (directory)"
    )
    parser.add_argument("--mode", choices=("delta", "sotw"), default="delta")
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.KUBERNETES)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--sidecars", type=int, nargs="+", default=[200, 1000], help="one run each (200 1000)")
    parser.add_argument("--large", type=int, default=4000, help="services of the flatness run; 0 leaves it out (4000)")
    parser.add_argument(
        "--probe",
        type=int,
        default=3000,
        help="services of the run at a real Envoy; 0 leaves it out (3000)",
    )
    parser.add_argument("--quiet", type=float, default=1.0, help="seconds without a response that end a change (1)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "latest.json")
    parser.add_argument("--keep", type=Path, help="keep meshes and logs in this directory")
    parser.add_argument("--no-inprocess", action="store_true", help="leave out what needs no server")
    return parser.parse_args(argv)


def _setups(arguments: argparse.Namespace) -> list[Setup]:
    command = FLOOR if arguments.server == "floor" else arguments.server
    mesh = Mesh(services=arguments.services, endpoints=arguments.endpoints, shape=arguments.shape)
    large = Mesh(services=arguments.large, endpoints=arguments.endpoints, shape=arguments.shape)
    runs = [(mesh, sidecars) for sidecars in arguments.sidecars]
    if arguments.large:
        runs.append((large, min(arguments.sidecars)))
    flags = ("--mode", arguments.mode)
    return [Setup(mesh=m, sidecars=n, command=command, flags=flags, quiet_s=arguments.quiet) for m, n in runs]


def flatness(smaller: Sequence[Row], larger: Sequence[Row]) -> list[Row]:
    """Cost per proxy of the larger run over that of the smaller: 1 where size does not matter."""
    if not smaller or not larger:
        return []
    title = f"{larger[0].scenario} over {smaller[0].scenario}"
    before, after = ({r.name: r.value for r in rows} for rows in (smaller, larger))
    return [
        row(name, title, after[figure] / before[figure], "x") for name, figure in _FLAT.items() if before.get(figure)
    ]


async def _measure_in_clusters(setups: Sequence[Setup], scratch: Path) -> list[Row]:
    """Each setup in an API server of its own."""
    rows: list[Row] = []
    for number, setup in enumerate(setups):
        with running_cluster() as cluster:
            inside = msgspec.structs.replace(setup, cluster=cluster, command=PILOT_DISCOVERY_CLUSTER)
            _say(f"{inside.title()} {cluster.version}")
            directory = scratch / f"cluster-{number}"
            directory.mkdir(parents=True)
            rows += await measure(inside, directory)
    return rows


async def _measure_all(setups: Sequence[Setup], scratch: Path) -> list[Row]:
    runs: list[list[Row]] = []
    for number, setup in enumerate(setups):
        _say(setup.title())
        directory = scratch / str(number)
        directory.mkdir(parents=True)
        runs.append(await measure(setup, directory))
    rows = [r for rows in runs for r in rows]
    for run in runs[1:]:
        rows += flatness(runs[0], run)
    return rows


async def _measure_at_envoy(setup: Setup, scratch: Path, *, services: int) -> list[Row]:
    """What needs an agent and a real Envoy: agent rows with the mesh of the setup, edits with ``services``."""
    rows: list[Row] = []
    large = msgspec.structs.replace(setup.mesh, services=services)
    for name, question, mesh in (("agent", measure_agent, setup.mesh), ("probe", measure_effect, large)):
        directory = scratch / name
        directory.mkdir(parents=True)
        _say(f"{mesh.title()}, {name}")
        rows += await question(msgspec.structs.replace(setup, mesh=mesh, command=PILOT_DISCOVERY_SECURE), directory)
    return rows


async def _all(arguments: argparse.Namespace, scratch: Path) -> list[Row]:
    setups = _setups(arguments)
    if arguments.source == "cluster":
        return await _measure_in_clusters(setups, scratch)
    rows = await _measure_all(setups, scratch)
    if arguments.probe and arguments.server == PILOT_DISCOVERY:
        rows += await _measure_at_envoy(setups[0], scratch, services=arguments.probe)
    return rows


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; gives the exit status."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    with tempfile.TemporaryDirectory(prefix="pilot-mesh-bench-") as temporary:
        scratch: Path = arguments.keep or Path(temporary)
        try:
            rows = asyncio.run(_all(arguments, scratch))
        except MeasuringError as failure:
            logs = [text for log in sorted(scratch.glob("*/*.log")) for text in (f"--- {log}", _tail(log))]
            print("\n".join(logs), f"cannot measure: {failure}", sep="\n", file=sys.stderr)
            return 1
    skipped: list[str] = []
    if not arguments.no_inprocess:
        _say("the DNS proxy")
        rows += measure_dns()
        inner, skipped = inprocess.run_all()
        rows += inner
    write_results(arguments.out, rows, {"server": arguments.server, "mode": arguments.mode})
    print(render_table(rows))
    for line in skipped:
        print(f"not run: {line}")
    print(f"{describe_machine()}; written to {arguments.out}")
    return 0


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main())
