from __future__ import annotations

import pytest

from discovery.schema.gateway_api.filters import CORSFilter, Fraction, Header, HTTPRouteFilter
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places

ALL = """
    rules:
    - filters:
      - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], remove: [c]}}
      - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: b}]}}
      - {type: RequestRedirect, requestRedirect: {scheme: https, path: {type: ReplaceFullPath, replaceFullPath: ""}}}
      - {type: URLRewrite, urlRewrite: {hostname: b, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
      - {type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}, fraction: {numerator: 1}}}
      - {type: CORS, cors: {allowOrigins: ["https://a"], allowMethods: [GET]}}
      - type: ExternalAuth
        externalAuth:
          {protocol: HTTP, backendRef: {name: auth, port: 80}, http: {allowedHeaders: [x]}, forwardBody: {maxSize: 9}}
      - {type: ExtensionRef, extensionRef: {group: example.org, kind: Limit, name: few}}
"""


def test_every_filter_of_http() -> None:
    """The type says which field counts; what is not written has the API's default."""
    found: tuple[HTTPRouteFilter, ...] = istio(Kind.HTTP_ROUTE, ALL).spec.rules[0].filters
    request, response, redirect, rewrite, mirror, cors, auth, extension = found
    assert request.request_header_modifier is not None
    assert request.request_header_modifier.set == (Header(name="a", value="b"),)
    assert response.response_header_modifier is not None
    assert redirect.request_redirect is not None
    assert redirect.request_redirect.status_code == 302
    assert redirect.request_redirect.path is not None
    assert redirect.request_redirect.path.replace_full_path == ""
    assert redirect.request_redirect.path.replace_prefix_match is None
    assert rewrite.url_rewrite is not None
    assert mirror.request_mirror is not None
    assert mirror.request_mirror.fraction == Fraction(numerator=1, denominator=100)
    assert cors.cors == CORSFilter(allow_origins=("https://a",), allow_methods=("GET",), max_age=5)
    assert auth.external_auth is not None
    assert auth.external_auth.forward_body is not None
    assert auth.external_auth.forward_body.max_size == 9
    assert extension.extension_ref is not None
    assert extension.extension_ref.kind == "Limit"


def test_a_type_that_is_new_is_read() -> None:
    """Values may be added; whoever translates the route tells that this one is not supported."""
    assert istio(Kind.HTTP_ROUTE, "{rules: [{filters: [{type: Novelty}]}]}").spec.rules[0].filters[0].type == "Novelty"


@pytest.mark.parametrize(
    ("filter_", "told"),
    [
        ("{requestMirror: {backendRef: {name: a}}}", ["type"]),
        ("{type: RequestMirror, requestMirror: {percent: 101}}", ["requestMirror.percent", "requestMirror.backendRef"]),
        (
            "{type: RequestMirror, requestMirror: {backendRef: {name: a}, percent: 1, fraction: {numerator: 1}}}",
            ["requestMirror"],
        ),
        ("{type: CORS, cors: {maxAge: 0}}", ["cors.maxAge"]),
        ("{type: URLRewrite, urlRewrite: {path: {replaceFullPath: /}}}", ["urlRewrite.path.type"]),
    ],
)
def test_filters_that_cannot_be_read(filter_: str, told: list[str]) -> None:
    """With the place of each problem."""
    found = places(Kind.HTTP_ROUTE, f"{{rules: [{{filters: [{filter_}]}}]}}")
    assert [place.removeprefix("rules[0].filters[0].") for place in found] == told


def test_a_call_is_not_redirected() -> None:
    """gRPC has fewer filters; a field of HTTP only is one that nobody reads."""
    spec = "{rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}]}]}"
    assert places(Kind.HTTP_ROUTE, spec) == []
    assert places(Kind.GRPC_ROUTE, spec) == ["rules[0].filters[0].requestRedirect"]
