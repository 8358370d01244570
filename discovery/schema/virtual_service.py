"""VirtualService: how requests to hosts are matched, changed and routed.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from discovery.schema.message import Base64, Message, ProtoEnum, UInt32
from discovery.schema.selector import PortSelector

__all__ = [
    "Abort",
    "CorsPolicy",
    "Delay",
    "Delegate",
    "DerivePort",
    "Destination",
    "HTTPBody",
    "HTTPDirectResponse",
    "HTTPFaultInjection",
    "HTTPMatchRequest",
    "HTTPMirrorPolicy",
    "HTTPRedirect",
    "HTTPRetry",
    "HTTPRewrite",
    "HTTPRoute",
    "HTTPRouteDestination",
    "HeaderOperations",
    "Headers",
    "L4MatchAttributes",
    "Percent",
    "RegexRewrite",
    "RouteDestination",
    "StringMatch",
    "TCPRoute",
    "TLSMatchAttributes",
    "TLSRoute",
    "UnmatchedPreflights",
    "VirtualService",
]


class Destination(Message, frozen=True, kw_only=True):
    """A service of the registry, by host, and which subset and port of it."""

    required = ("host",)

    host: str = ""
    subset: str = ""
    port: PortSelector | None = None


class Percent(Message, frozen=True, kw_only=True):
    """A percentage in [0, 100]."""

    value: float = 0.0


class StringMatch(Message, frozen=True, kw_only=True):
    """One way to match a string; ``regex`` is RE2 over the whole string."""

    oneofs = (("exact", "prefix", "regex"),)

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class HTTPMatchRequest(Message, frozen=True, kw_only=True):
    """Conditions that must all hold for a request."""

    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: Mapping[str, StringMatch] = {}
    port: UInt32 = 0
    source_labels: Mapping[str, str] = {}
    gateways: tuple[str, ...] = ()
    query_params: Mapping[str, StringMatch] = {}
    ignore_uri_case: bool = False
    without_headers: Mapping[str, StringMatch] = {}
    source_namespace: str = ""
    stat_prefix: str = ""


class HeaderOperations(Message, frozen=True, kw_only=True):
    """Headers to set (overwrite), add (append) and remove."""

    set: Mapping[str, str] = {}
    add: Mapping[str, str] = {}
    remove: tuple[str, ...] = ()


class Headers(Message, frozen=True, kw_only=True):
    """Header operations on the way out and on the way back."""

    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class HTTPRouteDestination(Message, frozen=True, kw_only=True):
    """A weighted destination of a route; weights are shares of their sum."""

    required = ("destination",)

    destination: Destination | None = None
    weight: int = 0
    headers: Headers | None = None


class DerivePort(ProtoEnum):
    """Which port a redirect points to when none is written."""

    FROM_PROTOCOL_DEFAULT = "FROM_PROTOCOL_DEFAULT"
    FROM_REQUEST_PORT = "FROM_REQUEST_PORT"


class HTTPRedirect(Message, frozen=True, kw_only=True):
    """Answer with a redirect; ``redirect_code`` 0 means 301."""

    oneofs = (("port", "derive_port"),)

    uri: str = ""
    authority: str = ""
    port: UInt32 | None = None
    derive_port: DerivePort | None = None
    scheme: str = ""
    redirect_code: UInt32 = 0
    prefix_rewrite: str = ""


class HTTPBody(Message, frozen=True, kw_only=True):
    """The body of a direct response."""

    oneofs = (("string", "bytes"),)

    string: str | None = None
    bytes: Base64 | None = None


class HTTPDirectResponse(Message, frozen=True, kw_only=True):
    """Answer with a fixed response."""

    required = ("status",)

    status: UInt32 = 0
    body: HTTPBody | None = None


class Delegate(Message, frozen=True, kw_only=True):
    """The VirtualService that holds the routes of a path; an empty namespace means that of the root."""

    name: str = ""
    namespace: str = ""


class RegexRewrite(Message, frozen=True, kw_only=True):
    """Replace what ``match`` (RE2) finds in the path by ``rewrite`` (with ``\\1`` for groups)."""

    match: str = ""
    rewrite: str = ""


class HTTPRewrite(Message, frozen=True, kw_only=True):
    """Change path and authority before forwarding."""

    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class HTTPRetry(Message, frozen=True, kw_only=True):
    """Retries of failed requests; ``attempts`` 0 turns them off."""

    attempts: int = 0
    per_try_timeout: timedelta | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: timedelta | None = None


class Delay(Message, frozen=True, kw_only=True):
    """Hold requests back before forwarding them."""

    oneofs = (("fixed_delay", "exponential_delay"),)

    percent: int = 0  # deprecated, whole percents
    fixed_delay: timedelta | None = None
    exponential_delay: timedelta | None = None
    percentage: Percent | None = None


class Abort(Message, frozen=True, kw_only=True):
    """Answer requests with an error instead of forwarding them."""

    oneofs = (("http_status", "grpc_status", "http2_error"),)

    http_status: int | None = None
    grpc_status: str | None = None
    http2_error: str | None = None
    percentage: Percent | None = None


class HTTPFaultInjection(Message, frozen=True, kw_only=True):
    """Faults to inject, for testing how applications bear them."""

    delay: Delay | None = None
    abort: Abort | None = None


class HTTPMirrorPolicy(Message, frozen=True, kw_only=True):
    """A further destination that gets copies of requests."""

    required = ("destination",)

    destination: Destination | None = None
    percentage: Percent | None = None


class UnmatchedPreflights(ProtoEnum):
    """What happens to preflight requests from other origins."""

    UNSPECIFIED = "UNSPECIFIED"
    FORWARD = "FORWARD"
    IGNORE = "IGNORE"


class CorsPolicy(Message, frozen=True, kw_only=True):
    """Cross-origin resource sharing."""

    allow_origin: tuple[str, ...] = ()  # deprecated, exact origins
    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: timedelta | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: UnmatchedPreflights = UnmatchedPreflights.UNSPECIFIED


class HTTPRoute(Message, frozen=True, kw_only=True):
    """What to do with requests that meet any of the matches (none: all requests)."""

    name: str = ""
    match: tuple[HTTPMatchRequest, ...] = ()
    route: tuple[HTTPRouteDestination, ...] = ()
    redirect: HTTPRedirect | None = None
    direct_response: HTTPDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HTTPRewrite | None = None
    timeout: timedelta | None = None
    retries: HTTPRetry | None = None
    fault: HTTPFaultInjection | None = None
    mirror: Destination | None = None
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    mirror_percent: UInt32 | None = None  # deprecated, whole percents
    mirror_percentage: Percent | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


class RouteDestination(Message, frozen=True, kw_only=True):
    """A weighted destination of an L4 route."""

    required = ("destination",)

    destination: Destination | None = None
    weight: int = 0


class L4MatchAttributes(Message, frozen=True, kw_only=True):
    """Conditions on a connection."""

    destination_subnets: tuple[str, ...] = ()
    port: UInt32 = 0
    source_subnet: str = ""  # deprecated
    source_labels: Mapping[str, str] = {}
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TLSMatchAttributes(Message, frozen=True, kw_only=True):
    """Conditions on a TLS connection that is not terminated."""

    required = ("sni_hosts",)

    sni_hosts: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    port: UInt32 = 0
    source_labels: Mapping[str, str] = {}
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TCPRoute(Message, frozen=True, kw_only=True):
    """Where connections go that meet any of the matches."""

    match: tuple[L4MatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class TLSRoute(Message, frozen=True, kw_only=True):
    """Where TLS connections go that meet any of the matches."""

    required = ("match",)

    match: tuple[TLSMatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class VirtualService(Message, frozen=True, kw_only=True):
    """Routing of requests and connections to some hosts."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    export_to: tuple[str, ...] = ()
