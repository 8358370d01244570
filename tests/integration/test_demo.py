"""The demo as its users run it: real control plane, agents and Envoys, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from examples.demo.fleet import MARK
from examples.demo.layout import Variant

ROOT = Path(__file__).parents[2]
DEADLINE_S = 90.0

pytestmark = pytest.mark.envoy


@asynccontextmanager
async def _demo(directory: Path, *flags: str) -> AsyncIterator[Process]:
    """The demo in its own session; the end of the block kills it, whose children then end with it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "examples.demo", *flags),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},  # noqa: TID251 - what a user's shell would pass
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _left(directory: Path) -> list[Path]:
    return list(directory.glob("pilot-*"))


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place for everything that the demo writes, with a path short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.mark.parametrize("variant", Variant)
async def test_every_claim_holds(directory: Path, variant: Variant) -> None:
    """`make demo-once` ends with status 0, which it does only if it saw all that it claims; and cleans up.

    However configuration travels: among the claims is that no Envoy rejects any of it.
    """
    async with _demo(directory, "--once", f"--variant={variant}") as demo:
        output, _ = await demo.communicate()
    text = output.decode()
    assert demo.returncode == 0, text
    assert "FAIL" not in text
    assert re.search(r"All \d+ claims hold", text)
    assert _left(directory) == []


async def test_it_stays_until_interrupted(directory: Path) -> None:
    """Without `--once` the mesh serves until Ctrl-C, and that is no failure."""
    async with _demo(directory) as demo:
        assert demo.stdout is not None
        async for line in demo.stdout:
            if b"read the logs" in line:
                break
        demo.send_signal(signal.SIGINT)
        rest, _ = await demo.communicate()
    assert demo.returncode == 0, rest.decode()
    assert "nothing is left behind: 0 processes left" in rest.decode()
    assert _left(directory) == []


async def test_an_early_interruption_is_told_from_success(directory: Path) -> None:
    """Ctrl-C before all was shown ends everything with the status that shells give to it."""
    async with _demo(directory) as demo:
        assert demo.stdout is not None
        async for line in demo.stdout:
            if b"Starting 7 workloads" in line:
                break
        demo.send_signal(signal.SIGINT)
        rest, _ = await demo.communicate()
    assert demo.returncode == 130, rest.decode()
    assert _left(directory) == []


async def test_a_process_that_dies_is_named_and_nothing_is_left(directory: Path) -> None:
    """The status is 1, the log's end is shown, and the working directory stays for a look at the rest."""
    async with _demo(directory) as demo:
        assert demo.stdout is not None
        async for line in demo.stdout:
            if b"One request as user" in line:
                break
        (kept,) = _left(directory)
        os.kill(_child_named(kept.name, "examples.apps.bookinfo"), signal.SIGKILL)
        rest, _ = await demo.communicate()
    text = rest.decode()
    assert demo.returncode == 1, text
    assert "ended by itself" in text
    assert "The end of" in text
    assert _left(directory) == [kept]
    assert _children(kept.name) == {}


def _children(mark: str) -> dict[int, str]:
    """Processes of one demo by id, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text()
        except OSError:
            continue  # gone, or not ours
    return found


def _child_named(mark: str, word: str) -> int:
    return next(pid for pid, command in _children(mark).items() if word in command)
