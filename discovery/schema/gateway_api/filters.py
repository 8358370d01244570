"""What rules of routes do to requests and responses on their way; ``type`` says which of the other fields counts.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from discovery.schema.gateway_api.references import BackendObjectReference, LocalObjectReference
from discovery.schema.message import Message, NonEmpty, PortNumber

__all__ = [
    "CORSFilter",
    "ExternalAuthFilter",
    "ForwardBody",
    "Fraction",
    "GRPCAuth",
    "GRPCRouteFilter",
    "HTTPAuth",
    "HTTPRouteFilter",
    "Header",
    "HeaderFilter",
    "PathModifier",
    "RequestMirrorFilter",
    "RequestRedirectFilter",
    "URLRewriteFilter",
]

_NaturalNumber = Annotated[int, msgspec.Meta(ge=0)]


class Header(Message, frozen=True, kw_only=True):
    """A header with its value."""

    required = ("name", "value")

    name: NonEmpty = ""
    value: str = ""


class HeaderFilter(Message, frozen=True, kw_only=True):
    """Headers to set, to add values to, and to take away."""

    set: tuple[Header, ...] = ()
    add: tuple[Header, ...] = ()
    remove: tuple[str, ...] = ()


class PathModifier(Message, frozen=True, kw_only=True):
    """Another path: ``type`` is ReplaceFullPath, or ReplacePrefixMatch for the part that the match was about."""

    required = ("type",)

    type: NonEmpty = ""
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class RequestRedirectFilter(Message, frozen=True, kw_only=True):
    """The answer leads elsewhere; what is empty stays as it is in the request.

    No port: the one that the scheme implies, else that of the listener.
    """

    scheme: str = ""
    hostname: str = ""
    path: PathModifier | None = None
    port: PortNumber | None = None
    status_code: int = 302


class URLRewriteFilter(Message, frozen=True, kw_only=True):
    """The backend sees another host or path."""

    hostname: str = ""
    path: PathModifier | None = None


class Fraction(Message, frozen=True, kw_only=True):
    """A share of requests."""

    required = ("numerator",)

    numerator: _NaturalNumber = 0
    denominator: Annotated[int, msgspec.Meta(ge=1)] = 100


class RequestMirrorFilter(Message, frozen=True, kw_only=True):
    """A copy goes to another backend, whose answers nobody sees; neither share: of every request."""

    required = ("backend_ref",)
    oneofs = (("percent", "fraction"),)

    backend_ref: BackendObjectReference = BackendObjectReference()
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    fraction: Fraction | None = None


class CORSFilter(Message, frozen=True, kw_only=True):
    """What browsers are told about pages of other origins; ``max_age`` in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Annotated[int, msgspec.Meta(ge=1)] = 5


class GRPCAuth(Message, frozen=True, kw_only=True):
    """Headers that an authorizer of Envoy's protocol sees; none named: all."""

    allowed_headers: tuple[str, ...] = ()


class HTTPAuth(Message, frozen=True, kw_only=True):
    """How an authorizer that speaks HTTP is asked: below which path, with which headers, and which it may add."""

    path: str = ""
    allowed_headers: tuple[str, ...] = ()
    allowed_response_headers: tuple[str, ...] = ()


class ForwardBody(Message, frozen=True, kw_only=True):
    """How many bytes of the body the authorizer sees; 0: none."""

    max_size: _NaturalNumber = 0


class ExternalAuthFilter(Message, frozen=True, kw_only=True):
    """Somebody else decides whether requests go on; ``protocol`` is GRPC or HTTP."""

    required = ("protocol", "backend_ref")

    protocol: NonEmpty = ""
    backend_ref: BackendObjectReference = BackendObjectReference()
    grpc: GRPCAuth | None = None
    http: HTTPAuth | None = None
    forward_body: ForwardBody | None = None


class GRPCRouteFilter(Message, frozen=True, kw_only=True):
    """``type`` is RequestHeaderModifier, ResponseHeaderModifier, RequestMirror or ExtensionRef."""

    required = ("type",)

    type: NonEmpty = ""
    request_header_modifier: HeaderFilter | None = None
    response_header_modifier: HeaderFilter | None = None
    request_mirror: RequestMirrorFilter | None = None
    extension_ref: LocalObjectReference | None = None


class HTTPRouteFilter(GRPCRouteFilter, frozen=True, kw_only=True):
    """``type`` is one of those of gRPC, or RequestRedirect, URLRewrite, CORS or ExternalAuth."""

    request_redirect: RequestRedirectFilter | None = None
    url_rewrite: URLRewriteFilter | None = None
    cors: CORSFilter | None = None
    external_auth: ExternalAuthFilter | None = None
