"""Views of what is configured and what runs: objects, services, endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from discovery.debug.json_stream import Living, Rows
from discovery.engine import Database
from discovery.mesh.endpoints import service_accounts, service_endpoints
from discovery.mesh.services import all_services, service
from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.service import Port, Resolution, Service, ServiceRef
from discovery.schema.manifest import Manifest
from discovery.schema.meta import Object, ObjectKey
from discovery.store.cells import CLUSTER

__all__ = ["configz", "endpointz", "registryz"]

# istiod prints Go names and numbers here; tools match them.
_RESOLUTION = {
    Resolution.CLIENT_SIDE_LB: 0,
    Resolution.DNS_LB: 1,
    Resolution.PASSTHROUGH: 2,
    Resolution.DNS_ROUND_ROBIN_LB: 3,
    Resolution.ALIAS: 4,
    Resolution.DYNAMIC_DNS: 5,
}
_HEALTH = {Health.HEALTHY: 0, Health.UNHEALTHY: 1, Health.DRAINING: 2}


def configz(objects: Mapping[ObjectKey, Object]) -> Rows:
    """``/debug/configz``: the mesh's own objects as they were written; Kubernetes' are in its API server."""
    chosen = [objects[key].raw for key in sorted(objects) if isinstance(objects[key].raw, Manifest)]
    return Rows(msgspec.Raw(raw.data) for raw in chosen if isinstance(raw, Manifest))


def _chosen(db: Database, host: str) -> list[ServiceRef]:
    """Services, oldest first; of one host name if it is given."""
    return [ref for ref in all_services(db, None) if host in ("", ref.host)]


def registryz(db: Database, *, host: str = "") -> Living:
    """``/debug/registryz``: every service, oldest first."""
    cluster = CLUSTER(db, None).cluster_id
    found = (service(db, ref) for ref in _chosen(db, host))
    return Living(Rows(_service(item, cluster) for item in found if item is not None))


def _service(found: Service, cluster: str) -> dict[str, Any]:
    return {
        "Attributes": {
            "ServiceRegistry": str(found.registry),
            "Name": found.name,
            "Namespace": found.ref.namespace,
            "Labels": dict(found.labels),
            "ExportTo": sorted(found.export_to),
            "LabelSelectors": dict(found.selector),
        },
        "ports": [_port(port) for port in found.ports],
        "creationTime": found.created_at.isoformat().replace("+00:00", "Z"),
        "hostname": found.ref.host,
        "clusterVIPs": {"Addresses": {cluster: list(found.addresses)}},
        "defaultAddress": found.addresses[0] if found.addresses else "0.0.0.0",  # noqa: S104 - istiod's word for none
        "autoAllocatedIPv4Address": next((a for a in found.auto_addresses if ":" not in a), ""),
        "Resolution": _RESOLUTION[found.resolution],
        "MeshExternal": found.external,
    }


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "port": port.number, "protocol": str(port.protocol)}


def endpointz(db: Database, *, host: str = "") -> Living:
    """``/debug/endpointz``: endpoints by host, namespace and the registry they came from."""
    shards: dict[str, dict[str, Any]] = {}
    for ref in _chosen(db, host):
        found = service(db, ref)
        if found is not None:
            shards.setdefault(ref.host, {})[ref.namespace] = _shards(db, found)
    return Living(shards)


def _shards(db: Database, found: Service) -> dict[str, Any]:
    provider = f"{found.registry}/{CLUSTER(db, None).cluster_id}"
    by_port = service_endpoints(db, found.ref)
    members = [endpoint for port in found.ports for endpoint in by_port.get(port.name, ())]
    return {
        "Shards": {provider: Rows(_endpoints(members))},
        "ServiceAccounts": {account: {} for account in service_accounts(db, found.ref)},
    }


def _endpoints(members: Iterable[Endpoint]) -> Iterable[dict[str, Any]]:
    for endpoint in members:
        yield {
            "Labels": dict(endpoint.labels),
            "Addresses": [endpoint.address],
            "ServicePortName": endpoint.service_port,
            "ServiceAccount": endpoint.service_account,
            "Network": endpoint.network,
            "Locality": {"Label": endpoint.locality, "ClusterID": endpoint.cluster_id},
            "EndpointPort": endpoint.port,
            "LbWeight": endpoint.weight,
            "TLSMode": endpoint.tls_mode or "disabled",
            "Namespace": endpoint.namespace,
            "WorkloadName": endpoint.workload,
            "HostName": endpoint.hostname,
            "SubDomain": endpoint.subdomain,
            "HealthStatus": _HEALTH[endpoint.health],
            "NodeName": endpoint.node_name,
        }
