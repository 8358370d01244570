"""What an Envoy runs with against what the control plane says it serves: both dumps in one shape, as messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from discovery.wire.reflection import to_dict
from tests.kit.envoy_json import first_difference, parse_message
from tests.kit.live import LiveDiscovery, until
from tests.kit.live_proxy import LiveProxy

__all__ = ["Held", "agree", "held_by", "served_to"]

Held = dict[str, dict[str, Any]]
"""``cluster`` | ``listener`` | ``route`` | ``endpoint``, then by name: JSON data as upstream's messages print it."""

_KINDS = {
    "cluster": "envoy.config.cluster.v3.Cluster",
    "listener": "envoy.config.listener.v3.Listener",
    "route": "envoy.config.route.v3.RouteConfiguration",
}


def _dump(configs: Iterable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    return next((config for config in configs if config["@type"].endswith(f".{kind}ConfigDump")), {})


def _canonical(kind: str, document: Mapping[str, Any]) -> Any:
    bare = {key: value for key, value in document.items() if key != "@type"}
    return json.loads(_canonical_text(kind, json.dumps(bare)))


@lru_cache(maxsize=4096)  # dumps are read again and again while little changes in them
def _canonical_text(kind: str, text: str) -> str:
    bare = json.loads(text)
    data = to_dict(parse_message(bare, _KINDS[kind]))
    if kind == "route":
        data["virtualHosts"] = sorted(data.get("virtualHosts", []), key=lambda host: host["name"])
    return json.dumps(data)


def _endpoints(assignment: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Envoy rebuilds its assignments from its hosts: places, priorities, health and weights can be compared."""
    rows = []
    for group in assignment.get("endpoints", []):
        locality = group.get("locality", {})
        for entry in group.get("lbEndpoints", group.get("lb_endpoints", [])):
            where = entry["endpoint"]["address"]
            socket = where.get("socketAddress", where.get("socket_address", {}))
            place = (socket.get("address"), socket.get("portValue", socket.get("port_value")), where.get("pipe"))
            health = entry.get("healthStatus", entry.get("health_status", "HEALTHY"))
            weight = entry.get("loadBalancingWeight", entry.get("load_balancing_weight", 1))
            region = (locality.get("region", ""), locality.get("zone", ""))
            rows.append((str(place), group.get("priority", 0), health, weight, region))
    return sorted(rows)


async def held_by(proxy: LiveProxy) -> Held:
    """What this Envoy took, of what is in force; a resource that is warming is not."""
    configs = await proxy.config()
    clusters = _dump(configs, "Clusters").get("dynamic_active_clusters", [])
    listeners = _dump(configs, "Listeners").get("dynamic_listeners", [])
    routes = _dump(configs, "Routes").get("dynamic_route_configs", [])
    endpoints = _dump(configs, "Endpoints").get("dynamic_endpoint_configs", [])
    return {
        "cluster": {row["cluster"]["name"]: _canonical("cluster", row["cluster"]) for row in clusters},
        "listener": {
            row["name"]: _canonical("listener", row["active_state"]["listener"])
            for row in listeners
            if "active_state" in row
        },
        "route": {row["route_config"]["name"]: _canonical("route", row["route_config"]) for row in routes},
        "endpoint": {
            row["endpoint_config"]["cluster_name"]: _endpoints(row["endpoint_config"])
            for row in endpoints
            if "cluster_name" in row["endpoint_config"]
        },
    }


async def served_to(discovery: LiveDiscovery, proxy_id: str) -> Held:
    """What the control plane says that this proxy is served."""
    configs = (await discovery.debug(f"config_dump?proxyID={proxy_id}&include_eds"))["configs"]
    clusters = _dump(configs, "Clusters").get("dynamicActiveClusters", [])
    listeners = _dump(configs, "Listeners").get("dynamicListeners", [])
    routes = _dump(configs, "Routes").get("dynamicRouteConfigs", [])
    endpoints = _dump(configs, "Endpoints").get("dynamicEndpointConfigs", [])
    return {
        "cluster": {row["cluster"]["name"]: _canonical("cluster", row["cluster"]) for row in clusters},
        "listener": {row["name"]: _canonical("listener", row["activeState"]["listener"]) for row in listeners},
        "route": {row["routeConfig"]["name"]: _canonical("route", row["routeConfig"]) for row in routes},
        "endpoint": {row["endpointConfig"]["clusterName"]: _endpoints(row["endpointConfig"]) for row in endpoints},
    }


async def agree(discovery: LiveDiscovery, proxy: LiveProxy, *, within_s: float = 20) -> Held:
    """Return what the proxy holds once that is exactly what it is served.

    Raises:
        AssertionError: they still differ at the end of the time; says where.
    """
    difference = ["nothing was compared"]

    async def same() -> Held:
        served, held = await served_to(discovery, proxy.id), await held_by(proxy)
        held["endpoint"] = {name: rows for name, rows in held["endpoint"].items() if name in served["endpoint"]}
        difference[0] = first_difference(served, held)
        return {} if difference[0] or not await proxy.live() else held

    held: Held = await until(
        same,
        lambda: f"{proxy.id} holds what it is served; served and held: {difference[0][:3000]}\n{proxy.program.text}",
        within_s=within_s,
    )
    return held
