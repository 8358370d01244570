"""Let a real Envoy judge rendered configuration: a static bootstrap around it, and `envoy --mode validate`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.kit.envoy_types import to_dict, unpack
from tests.kit.prerequisites import envoy_binary

__all__ = ["bootstrap", "inline_routes", "validate"]

# What the agent's bootstrap has besides: rendered listeners and clusters refer to them.
_AGENT_CLUSTERS = ("sds-grpc", "xds-grpc")
_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

# Deprecated without a successor: beside ``max_stream_duration`` the ``timeout`` of a route has no effect.
_NEEDED = ("RouteAction.max_grpc_timeout'",)


def bootstrap(
    listeners: Iterable[Any], clusters: Iterable[Any] = (), routes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A static bootstrap as JSON data.

    Route configurations given by name replace the RDS references of the listeners, so that they are judged together;
    references to others stay. Clusters that routes name and that are not given do not matter to Envoy here.
    """
    return {
        "node": {"id": "sidecar~127.0.0.1~validate.default~default.svc.cluster.local", "cluster": "validate"},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            }
        },
        "static_resources": {
            "listeners": [to_dict(inline_routes(listener, routes or {})) for listener in listeners],
            "clusters": [*(to_dict(cluster) for cluster in clusters), *(_agent_cluster(n) for n in _AGENT_CLUSTERS)],
        },
    }


def _agent_cluster(name: str) -> dict[str, Any]:
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }


def inline_routes(listener: Any, routes: Mapping[str, Any]) -> Any:
    """A copy of a listener in which route configurations given by name stand in place of their RDS references."""
    changed = type(listener).FromString(listener.SerializeToString())
    for chain in (*changed.filter_chains, changed.default_filter_chain):
        for network_filter in chain.filters:
            if network_filter.typed_config.type_url != _HCM:
                continue
            manager = unpack(network_filter.typed_config)
            if manager.HasField("rds") and manager.rds.route_config_name in routes:
                manager.route_config.CopyFrom(routes[manager.rds.route_config_name])
                network_filter.typed_config.value = manager.SerializeToString()
    return changed


def validate(
    folder: Path, listeners: Iterable[Any], clusters: Iterable[Any] = (), routes: Mapping[str, Any] | None = None
) -> None:
    """Have Envoy load it all without serving it.

    Args:
        folder: where to write the bootstrap, a test's `tmp_path`.

    Raises:
        AssertionError: Envoy rejects it, or warns of fields that it will drop; with what Envoy says, and the file to
            try again with.
    """
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(bootstrap(listeners, clusters, routes), indent=1), encoding="utf-8")
    binary = envoy_binary()
    assert binary is not None, "mark the test `envoy`: then it is skipped where there is no binary"
    command = [str(binary), "--mode", "validate", "--config-path", str(path), "--log-level", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"Envoy rejects {path}:\n{done.stderr[-4000:]}"
    warned = [
        line for line in done.stderr.splitlines() if "Deprecated field" in line and not any(f in line for f in _NEEDED)
    ]
    assert not warned, f"Envoy will not take {path} for long:\n" + "\n".join(warned)
