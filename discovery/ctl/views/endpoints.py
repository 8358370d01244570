"""Load assignments as a table: a row for each endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from discovery.ctl.cluster_key import parse_cluster_key
from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table

__all__ = ["EndpointFilter", "chosen_assignments", "endpoints_table"]

_HEADER: Final = ("NAME", "STATUS", "LOCALITY", "CLUSTER")


class EndpointFilter(NamedTuple):
    """Which endpoints are wanted; empty parts want all."""

    address: str = ""
    port: int = 0
    cluster: str = ""
    status: str = ""

    def wants(self, cluster: str, endpoint: dict[str, Any]) -> bool:
        """Whether an ``lbEndpoint`` of a cluster is."""
        socket = _place(endpoint).get("socketAddress", {})
        return (
            self.address in ("", socket.get("address", ""))
            and self.port in (0, int(socket.get("portValue", 0)))
            and self.cluster in ("", cluster)
            and self.status.upper() in ("", _status(endpoint))
        )


def chosen_assignments(dump: Dump, wanted: EndpointFilter = EndpointFilter()) -> list[dict[str, Any]]:  # noqa: B008
    """Assignments with an endpoint that is wanted, sorted by the host of the cluster."""
    found = [
        assignment
        for assignment in dump.endpoints()
        if any(wanted.wants(assignment.get("clusterName", ""), endpoint) for _, endpoint in _members(assignment))
    ]
    return sorted(found, key=lambda assignment: parse_cluster_key(assignment.get("clusterName", "")))


def endpoints_table(
    assignments: Iterable[dict[str, Any]],
    wanted: EndpointFilter = EndpointFilter(),  # noqa: B008 - a value
    *,
    prefix: str = "",
) -> str:
    """One row for each endpoint that is wanted; ``prefix`` (``endpoint/``) goes before names."""
    rows = []
    for assignment in assignments:
        cluster = assignment.get("clusterName", "")
        for locality, endpoint in _members(assignment):
            if wanted.wants(cluster, endpoint):
                rows.append((prefix + _name(endpoint), _status(endpoint), locality, cluster))
    return render_table(_HEADER, rows)


def _members(assignment: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Locality and endpoint."""
    for group in assignment.get("endpoints", ()):
        locality = group.get("locality", {})
        parts = [locality.get(part, "") for part in ("region", "zone", "subZone")]
        for endpoint in group.get("lbEndpoints", ()):
            yield "/".join(filter(None, parts)), endpoint


def _place(endpoint: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = endpoint.get("endpoint", {}).get("address", {})
    return found


def _status(endpoint: dict[str, Any]) -> str:
    return str(endpoint.get("healthStatus", "HEALTHY"))


def _name(endpoint: dict[str, Any]) -> str:
    place = _place(endpoint)
    if "socketAddress" in place:
        return f"{place['socketAddress'].get('address', '')}:{place['socketAddress'].get('portValue', 0)}"
    if "envoyInternalAddress" in place:
        internal = place["envoyInternalAddress"]
        return f"envoy://{internal.get('serverListenerName', '')}/{internal.get('endpointId', '')}"
    return str(place.get("pipe", {}).get("path", ""))
