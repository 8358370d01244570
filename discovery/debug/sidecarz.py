"""What a proxy may see, and by which Sidecar: the first question when configuration is missing or too large."""

from __future__ import annotations

from typing import Any

from discovery.engine import Database
from discovery.mesh.scope import EgressListener, egress_listeners, outbound_policy, scope_services
from discovery.registry.service import ServiceRef
from discovery.xds.connections import ConnectionInfo

__all__ = ["sidecarz"]


def sidecarz(db: Database, connection: ConnectionInfo) -> dict[str, Any]:
    """``/debug/sidecarz``: the scope of one proxy."""
    scope = connection.view.outbound.scope
    return {
        "name": scope.sidecar.name if scope.sidecar is not None else "default-sidecar",
        "namespace": scope.sidecar.namespace if scope.sidecar is not None else scope.namespace,
        "outboundTrafficPolicy": {"mode": str(outbound_policy(db, scope).mode)},
        "services": [_service(ref) for ref in scope_services(db, scope)],
        "egressListeners": [_listener(listener) for listener in egress_listeners(db, scope)],
    }


def _service(ref: ServiceRef) -> dict[str, str]:
    return {"hostname": ref.host, "namespace": ref.namespace}


def _listener(listener: EgressListener) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if listener.port is not None:
        shown["port"] = {"number": listener.port.number, "protocol": listener.port.protocol, "name": listener.port.name}
    if listener.bind:
        shown["bind"] = listener.bind
    return shown | {
        "captureMode": str(listener.capture_mode),
        "services": [_service(ref) for ref in listener.services],
        "virtualServices": [f"{key.namespace}/{key.name}" for key in listener.virtual_services],
    }
