"""A small world for the xDS server: resources set by hand, in scopes that proxies see, instead of a mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from discovery.engine import Commit, Database, Input, Query, query
from discovery.mesh.proxy import InboundView, OutboundView, ProxyKey, ProxyView, ScopeKey
from discovery.translate.tables import Index, ResourceRef, TableKey
from discovery.wire.node import InterceptionMode, NodeType
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from discovery.xds.views import Views
from discovery.xds.world import Limits, World

__all__ = ["BAD", "HandMade", "move", "proxy_key", "put", "refresh", "small_world"]

BAD = b"bad"  # a resource with this in its bytes is rejected by the clients of the kit

# (scope, type URL) -> name -> bytes. A virtual host is in the scope "<scope>/<route configuration>".
CONTENT: Input[tuple[str, str], Mapping[str, bytes]] = Input("content", default={})
# Namespace of the proxy -> the scope that it is served from.
SCOPE: Input[str, str] = Input("scope", default="")


@query
def rendered(db: Database, key: tuple[str, str, str]) -> Resource:
    """One resource; one with ``fail`` in it cannot be computed."""
    scope, type_url, name = key
    value = CONTENT(db, (scope, type_url))[name]
    if b"fail" in value:
        raise ValueError(f"{name} cannot be rendered")
    return Resource(name, content_version(value), type_url, value)


@query
def index(db: Database, key: tuple[str, str]) -> Index:
    """Names of a scope and type."""
    return {name: ResourceRef(rendered, (*key, name)) for name in CONTENT(db, key)}


@query
def viewed(db: Database, key: ProxyKey) -> ProxyView:
    """The scope of the proxy's namespace, by default the namespace itself."""
    scope = ScopeKey(SCOPE(db, key.namespace) or key.namespace, None)
    return ProxyView(
        outbound=OutboundView(
            scope=scope,
            type=key.type,
            dns_domain="",
            cluster_id="",
            network="",
            locality="",
            interception=InterceptionMode.REDIRECT,
            vhds=key.vhds,
        ),
        inbound=InboundView(
            scope=scope,
            type=key.type,
            namespace=key.namespace,
            targets=(),
            policy_labels=(),
            interception=InterceptionMode.REDIRECT,
        ),
    )


class HandMade:
    """Generators: clusters and listeners come from two tables (``<scope>`` and ``<scope>.in``), the rest from one.

    Args:
        empty: the bytes of the assignment that stands in for one that is not there, by name and scope.
    """

    def __init__(
        self, empty: Callable[[str, str], bytes] = lambda name, scope: f"{name}=empty {scope}".encode()
    ) -> None:
        self._empty = empty

    @property
    def view(self) -> Query[ProxyKey, ProxyView]:
        """The proxy's scope."""
        return viewed

    def tables(self, type_url: str, view: ProxyView, routes: frozenset[str]) -> tuple[TableKey, ...]:
        """Tables of a type."""
        scope = view.outbound.scope.namespace
        if type_url in (CLUSTER, LISTENER):
            return (TableKey(type_url, index, (scope, type_url)), TableKey(type_url, index, (f"{scope}.in", type_url)))
        if type_url == ROUTE:
            return (TableKey(type_url, index, (scope + ("+vhds" if view.outbound.vhds else ""), type_url)),)
        if type_url == VIRTUAL_HOST:
            if not view.outbound.vhds:
                return ()
            return tuple(TableKey(type_url, index, (f"{scope}/{route}", type_url)) for route in sorted(routes))
        return (TableKey(type_url, index, (scope, type_url)),)

    def fallback(self, db: Database, type_url: str, view: ProxyView, name: str) -> Resource | None:
        """An assignment without endpoints."""
        del db
        value = self._empty(name, view.outbound.scope.namespace)
        return Resource(name, content_version(value), type_url, value) if type_url == ENDPOINT else None


def small_world(limits: Limits | None = None) -> World:
    """A world with nothing in it."""
    return World.of(Database(), HandMade(), limits)


def proxy_key(namespace: str = "shop", *, vhds: bool = False, ip: str = "10.0.0.1") -> ProxyKey:
    """A sidecar."""
    return ProxyKey(type=NodeType.SIDECAR, ips=(ip,), namespace=namespace, vhds=vhds)


def put(world: World, scope: str, type_url: str, content: Mapping[str, bytes]) -> Commit:
    """Make these the resources of a scope and type, as one commit; nobody is told yet."""
    return world.db.commit([(CONTENT, (scope, type_url), dict(content))])


def move(world: World, namespace: str, scope: str) -> Commit:
    """Have a namespace served from another scope."""
    return world.db.commit([(SCOPE, namespace, scope)])


def refresh(world: World, commit: Commit) -> None:
    """Do what the server does when changes are due."""
    assert isinstance(world.views, Views)
    for session, view in world.views.affected(commit.touched):
        session.look(view)
    for table, names in world.tables.refresh(commit.touched).items():
        for watch in table.watchers(names):
            watch.session.mark(watch)
