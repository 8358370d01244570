from __future__ import annotations

from collections.abc import Mapping

from discovery.schema.findings import Finding, Severity
from discovery.schema.meta import Origin
from discovery.validation.analyze.mesh import schema_messages, services_across_clusters
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.analyze.world import World
from tests.kit.analysis import found

SECRET = (
    "{apiVersion: v1, kind: Secret, metadata: {name: s, labels: {istio/multiCluster: 'true'}}, data: {remote: eA==}}"
)


def test_networks_are_of_known_registries() -> None:
    """The own cluster, and those of remote secrets."""
    networks = {"networks": {"n": {"endpoints": [{"fromRegistry": name} for name in ("Kubernetes", "remote", "x")]}}}
    wanted = ["IST0126 MeshNetworks istio-system/meshnetworks"]
    assert found("multicluster.MeshNetworksAnalyzer", SECRET, networks=networks) == wanted
    assert found("multicluster.MeshNetworksAnalyzer", SECRET) == []


def test_key_sets_are_fetched_with_care() -> None:
    """Where there are policies that have them fetched."""
    name, env = "authn.BlockedCIDRsAnalyzer", "env: [{name: BLOCKED_CIDRS_IN_JWKS_URIS, value: 10.0.0.0/8}]"
    policy = "---\n{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: r}}\n"
    deployment = (
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod, labels: {app: istiod}}, "
        "spec: {template: {spec: {containers: [{name: discovery, ENV}]}}}}\n"
    )
    bare = deployment.replace(", ENV", "")
    assert found(name, bare) == []
    assert found(name, bare + policy) == ["IST0175 Deployment shop/istiod"]
    assert found(name, deployment.replace("ENV", env) + policy) == []


def test_old_fields_are_told() -> None:
    """Those that have successors."""
    route = "{fault: {delay: {percent: 5}}, corsPolicy: {allowOrigin: [a]}}"
    head = "apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v}"
    text = f"{{{head}, spec: {{http: [{route}]}}}}"
    assert found("deprecation.FieldAnalyzer", text) == ["IST0002 VirtualService shop/v"] * 2


def test_conditions_that_failed() -> None:
    """Of objects of the mesh only."""
    status = "status: {conditions: [{type: Accepted, status: 'False'}]}"
    text = f"{{apiVersion: API, kind: Sidecar, metadata: {{name: s}}, {status}}}"
    name = "conditions.ConditionAnalyzer"
    assert found(name, text.replace("API", "networking.istio.io/v1")) == ["IST0171 Sidecar shop/s"]
    assert found(name, text.replace("API", "example.com/v1")) == []


def test_services_are_the_same_everywhere() -> None:
    """Type, ports and whether they are headless."""

    def service(cluster: str, spec: Mapping[str, object]) -> list[Resource]:
        document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
        read = read_resources(document, origin=Origin(), namespace="shop", cluster=cluster)
        return [entry for entry in read if isinstance(entry, Resource)]

    port = {"ports": [{"port": 80}]}
    one = service("one", port)
    assert list(services_across_clusters(World(one + service("two", port)))) == []
    (message,) = services_across_clusters(World(one + service("two", {"clusterIP": "None"})))
    assert (message.code, message.resource) == ("IST0170", "Service shop/s")
    assert "their ports" in message.text
    assert "headless" in message.text


def test_findings_become_messages() -> None:
    """What is refused is an error, the rest is not."""
    findings = [Finding("Sidecar a/b", "spec", "wrong"), Finding("Sidecar a/b", "spec", "odd", "", Severity.WARNING)]
    messages = list(schema_messages(iter(findings)))
    assert [(message.code, message.text) for message in messages] == [
        ("IST0106", "spec: wrong"),
        ("IST0133", "spec: odd"),
    ]
