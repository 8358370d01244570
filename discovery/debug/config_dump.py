"""What a proxy is served right now, in the form of Envoy's own ``/config_dump``.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump_shared.proto
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from discovery.wire.reflection import decode, to_dict
from discovery.wire.resource import Resource
from discovery.wire.type_urls import (
    CLUSTER,
    ENDPOINT,
    EXTENSION_CONFIG,
    LISTENER,
    ROUTE,
    SECRET,
    SHORT_NAMES,
    VIRTUAL_HOST,
)
from discovery.xds.connections import ConnectionInfo

__all__ = ["TypeNameError", "config_dump", "parse_types", "raw_resources", "served"]

_ADMIN: Final = "type.googleapis.com/envoy.admin.v3."
_BY_NAME: Final = {short.lower(): url for url, short in SHORT_NAMES.items()}
_REDACTED: Final = "[redacted]"


class TypeNameError(ValueError):
    """A type in a query is unknown; the text names those that are known."""


def parse_types(text: str) -> list[str]:
    """``cds,lds`` or full names, as type URLs.

    Raises:
        TypeNameError: a name is unknown.
    """
    found = []
    for name in filter(None, text.split(",")):
        url = _BY_NAME.get(name.lower()) or next((u for u in SHORT_NAMES if u.endswith(name)), None)
        if url is None:
            raise TypeNameError(f"type {name!r} is unknown, want one of {', '.join(_BY_NAME)} or a full type name")
        found.append(url)
    return found


def served(connection: ConnectionInfo, type_url: str) -> list[Resource]:
    """The resources of a type that the connection is served, by name."""
    found = connection.resources(type_url)
    return [found[name] for name in sorted(found)]


def _data(resource: Resource) -> Any:
    data = to_dict(decode(resource.type_url, resource.value))
    return {"@type": resource.type_url, **(_without_keys(data) if resource.type_url == SECRET else data)}


def _without_keys(secret: Any) -> Any:
    certificate = secret.get("tlsCertificate", {})
    if "privateKey" in certificate:
        certificate["privateKey"] = {"inlineString": _REDACTED}
    return secret


def raw_resources(connection: ConnectionInfo, types: Iterable[str]) -> dict[str, Any]:
    """Resources of chosen types as they are sent, with their versions."""
    return {
        "configs": [
            {"name": resource.name, "version": resource.version, "resource": _data(resource)}
            for url in types
            for resource in served(connection, url)
        ]
    }


def config_dump(connection: ConnectionInfo, *, with_endpoints: bool) -> dict[str, Any]:
    """Everything, as Envoy itself would show it."""
    configs: list[dict[str, Any]] = [{"@type": _ADMIN + "BootstrapConfigDump"}]
    configs.append(_section("ClustersConfigDump", "dynamicActiveClusters", "cluster", served(connection, CLUSTER)))
    if with_endpoints:
        configs.append(
            _section("EndpointsConfigDump", "dynamicEndpointConfigs", "endpointConfig", served(connection, ENDPOINT))
        )
    configs.append(_listeners(served(connection, LISTENER)))
    configs.append({"@type": _ADMIN + "ScopedRoutesConfigDump"})
    configs.append(_routes(connection))
    configs.append(_section("SecretsConfigDump", "dynamicActiveSecrets", "secret", served(connection, SECRET)))
    configs.append(_section("EcdsConfigDump", "ecdsFilters", "ecdsFilter", served(connection, EXTENSION_CONFIG)))
    return {"configs": configs}


def _section(kind: str, plural: str, singular: str, resources: list[Resource]) -> dict[str, Any]:
    return {
        "@type": _ADMIN + kind,
        plural: [{"versionInfo": resource.version, singular: _data(resource)} for resource in resources],
    }


def _listeners(resources: list[Resource]) -> dict[str, Any]:
    return {
        "@type": _ADMIN + "ListenersConfigDump",
        "dynamicListeners": [
            {"name": resource.name, "activeState": {"versionInfo": resource.version, "listener": _data(resource)}}
            for resource in resources
        ],
    }


def _routes(connection: ConnectionInfo) -> dict[str, Any]:
    """Route configurations, with the virtual hosts that were sent on their own where Envoy puts them."""
    hosts: dict[str, list[Any]] = {}
    for resource in served(connection, VIRTUAL_HOST):
        data = _data(resource)
        del data["@type"]
        hosts.setdefault(resource.name.rpartition("/")[0], []).append(data)
    entries = []
    for resource in served(connection, ROUTE):
        data = _data(resource)
        if resource.name in hosts:
            data["virtualHosts"] = [*data.get("virtualHosts", []), *hosts[resource.name]]
        entries.append({"versionInfo": resource.version, "routeConfig": data})
    return {"@type": _ADMIN + "RoutesConfigDump", "dynamicRouteConfigs": entries}
