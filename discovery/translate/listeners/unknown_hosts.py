"""The route configuration of captured HTTP for hosts that nobody declared: every request to one cluster."""

from __future__ import annotations

from typing import Any

from discovery.translate.listeners.spec import UnknownHosts
from discovery.translate.routes.virtual_host import pass_on

__all__ = ["unknown_hosts_configuration"]


def unknown_hosts_configuration(routes: UnknownHosts) -> dict[str, Any]:
    """The keyword form of ``route.v3.RouteConfiguration``; it travels inside of the listener."""
    return {
        "name": routes.name,
        "validate_clusters": {"value": False},
        "max_direct_response_body_size_bytes": {"value": 1024 * 1024},
        "virtual_hosts": [
            {"name": routes.name, "domains": ["*"], "routes": [pass_on(routes.name, routes.cluster)]},
        ],
    }
