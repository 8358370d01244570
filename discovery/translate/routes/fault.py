"""Faults to inject: delays and aborts of a share of the requests.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection
"""

from __future__ import annotations

from typing import Any, Final

from discovery.schema.virtual_service import Abort, Delay, HTTPFaultInjection
from discovery.translate.routes.percent import fraction, whole_percent
from discovery.wire.envoy import HTTPFault, pack

__all__ = ["FAULT_FILTER", "fault"]

FAULT_FILTER: Final = "envoy.filters.http.fault"

# In the order of their numbers. Spec: https://grpc.io/docs/guides/status-codes/
_GRPC_STATUSES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def fault(injection: HTTPFaultInjection) -> dict[str, Any] | None:
    """The per-route configuration of the fault filter as ``Any``; None when there is nothing that Envoy can do."""
    built = {"delay": _delay(injection.delay), "abort": _abort(injection.abort)}
    built = {kind: value for kind, value in built.items() if value is not None}
    return pack(HTTPFault(**built)) if built else None


def _delay(delay: Delay | None) -> dict[str, Any] | None:
    if delay is None or delay.fixed_delay is None:  # exponential delays have no counterpart
        return None
    share = fraction(delay.percentage) if delay.percentage is not None else whole_percent(delay.percent)
    return {"fixed_delay": delay.fixed_delay, "percentage": share}


def _abort(abort: Abort | None) -> dict[str, Any] | None:
    if abort is None:
        return None
    built: dict[str, Any] = {}
    if abort.http_status is not None:
        built["http_status"] = abort.http_status
    elif abort.grpc_status is not None and abort.grpc_status in _GRPC_STATUSES:
        built["grpc_status"] = _GRPC_STATUSES.index(abort.grpc_status)
    else:
        return None
    if abort.percentage is not None:
        built["percentage"] = fraction(abort.percentage)
    return built
