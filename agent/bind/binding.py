"""What connections are bound to, and what that means for Envoy's bootstrap. Pure.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/address.proto#config-core-v3-bindconfig
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

__all__ = ["Binding", "BindingError", "bind_bootstrap", "parse_binding"]

_SOL_SOCKET: Final = 1
_SO_BINDTODEVICE: Final = 25
_MAX_NAME: Final = 15  # IFNAMSIZ, less the zero


class BindingError(ValueError):
    """What to bind to cannot be used; the text says which variable and what was wanted."""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """At most one address of each family; all may be empty, but not at once."""

    v4: str = ""
    v6: str = ""
    device: str = ""

    def source(self, *, v6: bool) -> str:
        """The address for a family; empty: the system's choice."""
        return self.v6 if v6 else self.v4


def parse_binding(addresses: str, device: str) -> Binding | None:
    """The binding; None where nothing is to be bound.

    Args:
        addresses: one, or one of each family with a comma between them.
        device: name of an interface.

    Raises:
        BindingError: an address is none, or there are two of one family, or no interface can have that name.
    """
    found: dict[str, str] = {}
    for text in filter(None, (part.strip() for part in addresses.split(","))):
        try:
            family = f"v{ip_address(text).version}"
        except ValueError:
            raise BindingError(f"PILOT_AGENT_BIND_ADDRESS: {text!r} is no IP address") from None
        if family in found:
            raise BindingError(f"PILOT_AGENT_BIND_ADDRESS: {found[family]} and {text}: want one of each family")
        found[family] = text
    if len(device) > _MAX_NAME or "/" in device or any(char.isspace() for char in device):
        raise BindingError(f"PILOT_AGENT_BIND_DEVICE: {device!r} is no name of an interface")
    return Binding(**found, device=device) if found or device else None


def bind_bootstrap(document: Mapping[str, Any], binding: Binding) -> dict[str, Any]:
    """The bootstrap of an Envoy whose connections to others are bound.

    Static clusters that are on this machine (the agent's sockets, Envoy's own ports) stay as they are.
    """
    resources = document["static_resources"]
    clusters = [cluster if _is_remote(cluster) else _unbound(cluster) for cluster in resources["clusters"]]
    manager = {**document.get("cluster_manager", {}), "upstream_bind_config": _bind_config(binding)}
    return {**document, "static_resources": {**resources, "clusters": clusters}, "cluster_manager": manager}


def _bind_config(binding: Binding) -> dict[str, Any]:
    sources = [{"address": address, "port_value": 0} for address in (binding.v4, binding.v6) if address]
    config: dict[str, Any] = {}
    if sources:
        config["source_address"] = sources[0]
    if len(sources) > 1:
        config["extra_source_addresses"] = [{"address": address} for address in sources[1:]]
    if binding.device:
        config["socket_options"] = [_to_device(binding.device)]
    return config


def _to_device(device: str) -> dict[str, Any]:
    """The socket option; without a name it undoes the binding."""
    name = base64.b64encode(device.encode() + b"\0").decode()
    option = {"level": _SOL_SOCKET, "name": _SO_BINDTODEVICE, "buf_value": name, "state": "STATE_PREBIND"}
    return {"description": "bind to device" if device else "no device", **option}


def _is_remote(cluster: Mapping[str, Any]) -> bool:
    return bool(cluster.get("type") != "STATIC")


def _unbound(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster's own configuration takes the place of the common one; its socket options do only if there are any."""
    return {**cluster, "upstream_bind_config": {"socket_options": [_to_device("")]}}
