"""What a proxy is served right now, in the form of Envoy's own ``/config_dump``.

What is read of the connection is read at once, on the event loop; decoding, which takes long, happens row by row while
the answer is written, from immutable bytes, so it may happen in a thread.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump_shared.proto
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Final

from discovery.debug.json_stream import Rows
from discovery.debug.name_table import read_name_table
from discovery.translate.trust_anchors import read_trust_anchors
from discovery.wire.reflection import decode, to_dict
from discovery.wire.resource import Resource
from discovery.wire.type_urls import (
    CLUSTER,
    ENDPOINT,
    EXTENSION_CONFIG,
    LISTENER,
    NAME_TABLE,
    PROXY_CONFIG,
    ROUTE,
    SECRET,
    SHORT_NAMES,
    VIRTUAL_HOST,
)
from discovery.xds.connections import ConnectionInfo

__all__ = ["TypeNameError", "config_dump", "parse_types", "raw_resources", "resource_data", "resource_list", "served"]

_ADMIN: Final = "type.googleapis.com/envoy.admin.v3."
_BY_NAME: Final = {short.lower(): url for url, short in SHORT_NAMES.items()}
_REDACTED: Final = base64.b64encode(b"[redacted]").decode()
_KEYS: Final = ("privateKey", "privateKeyProvider", "password", "pkcs12")


class TypeNameError(ValueError):
    """A type in a query is unknown; the text names those that are known."""


def parse_types(text: str) -> list[str]:
    """``cds,lds`` or full names, as type URLs, each once.

    Raises:
        TypeNameError: a name is unknown.
    """
    found: dict[str, None] = {}
    for name in filter(None, (part.strip() for part in text.split(","))):
        url = _BY_NAME.get(name.lower()) or next((u for u in SHORT_NAMES if name in (u, u.rpartition("/")[2])), None)
        if url is None:
            raise TypeNameError(f"type {name!r} is unknown, want one of {', '.join(_BY_NAME)} or a full type name")
        found[url] = None
    return list(found)


def served(connection: ConnectionInfo, type_url: str) -> list[Resource]:
    """The resources of a type that the connection is served, by name."""
    found = connection.resources(type_url)
    return [found[name] for name in sorted(found)]


def resource_data(resource: Resource) -> dict[str, Any]:
    """A resource in JSON form with its type; keys in secrets are redacted."""
    if resource.type_url == NAME_TABLE:
        return {"@type": resource.type_url, **read_name_table(resource.value)}
    if resource.type_url == PROXY_CONFIG:
        return {"@type": resource.type_url, "caCertificatesPem": read_trust_anchors(resource.value)}
    data: dict[str, Any] = to_dict(decode(resource.type_url, resource.value))
    return {"@type": resource.type_url, **(_without_keys(data) if resource.type_url == SECRET else data)}


def _without_keys(secret: dict[str, Any]) -> dict[str, Any]:
    """The secret without what would let one impersonate its owner; public parts stay."""
    shown = dict(secret)
    certificate = shown.get("tlsCertificate")
    if isinstance(certificate, dict):
        shown["tlsCertificate"] = {
            key: {"inlineBytes": _REDACTED} if key in _KEYS else value for key, value in certificate.items()
        }
    for kind in ("genericSecret", "sessionTicketKeys"):
        if kind in shown:
            shown[kind] = _REDACTED
    return shown


def resource_list(connection: ConnectionInfo, type_url: str) -> list[dict[str, Any]]:
    """Names, versions and sizes of what a proxy is served of a type; nothing is decoded for it."""
    return [
        {"name": resource.name, "version": resource.version, "bytes": len(resource.value)}
        for resource in served(connection, type_url)
    ]


def raw_resources(connection: ConnectionInfo, types: Iterable[str]) -> dict[str, Rows]:
    """Type URL -> resources of chosen types, as they are sent."""
    return {url: Rows(map(resource_data, served(connection, url))) for url in types}


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
    configs.append(_secrets(served(connection, SECRET)))
    configs.append(_section("EcdsConfigDump", "ecdsFilters", "ecdsFilter", served(connection, EXTENSION_CONFIG)))
    return {"configs": configs}


def _section(kind: str, plural: str, singular: str, resources: list[Resource]) -> dict[str, Any]:
    rows = ({"versionInfo": found.version, singular: resource_data(found)} for found in resources)
    return {"@type": _ADMIN + kind, plural: Rows(rows)}


def _listeners(resources: list[Resource]) -> dict[str, Any]:
    rows = (
        {"name": found.name, "activeState": {"versionInfo": found.version, "listener": resource_data(found)}}
        for found in resources
    )
    return {"@type": _ADMIN + "ListenersConfigDump", "dynamicListeners": Rows(rows)}


def _secrets(resources: list[Resource]) -> dict[str, Any]:
    rows = ({"name": found.name, "versionInfo": found.version, "secret": resource_data(found)} for found in resources)
    return {"@type": _ADMIN + "SecretsConfigDump", "dynamicActiveSecrets": Rows(rows)}


def _routes(connection: ConnectionInfo) -> dict[str, Any]:
    """Route configurations, with the virtual hosts that were sent on their own where Envoy puts them."""
    hosts: dict[str, list[Resource]] = {}
    for found in served(connection, VIRTUAL_HOST):
        hosts.setdefault(found.name.rpartition("/")[0], []).append(found)
    rows = _route_rows(served(connection, ROUTE), hosts)
    return {"@type": _ADMIN + "RoutesConfigDump", "dynamicRouteConfigs": Rows(rows)}


def _route_rows(routes: list[Resource], hosts: dict[str, list[Resource]]) -> Iterator[dict[str, Any]]:
    for route in routes:
        data = resource_data(route)
        more = [resource_data(host) for host in hosts.get(route.name, ())]
        if more:
            for host in more:
                del host["@type"]
            data["virtualHosts"] = [*data.get("virtualHosts", []), *more]
        yield {"versionInfo": route.version, "routeConfig": data}
