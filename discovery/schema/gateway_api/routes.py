"""What all routes share, and TCPRoute and TLSRoute, which have no more than that: connections go to backends.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#tcproute
"""

from __future__ import annotations

from datetime import timedelta

from discovery.schema.gateway_api.references import BackendRef, ParentReference
from discovery.schema.message import Message

__all__ = ["CookieConfig", "Layer4Rule", "Route", "SessionPersistence", "TCPRoute", "TLSRoute"]


class Route(Message, frozen=True, kw_only=True):
    """Where a route wants to be attached; ``use_default_gateways`` All means to every default Gateway too."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = ""


class CookieConfig(Message, frozen=True, kw_only=True):
    """How long the cookie lives: ``lifetime_type`` is Session or Permanent."""

    lifetime_type: str = "Session"


class SessionPersistence(Message, frozen=True, kw_only=True):
    """Requests of one session go to one endpoint: ``type`` is Cookie or Header."""

    session_name: str = ""
    absolute_timeout: timedelta | None = None
    idle_timeout: timedelta | None = None
    type: str = "Cookie"
    cookie_config: CookieConfig | None = None


class Layer4Rule(Message, frozen=True, kw_only=True):
    """Backends of connections; connections to one that does not exist are refused, by its weight."""

    name: str = ""
    backend_refs: tuple[BackendRef, ...] = ()


class TCPRoute(Route, frozen=True, kw_only=True):
    """Connections of the parents' ports."""

    rules: tuple[Layer4Rule, ...] = ()


class TLSRoute(Route, frozen=True, kw_only=True):
    """Connections by the name (SNI) that the client asks for; a host may begin with ``*.``."""

    hostnames: tuple[str, ...] = ()
    rules: tuple[Layer4Rule, ...] = ()
