"""Which names a resource makes a proxy subscribe to next: clusters name endpoints, listeners name routes.

Only the few fields on the way to those names are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from discovery.wire import type_urls
from discovery.wire.protowire import fields

__all__ = ["USES_VHDS", "referenced_names"]

USES_VHDS = "vhds"
"""The one reference of a route configuration whose virtual hosts come by VHDS."""

_EDS = 3  # envoy.config.cluster.v3.Cluster.DiscoveryType
_HTTP_CONNECTION_MANAGER = (
    b"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)


def _chunks(data: memoryview, *numbers: int) -> Iterator[memoryview]:
    """The length-prefixed values of the fields given, in wire order."""
    for number, value in fields(data):
        if number in numbers and not isinstance(value, int):
            yield value


def _text(data: memoryview, number: int) -> str:
    for value in _chunks(data, number):
        return str(value, "utf-8")
    return ""


def _of_cluster(body: memoryview) -> tuple[str, ...]:
    name = service_name = ""
    is_eds = False
    for number, value in fields(body):
        if number == 2:
            is_eds = value == _EDS
        elif isinstance(value, int):
            continue
        elif number == 1:
            name = str(value, "utf-8")
        elif number == 3:
            service_name = _text(value, 2)
    return (service_name or name,) if is_eds else ()


def _of_listener(body: memoryview) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for chain in _chunks(body, 3, 25):
        for network_filter in _chunks(chain, 3):
            for typed_config in _chunks(network_filter, 4):
                if _text(typed_config, 1).encode() == _HTTP_CONNECTION_MANAGER:
                    names.update(dict.fromkeys(_of_connection_manager(typed_config)))
    return tuple(names)


def _of_connection_manager(typed_config: memoryview) -> Iterator[str]:
    for manager in _chunks(typed_config, 2):
        for rds in _chunks(manager, 3):
            name = _text(rds, 2)
            if name:
                yield name


def _of_route_configuration(body: memoryview) -> tuple[str, ...]:
    return (USES_VHDS,) if any(True for _ in _chunks(body, 9)) else ()


_READERS: dict[str, Callable[[memoryview], tuple[str, ...]]] = {
    type_urls.CLUSTER: _of_cluster,
    type_urls.LISTENER: _of_listener,
    type_urls.ROUTE: _of_route_configuration,
}


def referenced_names(type_url: str, body: memoryview) -> tuple[str, ...]:
    """EDS names of a cluster, RDS names of a listener, ``USES_VHDS`` of a route configuration; else nothing."""
    reader = _READERS.get(type_url)
    return reader(body) if reader is not None else ()
