from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from discovery.runtime.http import Response
from tests.kit.admin import ScriptedAdmin, serving

_ROOT = Path(__file__).resolve().parents[2]


async def _run(*args: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[int | None, str, str]:
    """Status, output and errors of the real program."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), **(env or {})}  # noqa: TID251
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", *args, cwd=cwd, env=environ, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def test_help_groups_flags_and_names_defaults() -> None:
    """A newcomer finds what there is without other papers."""
    text = CliRunner().invoke(cli, ["proxy", "--help"]).output
    for words in ("Identity:", "Envoy:", "Logging:", "--proxyLogLevel", "[default: warning]", "without effect:"):
        assert words in text


@pytest.mark.parametrize(
    ("args", "words"), [((), "pilot-agent "), (("-s",), "0."), (("-o", "yaml"), "clientVersion:\n  version:")]
)
def test_version_is_told(args: tuple[str, ...], words: str) -> None:
    """In one line, alone, or as data."""
    assert words in CliRunner().invoke(cli, ["version", *args]).output


def test_version_as_json() -> None:
    """With the release whose contracts are kept."""
    document = json.loads(CliRunner().invoke(cli, ["version", "-o", "json"]).output)
    assert document["clientVersion"]["istioVersion"].startswith("1.")


@pytest.mark.parametrize(
    ("args", "env", "errors"),
    [
        (("proxy", "waypoint"), {}, ["Error: proxy type 'waypoint' is not served by this agent"]),
        (
            ("proxy",),
            {"PROXY_CONFIG": '{"proxyAdminPort": 0, "statusPort": -1}'},
            ["Error: ProxyConfig proxyAdminPort is 0", "Error: ProxyConfig statusPort is -1"],
        ),
        (("proxy", "--log_output_level", "loud"), {}, ["Error: log level 'loud'"]),
        (("proxy", "--binary-path", "/nonexistent"), {}, ["Error: Envoy binary '/nonexistent' is no executable file"]),
        (("proxy",), {"ISTIO_META_DNS_CAPTURE": "yes"}, ["Error: node metadata DNS_CAPTURE: 'yes' is no boolean"]),
        (("proxy",), {"WORKLOAD_IDENTITY_SOCKET_FILE": "spire"}, ["nobody serves"]),
        (("nonsense",), {}, ["Error: No such command 'nonsense'"]),
    ],
)
async def test_errors_are_lines_and_status_255(
    tmp_path: Path, args: tuple[str, ...], env: dict[str, str], errors: list[str]
) -> None:
    """One line for each finding, no stack trace."""
    env = {"PROXY_CONFIG": '{"controlPlaneAuthPolicy": "NONE"}', **env}
    if args[0] == "proxy" and "--binary-path" not in args:
        args = (*args, "--binary-path", "/bin/true")
    status, _, err = await _run(*args, cwd=tmp_path, env=env)
    assert status == 255
    for error in errors:
        assert error in err
    assert "Traceback" not in err


async def test_a_missing_root_is_told_at_the_start(tmp_path: Path) -> None:
    """Not minutes later by an Envoy that never becomes ready; what was begun is cleaned up."""
    ports = '{"statusPort": 0, "discoveryAddress": "127.0.0.1:1"}'
    status, _, err = await _run("proxy", "--binary-path", "/bin/true", cwd=tmp_path, env={"PROXY_CONFIG": ports})
    assert status == 255
    assert "root-cert.pem" in err
    assert not (tmp_path / "etc/istio/proxy/envoy-rev.json").exists()


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Response(body=b"yes"), 0), (Response(status=404, body=b"no"), 0), (Response(status=500, body=b"no"), 255)],
)
async def test_request_prints_the_answer(tmp_path: Path, answer: Response, status: int) -> None:
    """The body alone; 404 is an answer, other failures are failures."""
    handler = ScriptedAdmin(drain=answer)
    async with serving(handler) as target:
        result = await _run("request", "post", "drain", "body", "--debug-port", str(target.port), cwd=tmp_path)
    assert result[:2] == (status, answer.body.decode())
    assert (handler.asked[0].method, handler.asked[0].body) == ("POST", b"body")


async def test_wait_ends_when_ready(tmp_path: Path) -> None:
    """Status 0 on 200, 255 when time is over."""
    handler = ScriptedAdmin(ready=Response())
    flags = ("--timeoutSeconds", "1", "--periodMillis", "10")
    async with serving(handler) as target:
        good = await _run("wait", "--url", f"http://{target}/ready", *flags, cwd=tmp_path)
        bad = await _run("wait", "--url", f"http://{target}/no", "--unknown", "x", *flags, cwd=tmp_path)
    assert good[0] == 0
    assert bad[0] == 255
    assert "last answer: status 404" in bad[2]
