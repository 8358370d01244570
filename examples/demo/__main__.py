"""``python -m examples.demo [--once]``: start the mesh, show it, stay until Ctrl-C (or end), leave nothing behind."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from discovery.runtime.race import first_of
from discovery.runtime.supervise import stop_on_signals
from examples.demo import claims
from examples.demo.claims import Claim
from examples.demo.errors import DemoError
from examples.demo.fleet import Fleet, left_over
from examples.demo.layout import Block, Variant, read_workloads
from examples.demo.mesh import EXAMPLES, Mesh, prepare
from examples.demo.place import claimed_block
from examples.demo.report import Report
from examples.demo.story import Story

__all__ = ["main"]

_INTERRUPTED: Final = 130


class _Options(NamedTuple):
    once: bool
    variant: Variant


async def _run(directory: Path, block: Block, report: Report, options: _Options) -> list[Claim] | None:
    """The claims; None if it was interrupted before all was told."""
    until = asyncio.Event()
    stop_on_signals(until)
    mark = directory.name
    mesh = prepare(directory, block, options.variant)
    told: list[Claim] | None = None
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(group, directory, mark=mark)
        story = Story(fleet, mesh, report, mark=mark)
        try:
            if await first_of(_tell(story), _interruption(until)):
                told = story.claims
                if not options.once:
                    _invite(report, mesh)
                    await until.wait()
        finally:
            report.title("Stopping")
            await fleet.stop()
    left = claims.judge_leftovers(await left_over(mark))
    report.claim(left)
    return None if told is None else [*told, left]


async def _tell(story: Story) -> bool:
    await story.tell()
    return True


async def _interruption(until: asyncio.Event) -> bool:
    await until.wait()
    return False


def _invite(report: Report, mesh: Mesh) -> None:
    """What a newcomer may try while it runs."""
    client = mesh.member("client").workload
    report.title("The mesh is yours until Ctrl-C")
    report.lines(
        [
            f"look inside      http://{mesh.monitoring}/debug",
            f"send a request   curl -s -H 'Host: productpage:9080' http://{client.address}:9080/",
            f"steer traffic    edit {mesh.traffic_file}",
            f"read the logs    {mesh.directory / 'logs'}",
        ]
    )


def _causes(error: BaseException) -> list[DemoError]:
    if isinstance(error, BaseExceptionGroup):
        return [cause for inner in error.exceptions for cause in _causes(inner)]
    if isinstance(error, DemoError):
        return [error]
    raise error


def _demonstrate(report: Report, options: _Options) -> int:
    """The exit status; the working directory is kept if something failed, for its logs."""
    workloads = read_workloads((EXAMPLES / "bookinfo" / "workloads.yaml").read_text(encoding="utf-8"))
    directory = Path(tempfile.mkdtemp(prefix="pilot-mesh-demo-"))
    status, started_at = 1, time.monotonic()
    try:
        with claimed_block(workloads) as block:
            told = asyncio.run(_run(directory, block, report, options))
        if told is None:
            status = _INTERRUPTED
        elif all(claim.holds for claim in told):
            status = 0
            report.title(f"All {len(told)} claims hold, {time.monotonic() - started_at:.1f} s after the start.")
        else:
            report.title("These claims do not hold:")
            for claim in told:
                if not claim.holds:
                    report.claim(claim)
    except* DemoError as failed:
        for error in _causes(failed):
            report.failure(error)
        left = claims.judge_leftovers(asyncio.run(left_over(directory.name)))
        if not left.holds:
            report.claim(left)
    if status == 1:
        report.lines([f"Logs and configuration are kept in {directory}"])
    else:
        shutil.rmtree(directory)
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and give its exit status: 0 only if every claim holds."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="The bookinfo mesh on real Envoys.")
    parser.add_argument("--once", action="store_true", help="end when all is shown, instead of at Ctrl-C")
    parser.add_argument(
        "--variant",
        type=Variant,
        choices=list(Variant),
        default=Variant.DELTA,
        help="how configuration travels: only differences, those with whole route configurations, or whole states "
        "(default: %(default)s)",
    )
    given = parser.parse_args(argv)
    return _demonstrate(Report(), _Options(given.once, given.variant))


if __name__ == "__main__":
    sys.exit(main())
