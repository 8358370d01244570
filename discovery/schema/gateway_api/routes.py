"""What all routes share, and TCPRoute and TLSRoute, which have no more than that: connections go to backends.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#tcproute
"""

from __future__ import annotations

from datetime import timedelta

from discovery.schema.gateway_api.references import BackendRef, ParentReference
from discovery.schema.message import Message, NonEmpty

__all__ = ["Layer4Rule", "Route", "SessionCookie", "SessionHeader", "SessionPersistence", "TCPRoute", "TLSRoute"]


class Route(Message, frozen=True, kw_only=True):
    """Where a route wants to be attached; ``use_default_gateways`` All means to every default Gateway too."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = ""


class SessionCookie(Message, frozen=True, kw_only=True):
    """A cookie, of a name made up unless there is one; ``lifetime_type`` is Session or Permanent."""

    name: str = ""
    path: str = "/"
    lifetime_type: str = "Session"


class SessionHeader(Message, frozen=True, kw_only=True):
    """A header that clients repeat."""

    required = ("name",)

    name: NonEmpty = ""


class SessionPersistence(Message, frozen=True, kw_only=True):
    """Requests of one session go to one endpoint: ``type`` is Cookie or Header."""

    absolute_timeout: timedelta | None = None
    type: str = "Cookie"
    cookie: SessionCookie | None = None
    header: SessionHeader | None = None
    # Of older definitions, whose cookies and headers are named in one place.
    session_name: str = ""
    idle_timeout: timedelta | None = None
    cookie_config: SessionCookie | None = None


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
