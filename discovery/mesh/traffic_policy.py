"""How traffic policies of a destination, its ports and its subsets combine.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/#TrafficPolicy
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from discovery.schema.destination_rule import TrafficPolicy
from discovery.schema.mesh_config import DefaultTrafficPolicy

__all__ = ["effective_policy"]

# What a policy of a port replaces, all four at once: what it leaves out is not inherited.
_PORT_GROUPS: Final = ("load_balancer", "connection_pool", "outlier_detection", "tls")
_SUBSET_GROUPS: Final = (*_PORT_GROUPS, "tunnel", "proxy_protocol", "retry_budget")
_MESH_GROUPS: Final = ("connection_pool", "outlier_detection")


def effective_policy(
    policy: TrafficPolicy | None, subset: TrafficPolicy | None, port: int, mesh: DefaultTrafficPolicy | None
) -> TrafficPolicy | None:
    """The policy of one port, without port-level settings; None when nobody says anything.

    Args:
        policy: of the destination.
        subset: of the subset asked for, laid over it.
        port: number of the service port.
        mesh: fills what is left open.
    """
    merged = policy
    if policy is not None and policy.port_level_settings:
        merged = replace(policy, port_level_settings=(), **_of_port(policy, port))
    if subset is not None:
        merged = replace(merged or TrafficPolicy(), **_given(subset, _SUBSET_GROUPS) | _of_port(subset, port))
    if mesh is not None:
        gaps = {g: v for g, v in _given(mesh, _MESH_GROUPS).items() if merged is None or getattr(merged, g) is None}
        if gaps:
            merged = replace(merged or TrafficPolicy(), **gaps)
    return merged


def _given(policy: TrafficPolicy | DefaultTrafficPolicy, groups: Iterable[str]) -> dict[str, Any]:
    return {group: value for group in groups if (value := getattr(policy, group)) is not None}


def _of_port(policy: TrafficPolicy, port: int) -> dict[str, Any]:
    """What the settings of a port, if there are any, replace."""
    for setting in policy.port_level_settings:
        if setting.port is not None and setting.port.number == port:
            return {group: getattr(setting, group) for group in _PORT_GROUPS}
    return {}
