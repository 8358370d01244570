"""Rules of the HTTP routes of a VirtualService: what may be combined, and what Envoy would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.schema.virtual_service import (
    CorsPolicy,
    Destination,
    HTTPFaultInjection,
    HTTPRedirect,
    HTTPRetry,
    HTTPRewrite,
    HTTPRoute,
    Percent,
)
from discovery.validation.fields import (
    check_duration,
    check_host,
    check_one_line,
    check_percent,
    check_port,
    error,
    is_label,
    warning,
)
from discovery.validation.http_match import check_header_name, check_headers, check_match, check_string
from discovery.validation.regexes import check_regex

__all__ = ["check_destination", "check_http_route", "check_weights"]

_MAX_WEIGHTS: Final = 2**32 - 1
_MAX_BODY: Final = 1 << 20
_LARGE_BODY: Final = 100 << 10
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"})

RETRY_ON: Final = frozenset(
    {
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx", "refused-stream",
        "retriable-status-codes", "retriable-headers", "envoy-ratelimited", "http3-post-connect-failure",
        "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
    }
)  # fmt: skip
"""Conditions for a retry: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#config-http-filters-router-x-envoy-retry-on"""

GRPC_STATUS: Final = frozenset(
    {
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
        "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    }
)  # fmt: skip


def check_http_route(route: HTTPRoute, at: str, *, delegated: bool) -> Iterator[Problem]:
    """What is wrong with a route; ``delegated``: it belongs to a VirtualService to which others delegate."""
    rewritten = route.rewrite is not None and bool(route.rewrite.authority)
    yield from _action(route, at, delegated=delegated)
    yield from _answers(route, at)
    for i, match in enumerate(route.match):
        yield from check_match(match, f"{at}.match[{i}]")
    for j, target in enumerate(route.route):
        yield from check_destination(target.destination, f"{at}.route[{j}].destination")
        yield from check_headers(target.headers, f"{at}.route[{j}].headers", rewritten=rewritten)
    yield from check_weights([target.weight for target in route.route], f"{at}.route")
    yield from _timeout(route, f"{at}.timeout")
    yield from check_headers(route.headers, f"{at}.headers", rewritten=rewritten)
    yield from _mirrors(route, at)
    if route.retries is not None:
        yield from _retries(route.retries, f"{at}.retries")
    if route.fault is not None:
        yield from _fault(route.fault, f"{at}.fault")
    if route.rewrite is not None:
        yield from _rewrite(route.rewrite, f"{at}.rewrite")
    if route.cors_policy is not None:
        yield from _cors(route.cors_policy, f"{at}.corsPolicy")


def _timeout(route: HTTPRoute, at: str) -> Iterator[Problem]:
    if route.timeout == timedelta():
        yield warning(at, "0s turns the timeout off", "an API server refuses 0s; leave the field out")
    else:
        yield from check_duration(route.timeout, at)


def check_weights(weights: Sequence[int], at: str) -> Iterator[Problem]:
    """Shares of the traffic: none negative, and of several not all 0."""
    for i, weight in enumerate(weights):
        if weight < 0:
            yield error(f"{at}[{i}].weight", f"want 0 or more, got {weight}")
    if len(weights) > 1 and not any(weights):
        yield error(at, "all weights are 0, so no destination would get traffic", "give at least one a weight")
    if sum(weights) > _MAX_WEIGHTS:
        yield error(at, f"want weights of at most {_MAX_WEIGHTS} together, got {sum(weights)}")


def check_destination(destination: Destination | None, at: str) -> Iterator[Problem]:
    """One host, and perhaps a subset and a port of it."""
    if destination is None or not destination.host:
        yield error(f"{at}.host", "want the host of a service, got none")
        return
    yield from check_host(destination.host, f"{at}.host", wildcard=False)
    if destination.subset and not is_label(destination.subset):
        yield error(f"{at}.subset", f"want a DNS label, got {destination.subset!r}")
    if destination.port is not None:
        yield from check_port(destination.port.number, f"{at}.port.number")


def _action(route: HTTPRoute, at: str, *, delegated: bool) -> Iterator[Problem]:
    if route.delegate is not None:
        if delegated:
            yield error(f"{at}.delegate", "a delegate cannot delegate", "write the route itself")
        if route.route or route.redirect is not None or route.direct_response is not None:
            yield error(f"{at}.delegate", "delegate does not go with route, redirect or directResponse")
        return
    chosen = [
        name
        for name, there in (
            ("route", bool(route.route)),
            ("redirect", route.redirect is not None),
            ("directResponse", route.direct_response is not None),
        )
        if there
    ]
    if not chosen:
        yield error(at, "want one of route, redirect, directResponse or delegate, got none")
    elif len(chosen) > 1:
        yield error(at, f"want one of route, redirect or directResponse, got {' and '.join(chosen)}")
    elif not route.route and (route.fault is not None or route.rewrite is not None):
        yield error(at, f"{chosen[0]} does not go with fault or rewrite", "remove them")


def _answers(route: HTTPRoute, at: str) -> Iterator[Problem]:
    if route.redirect is not None:
        yield from _redirect(route.redirect, route, f"{at}.redirect")
    if route.direct_response is not None:
        response = route.direct_response
        if not 200 <= response.status < 600:
            yield error(f"{at}.directResponse.status", f"want a status from 200 to 599, got {response.status}")
        size = len((response.body.string or response.body.bytes or "") if response.body else "")
        if size > _MAX_BODY:
            yield error(f"{at}.directResponse.body", f"want at most {_MAX_BODY} bytes, got {size}")
        elif size > _LARGE_BODY:
            hint = "every proxy keeps it in memory; serve it from a workload"
            yield warning(f"{at}.directResponse.body", f"has {size} bytes", hint)


def _redirect(redirect: HTTPRedirect, route: HTTPRoute, at: str) -> Iterator[Problem]:
    target = redirect.uri or redirect.authority or redirect.scheme or redirect.prefix_rewrite
    if not target and redirect.port is None and redirect.derive_port is None:
        yield error(at, "want uri, prefixRewrite, authority, scheme or port, got none")
    if redirect.uri and redirect.prefix_rewrite:
        yield error(at, "want uri or prefixRewrite, got both")
    if redirect.redirect_code and not 300 <= redirect.redirect_code < 400:
        yield error(f"{at}.redirectCode", f"want a status from 300 to 399, got {redirect.redirect_code}")
    yield from check_one_line(redirect.uri, f"{at}.uri")
    yield from check_one_line(redirect.prefix_rewrite, f"{at}.prefixRewrite")
    yield from check_one_line(redirect.authority, f"{at}.authority")
    if redirect.scheme not in ("", "http", "https"):
        yield error(f"{at}.scheme", f"want http or https, got {redirect.scheme!r}")
    if redirect.prefix_rewrite and any(match.uri is None or match.uri.prefix is None for match in route.match):
        yield error(f"{at}.prefixRewrite", "goes only with matches of uri.prefix")


def _cors(policy: CorsPolicy, at: str) -> Iterator[Problem]:
    yield from check_duration(policy.max_age, f"{at}.maxAge")
    if policy.max_age is not None and policy.max_age.microseconds:
        yield error(f"{at}.maxAge", f"want whole seconds, got {policy.max_age.total_seconds():g}s")
    for i, origin in enumerate(policy.allow_origins):
        yield from check_string(origin, f"{at}.allowOrigins[{i}]")
        if not (origin.exact or origin.prefix or origin.regex):
            yield error(f"{at}.allowOrigins[{i}]", "want exact, prefix or regex, got none", 'exact: "*" is all of them')
    for i, method in enumerate(policy.allow_methods):
        if method not in _METHODS:
            yield error(f"{at}.allowMethods[{i}]", f"want a method such as GET, got {method!r}", "in capitals")
    for field, names in (("allowHeaders", policy.allow_headers), ("exposeHeaders", policy.expose_headers)):
        for i, name in enumerate(names):
            if name != "*":
                yield from check_header_name(name, f"{at}.{field}[{i}]")


def _mirrors(route: HTTPRoute, at: str) -> Iterator[Problem]:
    if route.mirror is not None:
        yield from check_destination(route.mirror, f"{at}.mirror")
        if route.mirrors:
            yield error(f"{at}.mirrors", "want mirror or mirrors, got both", "use mirrors")
    for i, mirror in enumerate(route.mirrors):
        yield from check_destination(mirror.destination, f"{at}.mirrors[{i}].destination")
        yield from _percentage(mirror.percentage, f"{at}.mirrors[{i}].percentage")
    yield from _percentage(route.mirror_percentage, f"{at}.mirrorPercentage")
    if route.mirror_percent is not None:
        yield warning(f"{at}.mirrorPercent", "is deprecated", "use mirrorPercentage")


def _percentage(percent: Percent | None, at: str) -> Iterator[Problem]:
    if percent is not None:
        yield from check_percent(percent.value, f"{at}.value")


def _retries(retries: HTTPRetry, at: str) -> Iterator[Problem]:
    if retries.attempts < 0:
        yield error(f"{at}.attempts", f"want 0 or more, got {retries.attempts}")
    others = retries.retry_on or retries.per_try_timeout is not None or retries.retry_remote_localities is not None
    if retries.attempts == 0 and (others or retries.backoff is not None):
        yield error(f"{at}.attempts", "want 1 or more with other fields, got 0", "0 by itself turns retries off")
    for token in retries.retry_on.split(",") if retries.retry_on else ():
        if token.strip() not in RETRY_ON and not (token.strip().isdecimal() and 100 <= int(token.strip()[:4]) < 600):
            yield error(f"{at}.retryOn", f"want conditions such as 5xx,reset or status numbers, got {token!r}")
    yield from check_duration(retries.per_try_timeout, f"{at}.perTryTimeout")
    yield from check_duration(retries.backoff, f"{at}.backoff")


def _fault(fault: HTTPFaultInjection, at: str) -> Iterator[Problem]:
    delay, abort = fault.delay, fault.abort
    if delay is None and abort is None:
        yield error(at, "want delay or abort, got none")
    if delay is not None:
        if delay.exponential_delay is not None:
            yield error(f"{at}.delay.exponentialDelay", "is not supported", "use fixedDelay")
        elif delay.fixed_delay is None:
            yield error(f"{at}.delay.fixedDelay", "want a duration, got none")
        yield from check_duration(delay.fixed_delay, f"{at}.delay.fixedDelay")
        yield from _percentage(delay.percentage, f"{at}.delay.percentage")
    if abort is not None:
        if abort.http2_error is not None:
            yield error(f"{at}.abort.http2Error", "is not supported", "use httpStatus or grpcStatus")
        if abort.http_status is not None and not 200 <= abort.http_status <= 600:
            yield error(f"{at}.abort.httpStatus", f"want a status from 200 to 600, got {abort.http_status}")
        if abort.grpc_status is not None and abort.grpc_status not in GRPC_STATUS:
            yield error(f"{at}.abort.grpcStatus", f"want a gRPC status such as UNAVAILABLE, got {abort.grpc_status!r}")
        if abort.http_status is None and abort.grpc_status is None and abort.http2_error is None:
            yield error(f"{at}.abort", "want httpStatus or grpcStatus, got none")
        yield from _percentage(abort.percentage, f"{at}.abort.percentage")


def _rewrite(rewrite: HTTPRewrite, at: str) -> Iterator[Problem]:
    yield from check_one_line(rewrite.uri, f"{at}.uri")
    yield from check_one_line(rewrite.authority, f"{at}.authority")
    regex = rewrite.uri_regex_rewrite
    if not rewrite.uri and not rewrite.authority and regex is None:
        yield error(at, "want uri, uriRegexRewrite or authority, got none")
    if regex is not None:
        if rewrite.uri:
            yield error(at, "want uri or uriRegexRewrite, got both")
        yield from check_regex(regex.match, f"{at}.uriRegexRewrite.match")
