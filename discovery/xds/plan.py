"""Make before break: which type may be sent now, and when what is gone may be taken away.

A route must not name a cluster that the client does not have yet, and a cluster must not go while a route names it. So
listeners, routes and virtual hosts wait until the clusters before them are acknowledged and warm, and removals of
clusters and endpoints wait until listeners and routes are acknowledged. Every such wait ends at a deadline: a client
that never acknowledges must not be kept from everything else.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, PUSH_ORDER, ROUTE, VIRTUAL_HOST
from discovery.xds.watch import Watch

__all__ = ["SERVED", "ends_of_traffic_settled", "must_wait", "removals_wait"]

# The types that the server answers at all, in the order in which additions go.
SERVED: Final[tuple[str, ...]] = PUSH_ORDER

_AFTER_CLUSTERS: Final = frozenset({LISTENER, ROUTE, VIRTUAL_HOST})
_REFER_TO_CLUSTERS: Final = (LISTENER, ROUTE, VIRTUAL_HOST)
_HELD_BACK: Final = frozenset({CLUSTER, ENDPOINT})


def must_wait(type_url: str, watches: Mapping[str, Watch], warming: frozenset[str]) -> bool:
    """Whether additions of a type have to wait for clusters.

    Args:
        type_url: the type that has something to send.
        watches: all watches of the stream.
        warming: clusters sent whose endpoints the client has not acknowledged yet.
    """
    if type_url not in _AFTER_CLUSTERS:
        return False
    clusters = watches.get(CLUSTER)
    return bool(warming) or (clusters is not None and (clusters.in_flight is not None or clusters.dirty))


def removals_wait(type_url: str, watches: Mapping[str, Watch]) -> bool:
    """Whether what is gone from a type must stay with the client for now, for something may still refer to it."""
    return type_url in _HELD_BACK and not ends_of_traffic_settled(watches)


def ends_of_traffic_settled(watches: Mapping[str, Watch]) -> bool:
    """Whether the client has acknowledged all listeners, routes and virtual hosts there are for it."""
    for type_url in _REFER_TO_CLUSTERS:
        watch = watches.get(type_url)
        if watch is not None and (watch.dirty or watch.in_flight is not None):
            return False
    return True
