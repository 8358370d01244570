from __future__ import annotations

from typing import Any

import pytest

from agent.bootstrap.node import NodeKey, build_node, node_id, pilot_san
from discovery.wire.node import NodeType, parse_metadata, parse_node_id
from discovery.wire.proxy_config import ProxyConfig


def _node(**given: Any) -> Any:
    return build_node(NodeKey(id="id", **{"proxy_config": ProxyConfig(service_cluster="istio-proxy"), **given}))


def test_the_id_reads_back() -> None:
    """What the agent writes is what the control plane parses."""
    text = node_id(NodeType.SIDECAR, "10.1.1.7", name="web-0", namespace="shop", domain="shop.svc.cluster.local")
    assert text == "sidecar~10.1.1.7~web-0.shop~shop.svc.cluster.local"
    assert str(parse_node_id(text)) == text


def test_metadata_reads_back() -> None:
    """The control plane's own reader understands every key that it uses."""
    node = _node(
        name="web-0",
        namespace="shop",
        service_account="web",
        instance_ips=("10.1.1.7", "fd00::7", "10.1.1.7"),
        pod_labels={"app": "web"},
        environ={
            "ISTIO_META_CLUSTER_ID": "c",
            "ISTIO_META_DNS_CAPTURE": "true",
            "ISTIO_META_INTERCEPTION_MODE": "NONE",
        },
        agent_keys={"ENVOY_STATUS_PORT": 15021},
    )
    read = parse_metadata(node.metadata)
    assert (read.name, read.namespace, read.service_account) == ("web-0", "shop", "web")
    assert read.instance_ips == ("10.1.1.7", "fd00::7")
    assert (read.cluster_id, read.dns_capture, read.interception_mode, read.envoy_status_port) == (
        "c",
        True,
        "NONE",
        15021,
    )
    assert read.labels == (("app", "web"),)


@pytest.mark.parametrize(
    ("labels", "namespace", "workload", "config", "cluster"),
    [
        ({"app": "web"}, "shop", "w", {}, "web.shop"),
        ({"app.kubernetes.io/name": "n", "service.istio.io/canonical-name": "c"}, "shop", "", {}, "n.shop"),
        ({}, "shop", "w", {}, "w.shop"),
        ({}, "shop", "", {}, "istio-proxy.shop"),
        ({}, "", "", {}, "istio-proxy"),
        ({"app": "web"}, "shop", "", {"service_cluster": "mine"}, "mine"),
        (
            {"app": "a", "service.istio.io/canonical-name": "c"},
            "shop",
            "",
            {"service_cluster": "", "tracing_service_name": "CANONICAL_NAME_ONLY"},
            "c",
        ),
        (
            {"app": "a"},
            "shop",
            "",
            {"service_cluster": "", "tracing_service_name": "CANONICAL_NAME_AND_NAMESPACE"},
            "a.shop",
        ),
    ],
)
def test_the_cluster_has_a_name(
    labels: dict[str, str], namespace: str, workload: str, config: dict[str, Any], cluster: str
) -> None:
    """A name the user gave, else the application's label, else the workload, else the fixed one."""
    node = _node(
        proxy_config=ProxyConfig(**{"service_cluster": "istio-proxy", **config}),
        namespace=namespace,
        pod_labels=labels,
        environ={"ISTIO_META_WORKLOAD_NAME": workload} if workload else {},
    )
    assert node.cluster == cluster


@pytest.mark.parametrize(
    ("labels", "locality"),
    [
        ({"topology.istio.io/locality": "r.z", "istio-locality": "x"}, {"region": "r", "zone": "z"}),
        ({"istio-locality": "r/z.1/s"}, {"region": "r", "zone": "z.1", "sub_zone": "s"}),
        ({"istio-locality": "r"}, {"region": "r"}),
        ({}, {}),
    ],
)
def test_locality_comes_from_labels(labels: dict[str, str], locality: dict[str, str]) -> None:
    """Dots stand for slashes unless there are slashes; what is missing is not said."""
    assert _node(pod_labels=labels).locality == locality


def test_labels_of_the_pod_win() -> None:
    """Static labels are below them and stay visible; the template's hash is dropped."""
    node = _node(
        environ={"ISTIO_METAJSON_LABELS": '{"app": "static", "tier": "x"}'},
        pod_labels={"app": "pod", "pod-template-hash": "abc"},
    )
    assert node.metadata["LABELS"] == {"app": "pod", "tier": "x"}
    assert node.metadata["STATIC_LABELS"] == {"app": "static", "tier": "x"}


@pytest.mark.parametrize(
    ("environ", "override", "said"),
    [
        ({}, None, "false"),
        ({"ISTIO_META_ENABLE_HBONE": "1"}, None, "true"),
        ({"ISTIO_META_ENABLE_HBONE": "1"}, False, "false"),
    ],
)
def test_metadata_discovery_is_always_said(environ: dict[str, str], said: str, *, override: bool | None) -> None:
    """It follows HBONE unless overridden."""
    assert _node(environ=environ, metadata_discovery=override).metadata["METADATA_DISCOVERY"] == said


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, None),
        ({"ISTIO_META_DNS_CAPTURE": "true"}, "true"),
        ({"ISTIO_META_ENABLE_DNS_SERVER": "1"}, "true"),
        ({"ISTIO_META_DNS_CAPTURE": "false"}, None),
        ({"ISTIO_META_DNS_CAPTURE": "true", "ISTIO_META_DNS_SRV": "false"}, None),
    ],
)
def test_ports_are_asked_for_where_dns_is_answered(environ: dict[str, str], said: str | None) -> None:
    """With them the DNS proxy answers SRV; nobody else has a use for them, and users may do without."""
    assert _node(environ=environ).metadata.get("DNS_SRV") == said
    in_config = ProxyConfig(proxy_metadata=environ)
    assert _node(proxy_config=in_config).metadata.get("DNS_SRV") == said


@pytest.mark.parametrize(
    ("address", "policy", "names"),
    [
        ("istiod.istio-system.svc:15012", "MUTUAL_TLS", ("istiod.istio-system.svc",)),
        ("localhost:15012", "MUTUAL_TLS", ("istiod.istio-system.svc",)),
        ("[fd00::1]:15012", "MUTUAL_TLS", ("fd00::1",)),
        ("istiod:15010", "NONE", ()),
    ],
)
def test_the_control_planes_name(address: str, policy: str, names: tuple[str, ...]) -> None:
    """The host it is called by; a port-forward's is the usual service."""
    assert pilot_san(ProxyConfig(discovery_address=address, control_plane_auth_policy=policy)) == names


def test_the_version_may_be_told() -> None:
    """Ours is the default only."""
    assert _node(istio_version="1.2").metadata["ISTIO_VERSION"] == "1.2"
    told = {"ISTIO_META_ISTIO_VERSION": "1.9"}
    assert _node(istio_version="1.2", environ=told).metadata["ISTIO_VERSION"] == "1.9"
    assert _node(istio_version="1.2", proxy_config=ProxyConfig(proxy_metadata=told)).metadata["ISTIO_VERSION"] == "1.9"
