"""Rules of WorkloadGroup."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"template": {}}, []),
        ({}, ["template"]),
        ({"template": {"ports": {"http": 0}}}, ["template.ports['http']"]),
        ({"template": {"address": "unix:///a", "ports": {"http": 80}}}, ["template.ports"]),
        ({"template": {}, "probe": {"periodSeconds": 5}}, ["probe"]),
        ({"template": {}, "probe": {"tcpSocket": {"port": 0}}}, ["probe.tcpSocket.port"]),
        (
            {"template": {}, "probe": {"httpGet": {"port": 70000, "scheme": "FTP"}}},
            ["probe.httpGet.port", "probe.httpGet.scheme"],
        ),
        ({"template": {}, "probe": {"grpc": {"port": 0}}}, ["probe.grpc.port"]),
        ({"template": {}, "probe": {"exec": {"command": []}}}, ["probe.exec.command"]),
        (
            {"template": {}, "probe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "a b"}]}}},
            ["probe.httpGet.httpHeaders[0].name"],
        ),
        ({"template": {}, "probe": {"failureThreshold": -1}}, ["probe.failureThreshold"]),
        ({"template": {}, "probe": {"exec": {"command": ["true"]}, "grpc": {"port": 1}}}, ["probe"]),
    ],
)
def test_template_and_probe(spec: dict[str, Any], where: list[str]) -> None:
    """A template has no address of its own, a probe has one way to ask."""
    assert errors("WorkloadGroup", spec) == where
