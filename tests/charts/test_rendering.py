"""What the charts render, by Helm's own engine."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest
import yaml

from discovery.settings import FLAGS, VARIABLES, load_settings
from tests.kit.helm import CHARTS, Manifest, chart_path, of_kind, one, render

_WARNING = 2  # of lint: 1 is information, 3 an error


@pytest.mark.parametrize("chart", CHARTS)
def test_lint_finds_nothing(chart: str) -> None:
    """Neither warnings nor errors."""
    found = helm.lint(str(chart_path(chart)))
    assert not found["errors"]
    assert [message for message in found["messages"] if message["severity"] >= _WARNING] == []


def _id(manifest: Manifest) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def test_revisions_live_side_by_side() -> None:
    """Two revisions in one namespace share no object, and neither selects the other's pods."""
    first, second = render("discovery"), render("discovery", {"revision": "canary"}, release="canary")
    assert {_id(m) for m in first} & {_id(m) for m in second} == set()
    selectors = [one(m, "Deployment")["spec"]["selector"]["matchLabels"] for m in (first, second)]
    pods = [one(m, "Deployment")["spec"]["template"]["metadata"]["labels"] for m in (first, second)]
    for at, selector in enumerate(selectors):
        assert [selector.items() <= pod.items() for pod in pods] == [at == 0, at == 1]
        assert one((first, second)[at], "Service")["spec"]["selector"] == selector


def test_control_planes_of_two_namespaces_share_no_cluster_object() -> None:
    """What is not in a namespace has the namespace in its name, outside of istio-system."""
    first, second = render("discovery"), render("discovery", namespace="mesh-b")
    ours = {_id(m) for m in first if "namespace" not in m["metadata"]}
    assert ours & {_id(m) for m in second} == set()


@pytest.mark.parametrize("chart", ["discovery", "gateway"])
def test_objects_that_have_a_namespace_say_it(chart: str) -> None:
    """Rendered text may be applied by other tools, which know nothing of the release's namespace."""
    cluster_wide = {
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
    for manifest in render(chart, namespace="here"):
        assert ("namespace" in manifest["metadata"]) == (manifest["kind"] not in cluster_wide), _id(manifest)


def _containers(manifest: Manifest) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    spec = manifest["spec"]["template"]["spec"] if manifest["kind"] != "Pod" else manifest["spec"]
    return [(spec.get("securityContext", {}), c) for c in spec.get("initContainers", []) + spec["containers"]]


@pytest.mark.parametrize("chart", ["discovery", "gateway"])
def test_every_container_is_confined(chart: str) -> None:
    """Not root, root file system read-only, no capability, no escalation, the runtime's default seccomp profile."""
    workloads = [m for m in render(chart) if m["kind"] in ("Deployment", "Pod")]
    assert workloads
    for pod, container in [pair for workload in workloads for pair in _containers(workload)]:
        context = {**pod, **container["securityContext"]}
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == 1337
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_arguments_and_environment_are_known_to_the_program() -> None:
    """The program ignores flags that it does not know, so a typo here would go unnoticed."""
    (container,) = one(render("discovery", {"global": {"logAsJson": True}}), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    flags = {name for flag in FLAGS for name in flag.names}
    given = {argument.partition("=")[0] for argument in container["args"] if argument.startswith("-")}
    assert given <= flags
    assert {entry["name"] for entry in container["env"]} <= {variable.name for variable in VARIABLES}


def test_ports_of_the_service_are_those_of_the_pod() -> None:
    """Every port of the Service leads to a port that the container names."""
    manifests = render("discovery")
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    open_ports = {port["containerPort"] for port in container["ports"]}
    wanted = {port.get("targetPort", port["port"]) for port in one(manifests, "Service")["spec"]["ports"]}
    assert wanted <= open_ports


def test_replicas_are_the_autoscalers_business_while_there_is_one() -> None:
    """A Deployment that says replicas would undo the autoscaler at each upgrade."""
    scaled, fixed = render("discovery"), render("discovery", {"autoscaleEnabled": False, "replicaCount": 3})
    assert "replicas" not in one(scaled, "Deployment")["spec"]
    assert of_kind(scaled, "HorizontalPodAutoscaler")
    assert one(fixed, "Deployment")["spec"]["replicas"] == 3
    assert not of_kind(fixed, "HorizontalPodAutoscaler")


def test_replicas_spread() -> None:
    """Each constraint of the defaults selects the pods of this control plane; one of the user's own is kept."""
    own = {
        "maxSkew": 2,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"a": "b"}},
    }
    default = one(render("discovery"), "Deployment")["spec"]
    for constraint in default["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == default["selector"]["matchLabels"]
    given = one(render("discovery", {"topologySpreadConstraints": [own]}), "Deployment")["spec"]["template"]["spec"]
    assert given["topologySpreadConstraints"] == [own]


def test_network_policy_lets_in_no_plaintext_xds() -> None:
    """Only the ports that authenticate or tell nothing; none without being asked for."""
    assert not of_kind(render("discovery"), "NetworkPolicy")
    policy = one(render("discovery", {"global": {"networkPolicy": {"enabled": True}}}), "NetworkPolicy")
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == {15012, 15014, 15017}


def test_mesh_configuration_is_the_users_over_ours() -> None:
    """Discovery address, root namespace and trust domain follow the installation; whatever the user sets wins."""
    values = {"revision": "v2", "meshConfig": {"trustDomain": "td", "accessLogFile": "/dev/stdout"}}
    mesh = one(render("discovery", values, namespace="mesh"), "ConfigMap", "istio-v2")["data"]["mesh"]
    assert yaml.safe_load(mesh) == {
        "accessLogFile": "/dev/stdout",
        "defaultConfig": {"discoveryAddress": "istiod-v2.mesh.svc:15012"},
        "enablePrometheusMerge": True,
        "rootNamespace": "mesh",
        "trustDomain": "td",
    }


def test_gateway_pods_are_injected_by_the_gateway_template() -> None:
    """They ask for injection by label, name the template, and leave the image to the injector."""
    template = one(render("gateway", release="istio-ingress"), "Deployment")["spec"]["template"]
    assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"
    assert template["metadata"]["annotations"]["inject.istio.io/templates"] == "gateway"
    assert template["metadata"]["labels"]["istio"] == "ingress"
    assert [c["image"] for c in template["spec"]["containers"]] == ["auto"]


@pytest.mark.parametrize("revision", ["", "canary"])
def test_roots_of_a_token_issuer_are_where_the_control_plane_reads_them(revision: str) -> None:
    """With the rule as text in an environment variable; without such roots nothing is mounted."""
    rule, roots = (
        '{"issuer": "https://id.example.org", "audiences": ["istio-ca"]}',
        "-----BEGIN CERTIFICATE-----\nAA==\n",
    )
    values = {"revision": revision, "env": {"JWT_RULE": rule}, "jwksResolverExtraRootCA": roots}
    manifests = render("discovery", values)
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = [found for found in container["volumeMounts"] if found["name"] == "extracacerts"]
    (volume,) = [found for found in pod["volumes"] if found["name"] == "extracacerts"]
    data = one(manifests, "ConfigMap", volume["configMap"]["name"])["data"]
    (path,) = [variable.default for variable in VARIABLES if variable.name == "PILOT_JWKS_EXTRA_ROOTS"]
    assert {f"{mount['mountPath']}/{name}": text for name, text in data.items()} == {path: roots}
    environ = {item["name"]: item.get("value", "") for item in container["env"]}
    settings = load_settings({flag.field: flag.default for flag in FLAGS} | {"configDir": "x"}, environ)
    assert settings.tokens.oidc is not None
    plain = render("discovery", {"revision": revision})
    assert "/cacerts" not in [m["mountPath"] for m in _containers(one(plain, "Deployment"))[0][1]["volumeMounts"]]
    assert not [m for m in of_kind(plain, "ConfigMap") if "jwks" in m["metadata"]["name"]]
