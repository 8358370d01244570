"""What of a request decides the endpoint, for destinations with consistent hashing.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/#LoadBalancerSettings-ConsistentHashLB
"""

from __future__ import annotations

from typing import Any

from discovery.schema.destination_rule import ConsistentHashLB, TrafficPolicy

__all__ = ["consistent_hash", "hash_policy"]


def consistent_hash(policy: TrafficPolicy | None) -> ConsistentHashLB | None:
    """The consistent hashing that a traffic policy asks for."""
    return policy.load_balancer.consistent_hash if policy is not None and policy.load_balancer is not None else None


def hash_policy(asked: ConsistentHashLB) -> dict[str, Any] | None:
    """The keyword form of ``RouteAction.HashPolicy``; None when no key is named."""
    if asked.http_header_name:
        return {"header": {"header_name": asked.http_header_name}}
    if asked.http_cookie is not None:
        cookie = asked.http_cookie
        built: dict[str, Any] = {"name": cookie.name, "path": cookie.path}
        if cookie.ttl is not None:
            built["ttl"] = cookie.ttl
        built["attributes"] = [{"name": attribute.name, "value": attribute.value} for attribute in cookie.attributes]
        return {"cookie": built}
    if asked.use_source_ip:
        return {"connection_properties": {"source_ip": True}}
    if asked.http_query_parameter_name:
        return {"query_parameter": {"name": asked.http_query_parameter_name}}
    return None
