from __future__ import annotations

import pytest

from tests.kit.analysis import found

NAMESPACE = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}\n"
DEPLOYMENT = (
    "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, "
    "spec: {template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}\n"
)


def _service(name: str, port: str, more: str = "") -> str:
    spec = f"selector: {{app: a}}, ports: [{{{port}}}]{more}"
    return f"---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ("port: 53, protocol: TCP", "port: 53, protocol: UDP", "IST0116"),
        ("port: 80, targetPort: 8080", "port: 81, targetPort: 8080", "IST0137"),
        ("port: 80", "port: 80", ""),
        ("port: 80", "port: 81", ""),
    ],
)
def test_services_of_a_deployment_agree(one: str, other: str, code: str) -> None:
    """On the protocol of a port, and on the port of a target."""
    name, services = "deployment.ServiceAssociationAnalyzer", _service("s", one) + _service("t", other)
    assert found(name, NAMESPACE + DEPLOYMENT + services) == ([f"{code} Deployment shop/d"] if code else [])
    assert found(name, DEPLOYMENT + services) == []


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ("{securityContext: {runAsUser: 1337}, containers: [{name: a}]}", True),
        ("{containers: [{name: a, securityContext: {runAsUser: 1337}}]}", True),
        ("{containers: [{name: istio-proxy, securityContext: {runAsUser: 1337}}]}", False),
        ("{securityContext: {runAsUser: 1337}, containers: [{name: istio-proxy}]}", False),
        ("{securityContext: {runAsUser: 1000}, containers: [{name: a}]}", False),
    ],
)
def test_the_proxys_user_is_its_own(spec: str, wrong: bool) -> None:
    """In the pod or in a container, of a Pod or of a Deployment."""
    name = "deployment.ApplicationUIDAnalyzer"
    pod = f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {spec}}}"
    deployment = (
        f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}, spec: {{template: {{spec: {spec}}}}}}}"
    )
    assert found(name, pod) == (["IST0144 Pod shop/p"] if wrong else [])
    assert found(name, deployment) == (["IST0144 Deployment shop/d"] if wrong else [])


def test_pods_without_a_proxy_run_as_whom_they_like() -> None:
    """As the control plane itself does."""
    spec = "{securityContext: {runAsUser: 1337}, containers: [{name: a}]}"
    metadata = '{name: p, labels: {sidecar.istio.io/inject: "false"}}'
    pod = f"{{apiVersion: v1, kind: Pod, metadata: {metadata}, spec: {spec}}}"
    assert found("deployment.ApplicationUIDAnalyzer", pod) == []


@pytest.mark.parametrize(
    ("port", "more", "code"),
    [
        ("port: 80, name: http-a", "", ""),
        ("port: 80, name: a", "", "IST0118"),
        ("port: 80", "", "IST0118"),
        ("port: 80, name: a, appProtocol: https", "", ""),
        ("port: 80, name: a, appProtocol: kubernetes.io/h2c", "", ""),
        ("port: 80, name: grpc-web-a", "", ""),
        ("port: 80, name: a, protocol: UDP", "", ""),
        ("port: 3306, name: a", "", ""),
        ("port: 80, name: tcp", ", type: ExternalName", "IST0150"),
        ("port: 80, name: tcp", "", ""),
        ("port: 80, name: http", ", type: ExternalName", ""),
    ],
)
def test_names_of_ports_tell_protocols(port: str, more: str, code: str) -> None:
    """Or the port itself does."""
    wanted = [f"{code} Service shop/s"] if code else []
    assert found("service.PortNameAnalyzer", _service("s", port, more)) == wanted
