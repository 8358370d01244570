"""Host and gateway names as users shorten them, expanded to what they mean in the namespace of the object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from discovery.engine import Database, query
from discovery.schema.virtual_service import (
    Destination,
    HTTPMatchRequest,
    HTTPMirrorPolicy,
    HTTPRoute,
    HTTPRouteDestination,
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
)
from discovery.store.cells import CLUSTER

__all__ = ["MESH_GATEWAY", "Names", "cluster_domain"]

M = TypeVar("M", HTTPMatchRequest, L4MatchAttributes, TLSMatchAttributes)

MESH_GATEWAY: Final = "mesh"  # the reserved name for "all sidecars"


@query
def cluster_domain(db: Database, _: None) -> str:
    """The DNS suffix of Kubernetes services."""
    return CLUSTER(db, None).domain


class Names(NamedTuple):
    """How names read in one namespace of a cluster with this DNS suffix.

    Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination
    """

    namespace: str
    domain: str

    def host(self, name: str) -> str:
        """``reviews`` becomes ``reviews.<namespace>.svc.<domain>``; names with a dot or a wildcard stay."""
        name = name.lower()
        if not name or "." in name or "*" in name:
            return name
        return f"{name}.{self.namespace}.svc.{self.domain}"

    def gateway(self, name: str) -> str:
        """``ns/name``; also for ``name``, ``./name`` and the legacy ``name.ns.svc.cluster.local``."""
        if name == MESH_GATEWAY:
            return name
        namespace, slash, rest = name.partition("/")
        if slash:
            return f"{self.namespace}/{rest}" if namespace == "." else name
        first, dot, rest = name.partition(".")
        return f"{rest.partition('.')[0]}/{first}" if dot else f"{self.namespace}/{name}"

    def gateways(self, names: Iterable[str]) -> tuple[str, ...]:
        """All gateways of a list."""
        return tuple(self.gateway(name) for name in names)

    def http(self, route: HTTPRoute) -> HTTPRoute:
        """An HTTP route with its destinations and gateways spelled out."""
        return replace(
            route,
            match=tuple(self._match(match) for match in route.match),
            route=tuple(self._http_destination(to) for to in route.route),
            mirror=self._destination(route.mirror),
            mirrors=tuple(self._mirror(mirror) for mirror in route.mirrors),
        )

    def tls(self, route: TLSRoute) -> TLSRoute:
        """A TLS route with its destinations and gateways spelled out."""
        return replace(
            route,
            match=tuple(self._match(match) for match in route.match),
            route=tuple(self._l4_destination(to) for to in route.route),
        )

    def tcp(self, route: TCPRoute) -> TCPRoute:
        """A TCP route with its destinations and gateways spelled out."""
        return replace(
            route,
            match=tuple(self._match(match) for match in route.match),
            route=tuple(self._l4_destination(to) for to in route.route),
        )

    def _match(self, match: M) -> M:
        return replace(match, gateways=self.gateways(match.gateways)) if match.gateways else match

    def _destination(self, to: Destination | None) -> Destination | None:
        if to is None:
            return None
        host = self.host(to.host)
        return to if host == to.host else replace(to, host=host)

    def _http_destination(self, to: HTTPRouteDestination) -> HTTPRouteDestination:
        destination = self._destination(to.destination)
        return to if destination is to.destination else replace(to, destination=destination)

    def _l4_destination(self, to: RouteDestination) -> RouteDestination:
        destination = self._destination(to.destination)
        return to if destination is to.destination else replace(to, destination=destination)

    def _mirror(self, mirror: HTTPMirrorPolicy) -> HTTPMirrorPolicy:
        destination = self._destination(mirror.destination)
        return mirror if destination is mirror.destination else replace(mirror, destination=destination)
