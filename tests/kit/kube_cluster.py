"""Objects of a cluster as documents, and its CRDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from discovery.schema.kinds import GATEWAY_API, KINDS
from discovery.schema.meta import Kind

__all__ = ["crds", "endpoint_slice", "gateway_api_crds", "namespace", "node", "pod", "service"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a fifth of the time, where it was built
_CRDS = Path(__file__).parents[2] / "charts/base/files/crds"


@cache
def _crd(plural: str) -> dict[str, Any]:
    (path,) = _CRDS.glob(f"{plural}.*.yaml")
    document: dict[str, Any] = yaml.load(path.read_bytes(), Loader=_LOADER)
    return document


def crds(*plurals: str) -> list[dict[str, Any]]:
    """CRDs of the base chart, as copies; all of them if none is named."""
    named = plurals or sorted(path.name.partition(".")[0] for path in _CRDS.glob("*.yaml"))
    return [deepcopy(_crd(plural)) for plural in named]


def gateway_api_crds(*kinds: Kind) -> list[dict[str, Any]]:
    """CRDs of the Gateway API as somebody else's installation would have them, but without schemas; all if none named.

    An API server takes definitions of this group only if they say that they were approved, or that they are not.
    """
    return [_gateway_api_crd(kind) for kind in kinds or sorted(GATEWAY_API)]


def _gateway_api_crd(kind: Kind) -> dict[str, Any]:
    info = KINDS[kind]
    singular = info.name.lower()
    plural = {"gatewayclass": "gatewayclasses", "backendtlspolicy": "backendtlspolicies"}.get(singular, f"{singular}s")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{info.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
        },
        "spec": {
            "group": info.group,
            "scope": "Namespaced" if info.namespaced else "Cluster",
            "names": {"plural": plural, "singular": singular, "kind": info.name, "listKind": f"{info.name}List"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == info.versions[0],
                    "schema": schema,
                    "subresources": {"status": {}},
                }
                for version in info.versions
            ],
        },
    }


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def node(name: str, **labels: str) -> dict[str, Any]:
    """A Node; labels such as `zone` and `region` stand for the well-known ones."""
    written = {f"topology.kubernetes.io/{label}": value for label, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": written}}


def service(name: str, place: str, *, port: int = 80, **spec: Any) -> dict[str, Any]:
    """A Service with one HTTP port."""
    ports = [{"name": "http", "port": port, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": place},
        "spec": {"ports": ports, "selector": {"app": name}, **spec},
    }


def pod(
    name: str, place: str, ip: str, *, app: str = "", node_name: str = "", account: str = "default"
) -> dict[str, Any]:
    """A running Pod; `set_status` of the handle gives it its address."""
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": "app"}], "serviceAccountName": account}
    if node_name:
        spec["nodeName"] = node_name
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": place, "labels": {"app": app or name}},
        "spec": spec,
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def endpoint_slice(
    service_name: str, place: str, addresses: Mapping[str, str] | Sequence[str], *, name: str = "", ready: bool = True
) -> dict[str, Any]:
    """An EndpointSlice; addresses may name the Pods behind them."""
    endpoints: list[dict[str, Any]] = []
    for address in addresses:
        endpoint: dict[str, Any] = {"addresses": [address], "conditions": {"ready": ready}}
        if isinstance(addresses, Mapping):
            endpoint["targetRef"] = {"kind": "Pod", "name": addresses[address], "namespace": place}
        endpoints.append(endpoint)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{service_name}-1",
            "namespace": place,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": endpoints,
    }
