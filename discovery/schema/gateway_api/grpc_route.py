"""GRPCRoute: which calls of its parents go where, and what becomes of them on the way.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#grpcroute
"""

from __future__ import annotations

from discovery.schema.gateway_api.filters import GRPCRouteFilter
from discovery.schema.gateway_api.references import BackendRef
from discovery.schema.gateway_api.routes import Route, SessionPersistence
from discovery.schema.message import Message, NonEmpty

__all__ = ["GRPCBackendRef", "GRPCHeaderMatch", "GRPCMethodMatch", "GRPCRoute", "GRPCRouteMatch", "GRPCRouteRule"]


class GRPCMethodMatch(Message, frozen=True, kw_only=True):
    """``type`` is Exact or RegularExpression; an empty service or method is every one."""

    type: str = "Exact"
    service: str = ""
    method: str = ""


class GRPCHeaderMatch(Message, frozen=True, kw_only=True):
    """A header, its name in any case: ``type`` is Exact or RegularExpression."""

    required = ("name", "value")

    type: str = "Exact"
    name: NonEmpty = ""
    value: str = ""


class GRPCRouteMatch(Message, frozen=True, kw_only=True):
    """Calls for which all of this holds."""

    method: GRPCMethodMatch | None = None
    headers: tuple[GRPCHeaderMatch, ...] = ()


class GRPCBackendRef(BackendRef, frozen=True, kw_only=True):
    """A backend, with filters for what goes there only."""

    filters: tuple[GRPCRouteFilter, ...] = ()


class GRPCRouteRule(Message, frozen=True, kw_only=True):
    """Calls that one of the matches holds for (none written: all) go to the backends by weight."""

    name: str = ""
    matches: tuple[GRPCRouteMatch, ...] = ()
    filters: tuple[GRPCRouteFilter, ...] = ()
    backend_refs: tuple[GRPCBackendRef, ...] = ()
    session_persistence: SessionPersistence | None = None


class GRPCRoute(Route, frozen=True, kw_only=True):
    """Rules for hosts, which may begin with ``*.``; none named: those of the parents."""

    hostnames: tuple[str, ...] = ()
    rules: tuple[GRPCRouteRule, ...] = ()
