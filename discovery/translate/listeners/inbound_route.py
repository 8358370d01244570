"""The route configuration of an inbound HTTP chain: one host, one route, to the application."""

from __future__ import annotations

from typing import Any, Final

from discovery.translate.listeners.spec import InboundRoute

__all__ = ["inbound_route_configuration"]

# A request that never reached the application may be sent again on another connection; gRPC retries by itself.
_RETRY: Final = {"retry_on": "reset-before-request", "num_retries": {"value": 2}}


def inbound_route_configuration(route: InboundRoute) -> dict[str, Any]:
    """The keyword form of ``route.v3.RouteConfiguration``; it travels inside of the listener."""
    action: dict[str, Any] = {
        "cluster": route.cluster,
        "timeout": {},
        # Limits are the caller's affair: neither ours nor the gRPC deadline header may cut the stream.
        "max_stream_duration": {"max_stream_duration": {}, "grpc_timeout_header_max": {}},
    }
    if not route.grpc:
        action["retry_policy"] = _RETRY
    return {
        "name": route.cluster,
        "validate_clusters": {"value": False},
        "max_direct_response_body_size_bytes": {"value": 1024 * 1024},
        "virtual_hosts": [
            {
                "name": f"inbound|http|{route.port}",
                "domains": ["*"],
                "routes": [
                    {
                        "name": "default",
                        "match": {"prefix": "/"},
                        "route": action,
                        "decorator": {"operation": f"{route.host}:{route.port}/*"},
                    }
                ],
            }
        ],
    }
