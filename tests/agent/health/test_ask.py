"""Single probes against real servers and programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent.health.ask import ask
from agent.health.probe import ExecCheck, GrpcCheck, HttpCheck, Probe, TcpCheck
from tests.kit.eventually import eventually
from tests.kit.grpc_health_server import health_server
from tests.kit.tcp_server import scripted_server

HERE = "127.0.0.1"


def answer(status: int, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(("status", "well"), [(200, True), (204, True), (399, True), (400, False), (503, False)])
async def test_http_is_well_from_200_to_399(status: int, *, well: bool) -> None:
    """As kubelet has it."""
    async with scripted_server(lambda _: answer(status)) as server:
        failure = await ask(Probe(check=HttpCheck(port=server.port, path="/ready")), address=HERE)
        assert failure == ("" if well else f"GET http://{HERE}:{server.port}/ready: status {status}, want 200 to 399")
        assert server.heads[0].startswith(f"GET /ready HTTP/1.1\r\nhost: {HERE}:{server.port}\r\n")
        assert "user-agent: istio-probe/1.0\r\n" in server.heads[0]


async def test_http_headers_are_those_of_the_probe() -> None:
    """Host and User-Agent too; redirects to itself are followed."""
    async with scripted_server(
        lambda head: answer(302, "location: /there\r\n") if "/here" in head else answer(200)
    ) as server:
        headers = (("host", "web.example"), ("user-agent", "mine"), ("x-a", "b"))
        check = HttpCheck(port=server.port, path="/here", headers=headers)
        assert await ask(Probe(check=check), address=HERE) == ""
        for head in server.heads:
            assert "host: web.example\r\n" in head
            assert "user-agent: mine\r\n" in head
            assert "x-a: b\r\n" in head
        assert [head.split()[1] for head in server.heads] == ["/here", "/there"]


async def test_a_connection_is_all_that_tcp_asks() -> None:
    """At the host that the probe names, else at the workload's address."""
    async with scripted_server(lambda _: None) as server:
        assert await ask(Probe(check=TcpCheck(port=server.port)), address=HERE) == ""
        assert await ask(Probe(check=TcpCheck(port=server.port, host=HERE)), address="192.0.2.1") == ""
    refused = await ask(Probe(check=TcpCheck(port=server.port)), address=HERE)
    assert refused == f"TCP {HERE}:{server.port}: Connection refused"


async def test_grpc_must_say_serving() -> None:
    """Another word is a failure with that word in it."""
    async with health_server(good=1, bad=2) as port:
        assert await ask(Probe(check=GrpcCheck(port=port, service="good")), address=HERE) == ""
        failure = await ask(Probe(check=GrpcCheck(port=port, service="bad")), address=HERE)
        assert failure == f"gRPC health at {HERE}:{port}: the status is NOT_SERVING, want SERVING"


async def test_a_command_must_end_with_zero() -> None:
    """What it says of its failure is told, in part; one that is not there is a failure, too."""
    assert await ask(Probe(check=ExecCheck(command=("true",))), address=HERE) == ""
    assert await ask(Probe(check=ExecCheck(command=("false",))), address=HERE) == "false: status 1"
    failure = await ask(
        Probe(check=ExecCheck(command=("sh", "-c", "echo out; echo no disk >&2; exit 3"))), address=HERE
    )
    assert failure == "sh: status 3: no disk"
    missing = await ask(Probe(check=ExecCheck(command=("/nowhere/check",))), address=HERE)
    assert missing == "/nowhere/check: No such file or directory"


async def test_who_does_not_answer_in_time_is_not_well() -> None:
    """A command is killed, with all that it started."""
    async with scripted_server(lambda _: b"") as server:
        probe = Probe(check=HttpCheck(port=server.port), timeout_s=0.05)
        assert await ask(probe, address=HERE) == f"GET / of {HERE}:{server.port}: no answer within 0.05 s"


async def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """Probes come again and again; what hangs must not pile up."""
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ > {pids}; wait"
    probe = Probe(check=ExecCheck(command=("sh", "-c", script)), timeout_s=0.5)
    assert await ask(probe, address=HERE) == "sh: no answer within 0.5 s"
    for pid in map(int, pids.read_text().split()):
        await eventually(lambda p=pid: not _lives(p))
    assert sys.platform == "linux"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"
