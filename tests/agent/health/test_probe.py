"""Probes as groups write them, and what thresholds make of outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from agent.health.probe import (
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    Probe,
    ProbeError,
    TcpCheck,
    Verdicts,
    parse_probe,
)


@pytest.mark.parametrize(
    ("document", "check"),
    [
        ({"httpGet": {"port": 80}}, HttpCheck(port=80)),
        (
            {
                "httpGet": {
                    "port": 8443,
                    "path": "ready",
                    "scheme": "HTTPS",
                    "host": "10.0.0.9",
                    "httpHeaders": [{"name": "Host", "value": "web"}, {"name": "X-A", "value": "b"}],
                }
            },
            HttpCheck(port=8443, path="/ready", host="10.0.0.9", tls=True, headers=(("host", "web"), ("x-a", "b"))),
        ),
        ({"http_get": {"port": 80}}, HttpCheck(port=80)),
        ({"tcpSocket": {"port": 5432, "host": "127.0.0.1"}}, TcpCheck(port=5432, host="127.0.0.1")),
        ({"grpc": {"port": 9090, "service": "web"}}, GrpcCheck(port=9090, service="web")),
        ({"exec": {"command": ["/bin/check", "-v"]}}, ExecCheck(command=("/bin/check", "-v"))),
    ],
)
def test_every_kind_with_its_defaults(document: dict[str, Any], check: Any) -> None:
    """Those of the reference: 1 s, every 10 s, thresholds of 1, no delay."""
    assert parse_probe(document) == Probe(check=check)
    timed = {"timeoutSeconds": 2, "periodSeconds": 3, "successThreshold": 4, "failureThreshold": 5}
    found = parse_probe({**document, **timed, "initialDelaySeconds": 6})
    assert found == Probe(
        check=check, timeout_s=2, period_s=3, success_threshold=4, failure_threshold=5, initial_delay_s=6
    )
    assert parse_probe({**document, "periodSeconds": 0}) == Probe(check=check)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "exactly one of httpGet, tcpSocket, grpc, exec, found none"),
        ({"httpGet": {"port": 1}, "grpc": {"port": 1}}, "found httpGet, grpc"),
        ({"httpGet": []}, "readinessProbe.httpGet: want an object"),
        ({"httpGet": {}}, "readinessProbe.httpGet.port is None"),
        ({"tcpSocket": {"port": 65536}}, "readinessProbe.tcpSocket.port is 65536"),
        ({"grpc": {"port": "http"}}, "readinessProbe.grpc.port is 'http'"),
        ({"httpGet": {"port": 1, "scheme": "ftp"}}, "scheme is 'ftp'"),
        ({"httpGet": {"port": 1, "httpHeaders": [{"value": "x"}]}}, "httpHeaders"),
        ({"exec": {"command": "ls"}}, "readinessProbe.exec.command is 'ls'"),
        ({"exec": {}}, "readinessProbe.exec.command is None"),
        ({"grpc": {"port": 1}, "periodSeconds": -1}, "readinessProbe.periodSeconds is -1"),
    ],
)
def test_what_cannot_be_used_says_where(document: dict[str, Any], told: str) -> None:
    """The agent does not start with a probe that would never pass."""
    with pytest.raises(ProbeError) as error:
        parse_probe(document)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("success", "failure", "outcomes", "changes"),
    [
        (1, 1, "+++--+", "+..-.+"),
        (1, 1, "--+", "-.+"),
        (2, 3, "++--+---", ".+.....-"),
        (2, 3, "+-+-+-++", ".......+"),
        (1, 2, "-+--", ".+.-"),
    ],
)
def test_thresholds_count_outcomes_that_follow_each_other(
    success: int, failure: int, outcomes: str, changes: str
) -> None:
    """And only a change of state is one: outcomes above, changes below them."""
    verdicts = Verdicts(Probe(check=TcpCheck(port=1), success_threshold=success, failure_threshold=failure))
    found = "".join(outcome if verdicts.take(well=outcome == "+") else "." for outcome in outcomes)
    assert found == changes
