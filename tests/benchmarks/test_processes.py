import sys
from pathlib import Path

import pytest

from benchmarks.processes import LoadGenerator, MeasuringError, Server, free_ports


def test_ports_are_free_and_different() -> None:
    """One port for each name."""
    ports = free_ports("a", "b")
    assert ports.keys() == {"a", "b"}
    assert ports["a"] != ports["b"]


async def test_a_server_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    """Nothing is measured of a server that is not there."""
    command = f"{sys.executable} -S -c 'print(\"no {{dir}}\"); raise SystemExit(3)'"
    with pytest.raises(MeasuringError, match=r"ended with 3, see .*server.log"):
        async with Server(command, tmp_path / "mesh", tmp_path / "server.log"):
            pass
    assert (tmp_path / "server.log").read_text() == f"no {tmp_path / 'mesh'}\n"


async def test_a_generator_that_ends_is_told(tmp_path: Path) -> None:
    """Wrong flags end it at once; the command that finds out says where to look."""
    async with LoadGenerator("127.0.0.1:1", tmp_path / "loadgen.log", ["--mode", "nonsense"]) as generator:
        with pytest.raises(MeasuringError, match="the generator ended at 'report', see"):
            await generator.ask("report")
    assert "invalid Variant value" in (tmp_path / "loadgen.log").read_text()
