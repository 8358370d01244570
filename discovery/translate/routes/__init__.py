"""Routes (RDS, VHDS): which hosts a scope can call over HTTP, and what becomes of its requests to them."""

from discovery.translate.routes.index import route_index, virtual_host_index
from discovery.translate.routes.keys import VirtualHostsOf
from discovery.translate.routes.route_configuration import empty_route
from discovery.translate.routes.selection import DuplicateDomain, RoutesAt, duplicate_domains

__all__ = [
    "DuplicateDomain",
    "RoutesAt",
    "VirtualHostsOf",
    "duplicate_domains",
    "empty_route",
    "route_index",
    "virtual_host_index",
]
