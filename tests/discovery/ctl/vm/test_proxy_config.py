"""The ProxyConfig of a virtual machine's agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.proxy_config import build_proxy_config, discovery_host, probe_document
from discovery.schema.workload_group import GrpcProbe, ReadinessProbe, TcpProbe
from tests.kit.vm import vm_request


def _annotated(text: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {"proxy.istio.io/config": text}}}


def test_the_annotation_is_over_the_mesh() -> None:
    """Field by field, and what is Istio's default is left out."""
    mesh = {"defaultConfig": {"concurrency": 1, "statNameLength": 100, "statusPort": 15020}}
    config = build_proxy_config(vm_request(_annotated("concurrency: 3"), mesh=mesh))
    assert config.pop("proxyMetadata")
    assert config == {"concurrency": 3, "statNameLength": 100}


def test_the_identity_is_the_groups() -> None:
    """No annotation makes a workload somebody else's."""
    spec = {**_annotated("proxyMetadata: {SERVICE_ACCOUNT: admin}"), "template": {"serviceAccount": "web"}}
    metadata = build_proxy_config(vm_request(spec))["proxyMetadata"]
    assert (metadata["SERVICE_ACCOUNT"], metadata["POD_NAMESPACE"]) == ("web", "shop")


def test_labels_and_ports_are_told() -> None:
    """Those of the template are over the group's; the canonical service follows the labels."""
    spec = {
        "metadata": {"labels": {"app": "old", "version": "v2"}},
        "template": {"labels": {"app": "web"}, "ports": {"http": 8080}, "network": "vms"},
    }
    metadata = build_proxy_config(vm_request(spec, auto_register=True))["proxyMetadata"]
    assert json.loads(metadata["ISTIO_METAJSON_LABELS"]) == {
        "app": "web",
        "version": "v2",
        "service.istio.io/canonical-name": "web",
        "service.istio.io/canonical-revision": "v2",
    }
    assert json.loads(metadata["ISTIO_META_POD_PORTS"]) == [{"name": "http", "containerPort": 8080, "protocol": ""}]
    assert metadata["ISTIO_META_NETWORK"] == "vms"
    assert metadata["ISTIO_META_AUTO_REGISTER_GROUP"] == "vm"


def test_the_control_plane_is_where_the_mesh_says() -> None:
    """Unless the request says more: a namespace of its own, or a revision."""
    mesh = {"defaultConfig": {"discoveryAddress": "cp.example:15012"}}
    assert build_proxy_config(vm_request(mesh=mesh))["discoveryAddress"] == "cp.example:15012"
    own = vm_request(mesh=mesh, istio_namespace="mesh")
    assert build_proxy_config(own)["discoveryAddress"] == "istiod.mesh.svc:15012"
    assert discovery_host(own) == "istiod.mesh.svc"


def test_a_probe_keeps_its_kind() -> None:
    """Zero values are left out, an empty message is not."""
    assert probe_document(ReadinessProbe(tcp_socket=TcpProbe())) == {"tcpSocket": {}}
    grpc = ReadinessProbe(period_seconds=2, grpc=GrpcProbe(port=9))
    assert probe_document(grpc) == {"periodSeconds": 2, "grpc": {"port": 9}}


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "is no YAML"), ("- 1", "want a ProxyConfig, got list"), ("drainDuration: soon", "drainDuration")],
)
def test_a_wrong_annotation_is_told_with_its_group(text: str, said: str) -> None:
    """And what is wrong with it."""
    with pytest.raises(CtlError, match=said) as raised:
        build_proxy_config(vm_request(_annotated(text)))
    assert "WorkloadGroup shop/vm" in str(raised.value)
