"""For whom a route is: the part of a match that is decided while configuration is built, not by Envoy.

``port``, ``sourceLabels``, ``sourceNamespace`` and ``gateways`` of a match speak of the proxy that asks. A route that
does not meet them is left out of that proxy's configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from discovery.mesh.proxy import Labels
from discovery.mesh.short_names import MESH_GATEWAY
from discovery.schema.virtual_service import HTTPMatchRequest, HTTPRoute

__all__ = ["Caller", "Condition", "condition", "conditions", "meant_for"]


class Caller(NamedTuple):
    """A proxy, and the listener port that a route is wanted for."""

    port: int
    namespace: str
    labels: Labels = ()
    gateway: str = MESH_GATEWAY  # or ``namespace/name`` of a Gateway


class Condition(NamedTuple):
    """What a match asks of the caller; zero and empty fields ask nothing."""

    port: int = 0
    labels: Labels = ()
    namespace: str = ""
    gateways: tuple[str, ...] = ()  # when given, the caller's gateway is asked for instead of labels and namespace

    def met_by(self, caller: Caller) -> bool:
        """Whether the caller is meant."""
        if self.port not in (0, caller.port):
            return False
        if self.gateways:
            return caller.gateway in self.gateways
        if self.namespace not in ("", caller.namespace):
            return False
        return not self.labels or set(caller.labels).issuperset(self.labels)


def condition(match: HTTPMatchRequest) -> Condition:
    """The condition of one match."""
    if match.gateways:
        return Condition(port=match.port, gateways=match.gateways)
    return Condition(match.port, tuple(sorted(match.source_labels.items())), match.source_namespace)


def meant_for(match: HTTPMatchRequest, caller: Caller) -> bool:
    """Whether a match asks nothing of the caller that it does not meet."""
    if not (match.port or match.gateways or match.source_labels or match.source_namespace):
        return True
    return condition(match).met_by(caller)


def conditions(routes: Iterable[HTTPRoute]) -> tuple[Condition, ...]:
    """Conditions of which one must be met for any route to be left; empty when some route is for everybody."""
    found: dict[Condition, None] = {}
    for route in routes:
        if not route.match:
            return ()
        for match in route.match:
            asked = condition(match)
            if asked == Condition():
                return ()
            found[asked] = None
    return tuple(found)
