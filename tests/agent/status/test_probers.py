"""The table of the application's probes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.status.probers import GrpcProbe, HttpProbe, Probe, ProbeTableError, TcpProbe, is_probe_path, parse_probes

PATH = "/app-health/web/readyz"


@pytest.mark.parametrize(
    ("entry", "probe"),
    [
        ({"httpGet": {"port": 8080}}, HttpProbe(port=8080)),
        (
            {"httpGet": {"path": "ready?x=1", "port": 1, "scheme": "HTTPS", "host": ""}, "timeoutSeconds": 3},
            HttpProbe(port=1, path="/ready?x=1", tls=True, timeout_s=3),
        ),
        ({"httpGet": {"path": "/a b/é?c=%20d#e", "port": 1}}, HttpProbe(port=1, path="/a%20b/%C3%A9?c=%20d")),
        ({"tcpSocket": {"port": 5432}, "timeoutSeconds": 1}, TcpProbe(port=5432, timeout_s=1)),
        ({"grpc": {"port": 9000, "service": "x"}}, GrpcProbe(port=9000, service="x")),
        ({"gRPC": {"Port": 9000, "service": None}, "httpGet": None}, GrpcProbe(port=9000)),
    ],
)
def test_entries(entry: dict[str, Any], probe: Probe) -> None:
    """Each kind with its defaults; keys in any case, as injectors of all ages wrote them."""
    assert parse_probes(json.dumps({PATH: entry})) == {PATH: probe}


def test_no_table_is_no_probe() -> None:
    """Most workloads on machines have none."""
    assert parse_probes("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "want an object"),
        ('{"/other": {"grpc": {"port": 1}}}', "/app-health/"),
        ('{"/app-health/a/b/livez": {"grpc": {"port": 1}}}', "/app-health/"),
        ('{"/app-health/a/livez": 1}', "found int"),
        ('{"/app-health/a/livez": {}}', "exactly one"),
        ('{"/app-health/a/livez": {"grpc": {"port": 1}, "tcpSocket": {"port": 1}}}', "found 2"),
        ('{"/app-health/a/livez": {"grpc": {"port": "http"}}}', "port 'http'"),
        ('{"/app-health/a/livez": {"tcpSocket": {"port": 0}}}', "port 0"),
        ('{"/app-health/a/livez": {"httpGet": {"port": 1, "scheme": "FTP"}}}', "'FTP'"),
        ('{"/app-health/a/livez": {"tcpSocket": {"port": 1}, "timeoutSeconds": -1}}', "timeoutSeconds"),
    ],
)
def test_faults_are_told_with_their_place(text: str, words: str) -> None:
    """The agent does not start with a table that it would not serve."""
    with pytest.raises(ProbeTableError, match=words):
        parse_probes(text)


def test_paths() -> None:
    """Health checks and lifecycle hooks are the application's."""
    assert is_probe_path("/app-health/x/livez")
    assert is_probe_path("/app-lifecycle/x/prestopz")
    assert not is_probe_path("/healthz/ready")
