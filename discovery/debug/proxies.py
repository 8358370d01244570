"""Views of connected proxies: who is there, what each was sent and acknowledged.

Shapes are istiod's, so that its users' tools read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from discovery.debug.json_stream import Living, Rows
from discovery.wire.envoy import Struct
from discovery.wire.reflection import to_dict
from discovery.wire.type_urls import CLUSTER, ENDPOINT, EXTENSION_CONFIG, LISTENER, ROUTE
from discovery.xds.connections import ConnectionInfo, WatchInfo

__all__ = ["adsz", "connections", "instancesz", "matching", "rfc3339", "sync_status", "syncz"]

_SYNC_COLUMNS: Final = (
    ("cluster", CLUSTER),
    ("listener", LISTENER),
    ("route", ROUTE),
    ("endpoint", ENDPOINT),
    ("extensionconfig", EXTENSION_CONFIG),
)


def rfc3339(instant: datetime) -> str:
    """An instant as JSON has it."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def matching(found: Iterable[ConnectionInfo], proxy_id: str) -> list[ConnectionInfo]:
    """Connections whose id contains the text, by id; all for the empty text."""
    return sorted((c for c in found if proxy_id in c.id), key=lambda c: c.id)


def _head(connection: ConnectionInfo) -> dict[str, Any]:
    return {
        "connectionId": connection.id,
        "connectedAt": rfc3339(connection.connected_at),
        "address": connection.address,
    }


def connections(found: Iterable[ConnectionInfo]) -> dict[str, Any]:
    """``/debug/connections``."""
    clients = [_head(connection) for connection in matching(found, "")]
    return {"totalClients": len(clients), "clients": clients}


def adsz(found: Iterable[ConnectionInfo], *, proxy_id: str = "") -> Living:
    """``/debug/adsz``: connections with node and subscriptions.

    A thousand proxies watch millions of names, so the rows are made as they are written.
    """
    chosen = matching(found, proxy_id)
    return Living({"totalClients": len(chosen), "clients": Rows(map(_client, chosen))})


def _client(connection: ConnectionInfo) -> dict[str, Any]:
    return _head(connection) | {
        "labels": dict(connection.node.labels),
        "metadata": to_dict(Struct.FromString(connection.node.raw_metadata)),
        "locality": connection.node.locality,
        "identity": connection.identity,
        "watches": {watch.type_url: sorted(connection.resources(watch.type_url)) for watch in connection.watches()},
    }


def instancesz(found: Iterable[ConnectionInfo]) -> dict[str, Any]:
    """``/debug/instancesz``: the service ports that each proxy's workload serves."""
    return {
        connection.id: [
            {
                "Service": {"hostname": target.service.host, "namespace": target.service.namespace},
                "Port": {
                    "ServicePort": {
                        "name": target.port.name,
                        "port": target.port.number,
                        "protocol": str(target.port.protocol),
                    },
                    "TargetPort": target.target_port,
                },
            }
            for target in connection.view.inbound.targets
        ]
        for connection in matching(found, "")
    }


def syncz(found: Iterable[ConnectionInfo], *, namespace: str = "") -> list[dict[str, Any]]:
    """``/debug/syncz``: what each proxy was sent and acknowledged, as nonces."""
    rows = []
    for connection in matching(found, ""):
        node = connection.node
        if namespace and node.namespace != namespace:
            continue
        row: dict[str, Any] = {
            "cluster_id": node.metadata.cluster_id,
            "proxy": node.id.name,
            "connection_id": connection.id,
            "proxy_type": str(node.id.type),
            "istio_version": node.metadata.istio_version,
        }
        watches = {watch.type_url: watch for watch in connection.watches()}
        for column, url in _SYNC_COLUMNS:
            if url in watches:
                row[f"{column}_sent"], row[f"{column}_acked"] = watches[url].sent, watches[url].acked
        row["resources"] = {url: _sync_state(watch) for url, watch in sorted(watches.items())}
        rows.append(row)
    return rows


def _sync_state(watch: WatchInfo) -> dict[str, Any]:
    state: dict[str, Any] = {
        "sent": watch.sent,
        "acked": watch.acked,
        "sentTime": rfc3339(watch.sent_at) if watch.sent_at is not None else "",
        "status": sync_status(watch),
    }
    if watch.error:
        state["lastError"] = watch.error
    elif watch.failures:
        name = min(watch.failures)
        more = f" (and {len(watch.failures) - 1} more)" if len(watch.failures) > 1 else ""
        state["lastError"] = f"not rendered, the last good one stays: {name}: {watch.failures[name]}{more}"
    return state


def sync_status(watch: WatchInfo) -> str:
    """``SYNCED``, ``ERROR`` (rejected), ``NOT_SENT`` or ``STALE``.

    ``STALE``: there is something newer, there was no ACK yet, or something newer cannot be rendered.
    """
    if watch.error:
        return "ERROR"
    if not watch.sent:
        return "NOT_SENT"
    return "SYNCED" if watch.synced else "STALE"
