"""Probes that go through the agent."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from discovery.inject.errors import PodError
from discovery.inject.probes import rewrite_probes


def pod(*, annotations: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    """A pod with a proxy and one container."""
    ports = [{"name": "http", "containerPort": 80}]
    app = {"name": "app", "ports": ports, **container}
    return {"metadata": {"annotations": annotations or {}}, "spec": {"containers": [app, {"name": "istio-proxy"}]}}


def rewritten(subject: dict[str, Any], **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The application's container, and the agent's table."""
    rewrite_probes(subject, **{"enabled": True, "status_port": 15020, **settings})
    app, proxy = subject["spec"]["containers"]
    tables = [variable["value"] for variable in proxy.get("env", ()) if variable["name"] == "ISTIO_KUBE_APP_PROBERS"]
    return app, json.loads(tables[0]) if tables else {}


@pytest.mark.parametrize(
    ("kind", "probe", "path", "known", "left"),
    [
        (
            "readinessProbe",
            {"httpGet": {"path": "/x", "port": "http"}},
            "readyz",
            {"httpGet": {"path": "/x", "port": 80}},
            {},
        ),
        (
            "livenessProbe",
            {"tcpSocket": {"port": 5432}, "periodSeconds": 3},
            "livez",
            {"tcpSocket": {"port": 5432}},
            {"periodSeconds": 3},
        ),
        (
            "startupProbe",
            {"grpc": {"port": 9000, "service": "s"}, "timeoutSeconds": 2},
            "startupz",
            {"grpc": {"port": 9000, "service": "s"}, "timeoutSeconds": 2},
            {"timeoutSeconds": 2},
        ),
        ("readinessProbe", {"httpGet": {"port": "8080"}}, "readyz", {"httpGet": {"port": 8080}}, {}),
    ],
)
def test_each_kind_of_probe(kind: str, probe: dict[str, Any], path: str, known: Any, left: dict[str, Any]) -> None:
    """The kubelet asks the agent, which finds the original with its port's number; the rest of the probe stays."""
    app, table = rewritten(pod(**{kind: probe}))
    assert app[kind] == {"httpGet": {"path": f"/app-health/app/{path}", "port": 15020}, **left}
    assert table == {f"/app-health/app/{path}": known}


def test_https_becomes_http_to_the_agent() -> None:
    """The agent asks the application by HTTPS; headers are sent on by the kubelet."""
    headers = [{"name": "X", "value": "y"}]
    app, table = rewritten(pod(livenessProbe={"httpGet": {"port": 1, "scheme": "HTTPS", "httpHeaders": headers}}))
    assert app["livenessProbe"]["httpGet"]["scheme"] == "HTTP"
    assert app["livenessProbe"]["httpGet"]["httpHeaders"] == headers
    assert table["/app-health/app/livez"]["httpGet"]["scheme"] == "HTTPS"


def test_hooks() -> None:
    """Requests of hooks too, commands not."""
    lifecycle = {"preStop": {"httpGet": {"port": 1}}, "postStart": {"tcpSocket": {"port": 2}}}
    app, table = rewritten(pod(lifecycle=lifecycle))
    assert app["lifecycle"]["preStop"]["httpGet"]["path"] == "/app-lifecycle/app/prestopz"
    assert app["lifecycle"]["postStart"] == {"httpGet": {"path": "/app-lifecycle/app/poststartz", "port": 15020}}
    assert set(table) == {"/app-lifecycle/app/prestopz", "/app-lifecycle/app/poststartz"}


@pytest.mark.parametrize(
    ("subject", "settings"),
    [
        (pod(readinessProbe={"exec": {"command": ["true"]}}), {}),
        (pod(readinessProbe={"httpGet": {"port": "unknown"}}), {}),
        (pod(readinessProbe={"httpGet": {"port": 80}}), {"enabled": False}),
        (pod(readinessProbe={"httpGet": {"port": 80}}), {"status_port": 0}),
        (
            pod(
                readinessProbe={"httpGet": {"port": 80}},
                annotations={"sidecar.istio.io/rewriteAppHTTPProbers": "false"},
            ),
            {},
        ),
    ],
)
def test_what_is_left_alone(subject: dict[str, Any], settings: dict[str, Any]) -> None:
    """Commands, ports without a number, and all where it is switched off."""
    before = copy.deepcopy(subject)
    _, table = rewritten(subject, **settings)
    assert subject == before
    assert table == {}


def test_annotations_decide() -> None:
    """They switch on what the mesh has off, and name the port."""
    annotations = {"sidecar.istio.io/rewriteAppHTTPProbers": "true", "status.sidecar.istio.io/port": "15099"}
    app, table = rewritten(pod(annotations=annotations, readinessProbe={"httpGet": {"port": 80}}), enabled=False)
    assert app["readinessProbe"]["httpGet"]["port"] == 15099
    assert table


def test_a_second_time_changes_nothing() -> None:
    """The table of the first time stays, for the originals are only there; new probes are added to it."""
    subject = pod(readinessProbe={"httpGet": {"port": 80}})
    rewritten(subject)
    before = copy.deepcopy(subject)
    rewritten(subject)
    assert subject == before
    subject["spec"]["containers"][0]["livenessProbe"] = {"tcpSocket": {"port": 1}}
    _, table = rewritten(subject)
    assert set(table) == {"/app-health/app/readyz", "/app-health/app/livez"}


def test_init_containers_that_stay_are_probed_too() -> None:
    """Native sidecars of others."""
    subject = pod()
    subject["spec"]["initContainers"] = [{"name": "side", "readinessProbe": {"tcpSocket": {"port": 1}}}]
    _, table = rewritten(subject)
    assert set(table) == {"/app-health/side/readyz"}


def test_a_broken_table_is_told() -> None:
    """It is ours, so somebody edited it."""
    subject = pod()
    subject["spec"]["containers"][1]["env"] = [{"name": "ISTIO_KUBE_APP_PROBERS", "value": "{"}]
    with pytest.raises(PodError, match="remove the variable"):
        rewrite_probes(subject, enabled=True, status_port=15020)
