"""HTTPRoute: which requests of its parents go where, and what becomes of them on the way.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#httproute
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from discovery.schema.gateway_api.filters import HTTPRouteFilter
from discovery.schema.gateway_api.references import BackendRef
from discovery.schema.gateway_api.routes import Route, SessionPersistence
from discovery.schema.message import Message, NonEmpty

__all__ = [
    "HTTPBackendRef",
    "HTTPPathMatch",
    "HTTPRoute",
    "HTTPRouteMatch",
    "HTTPRouteRetry",
    "HTTPRouteRule",
    "HTTPRouteTimeouts",
    "HTTPValueMatch",
]


class HTTPPathMatch(Message, frozen=True, kw_only=True):
    """``type`` is PathPrefix (by whole elements), Exact or RegularExpression."""

    type: str = "PathPrefix"
    value: str = "/"


class HTTPValueMatch(Message, frozen=True, kw_only=True):
    """A header (its name in any case) or a query parameter: ``type`` is Exact or RegularExpression."""

    required = ("name", "value")

    type: str = "Exact"
    name: NonEmpty = ""
    value: str = ""


class HTTPRouteMatch(Message, frozen=True, kw_only=True):
    """Requests for which all of this holds; no method: every one."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: tuple[HTTPValueMatch, ...] = ()
    query_params: tuple[HTTPValueMatch, ...] = ()
    method: str = ""


class HTTPBackendRef(BackendRef, frozen=True, kw_only=True):
    """A backend, with filters for what goes there only."""

    filters: tuple[HTTPRouteFilter, ...] = ()


class HTTPRouteTimeouts(Message, frozen=True, kw_only=True):
    """Of the whole request, and of each try at a backend; zero: none, None: as the proxy has it."""

    request: timedelta | None = None
    backend_request: timedelta | None = None


class HTTPRouteRetry(Message, frozen=True, kw_only=True):
    """After which answers a backend is tried again, how often, and how long is waited at least."""

    codes: tuple[Annotated[int, msgspec.Meta(ge=400, le=599)], ...] = ()
    attempts: int | None = None
    backoff: timedelta | None = None


class HTTPRouteRule(Message, frozen=True, kw_only=True):
    """Requests that one of the matches holds for (none written: all) go to the backends by weight."""

    name: str = ""
    matches: tuple[HTTPRouteMatch, ...] = (HTTPRouteMatch(),)
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRoute(Route, frozen=True, kw_only=True):
    """Rules for hosts, which may begin with ``*.``; none named: those of the parents."""

    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = (HTTPRouteRule(),)
