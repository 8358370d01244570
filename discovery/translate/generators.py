"""Type URL -> tables: which rendered resources each xDS type of a proxy is served from."""

from __future__ import annotations

from discovery.engine import Database, Query
from discovery.mesh.proxies import proxy_view
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.translate.clusters import inbound_cluster_index, outbound_cluster_index
from discovery.translate.endpoints import empty_assignment, endpoint_index
from discovery.translate.listeners import inbound_listener_index, outbound_listener_index
from discovery.translate.name_table import name_table_index, name_table_key
from discovery.translate.routes import VirtualHostsOf, empty_route, route_index, virtual_host_index
from discovery.translate.tables import TableKey
from discovery.translate.trust_anchors import trust_anchor_index
from discovery.wire.resource import Resource
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, NAME_TABLE, PROXY_CONFIG, ROUTE, VIRTUAL_HOST

__all__ = ["MeshGenerators"]


class MeshGenerators:
    """The ``Generators`` of the mesh: sidecars and routers served from the query database."""

    @property
    def view(self) -> Query[ProxyKey, ProxyView]:
        """The query that tells what selection makes of a proxy."""
        return proxy_view

    def tables(self, type_url: str, view: ProxyView, routes: frozenset[str]) -> tuple[TableKey, ...]:
        """The tables whose union a proxy may be served for a type; empty for a type we do not serve."""
        match type_url:
            case t if t == CLUSTER:
                return (
                    TableKey(t, outbound_cluster_index, view.outbound),
                    TableKey(t, inbound_cluster_index, view.inbound),
                )
            case t if t == LISTENER:
                return (
                    TableKey(t, outbound_listener_index, view.outbound),
                    TableKey(t, inbound_listener_index, view.inbound),
                )
            case t if t == ENDPOINT:
                return (TableKey(t, endpoint_index, view.outbound),)
            case t if t == ROUTE:
                return (TableKey(t, route_index, view.outbound),)
            case t if t == VIRTUAL_HOST:
                return tuple(
                    TableKey(t, virtual_host_index, VirtualHostsOf(view.outbound, name)) for name in sorted(routes)
                )
            case t if t == NAME_TABLE:
                return (TableKey(t, name_table_index, name_table_key(view.outbound)),)
            case t if t == PROXY_CONFIG:
                return (TableKey(t, trust_anchor_index, None),)
            case _:
                return ()

    def fallback(self, db: Database, type_url: str, view: ProxyView, name: str) -> Resource | None:
        """The answer for a name that no table has: an empty assignment or route, so that Envoy stops waiting."""
        del db, view
        if type_url == ENDPOINT:
            return empty_assignment(name)
        if type_url == ROUTE:
            return empty_route(name)
        return None
