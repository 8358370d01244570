"""Rules of the HTTP routes of a VirtualService: what may be combined, and what Envoy would refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.schema.virtual_service import (
    Destination,
    HeaderOperations,
    HTTPFaultInjection,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRetry,
    HTTPRewrite,
    HTTPRoute,
    Percent,
    StringMatch,
)
from discovery.validation.fields import (
    check_duration,
    check_host,
    check_percent,
    check_port,
    error,
    is_label,
    warning,
)
from discovery.validation.regexes import check_regex

__all__ = ["check_destination", "check_http_route", "check_weights"]

_MAX_BODY: Final = 1 << 20
_HEADER: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+\Z")


def check_http_route(route: HTTPRoute, at: str, *, delegated: bool) -> Iterator[Problem]:
    """What is wrong with a route; ``delegated``: it belongs to a VirtualService to which others delegate."""
    yield from _action(route, at, delegated=delegated)
    yield from _answers(route, at)
    for i, match in enumerate(route.match):
        yield from _match(match, f"{at}.match[{i}]")
    for j, target in enumerate(route.route):
        yield from check_destination(target.destination, f"{at}.route[{j}].destination")
        if target.headers is not None:
            yield from _headers(target.headers.request, f"{at}.route[{j}].headers.request")
            yield from _headers(target.headers.response, f"{at}.route[{j}].headers.response")
    yield from check_weights([target.weight for target in route.route], f"{at}.route")
    yield from _timeout(route, f"{at}.timeout")
    if route.headers is not None:
        yield from _headers(route.headers.request, f"{at}.headers.request")
        yield from _headers(route.headers.response, f"{at}.headers.response")
    yield from _mirrors(route, at)
    if route.retries is not None:
        yield from _retries(route.retries, f"{at}.retries")
    if route.fault is not None:
        yield from _fault(route.fault, f"{at}.fault")
    if route.rewrite is not None:
        yield from _rewrite(route.rewrite, f"{at}.rewrite")
    if route.cors_policy is not None:
        yield from check_duration(route.cors_policy.max_age, f"{at}.corsPolicy.maxAge")
        for i, origin in enumerate(route.cors_policy.allow_origins):
            yield from _string(origin, f"{at}.corsPolicy.allowOrigins[{i}]")


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


def _redirect(redirect: HTTPRedirect, route: HTTPRoute, at: str) -> Iterator[Problem]:
    if redirect.uri and redirect.prefix_rewrite:
        yield error(at, "want uri or prefixRewrite, got both")
    if redirect.redirect_code and not 300 <= redirect.redirect_code < 400:
        yield error(f"{at}.redirectCode", f"want a status from 300 to 399, got {redirect.redirect_code}")
    if redirect.scheme not in ("", "http", "https"):
        yield error(f"{at}.scheme", f"want http or https, got {redirect.scheme!r}")
    if redirect.prefix_rewrite and any(match.uri is None or match.uri.prefix is None for match in route.match):
        yield error(f"{at}.prefixRewrite", "goes only with matches of uri.prefix")


def _match(match: HTTPMatchRequest, at: str) -> Iterator[Problem]:
    if match.uri is not None and match.uri.regex is not None:
        yield from _string(match.uri, f"{at}.uri")
    for name in ("scheme", "method", "authority"):
        string: StringMatch | None = getattr(match, name)
        if string is not None:
            yield from _string(string, f"{at}.{name}")
    for field, headers in (
        ("headers", match.headers),
        ("withoutHeaders", match.without_headers),
        ("queryParams", match.query_params),
    ):
        for header, string in headers.items():
            if not header:
                yield error(f"{at}.{field}", "want a name, got none")
            if string.regex is not None:
                yield from _string(string, f"{at}.{field}[{header!r}]")
    if match.port:
        yield from check_port(match.port, f"{at}.port")


def _string(string: StringMatch, at: str) -> Iterator[Problem]:
    if string.prefix == "":
        yield error(f"{at}.prefix", "want a prefix, got none", "leave out the match to match everything")
    if string.regex is not None:
        if not string.regex:
            yield error(f"{at}.regex", "want a regular expression, got none")
        yield from check_regex(string.regex, f"{at}.regex")


def _headers(operations: HeaderOperations | None, at: str) -> Iterator[Problem]:
    if operations is None:
        return
    for field, names in (("set", operations.set), ("add", operations.add), ("remove", operations.remove)):
        for name in names:
            pseudo = name.startswith(":")
            if not _HEADER.match(name.removeprefix(":")):
                yield error(f"{at}.{field}", f"want the name of a header, got {name!r}")
            elif pseudo and name.lower() != ":authority":
                yield error(f"{at}.{field}", f"the header {name!r} cannot be changed", "use rewrite")


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
    if retries.attempts == 0 and (retries.retry_on or retries.per_try_timeout is not None):
        yield error(f"{at}.attempts", "want 1 or more with perTryTimeout or retryOn, got 0")
    yield from check_duration(retries.per_try_timeout, f"{at}.perTryTimeout")
    yield from check_duration(retries.backoff, f"{at}.backoff")


def _fault(fault: HTTPFaultInjection, at: str) -> Iterator[Problem]:
    delay, abort = fault.delay, fault.abort
    if delay is None and abort is None:
        yield error(at, "want delay or abort, got none")
    if delay is not None:
        if delay.exponential_delay is not None:
            yield error(f"{at}.delay.exponentialDelay", "is not supported", "use fixedDelay")
        yield from check_duration(delay.fixed_delay, f"{at}.delay.fixedDelay")
        yield from _percentage(delay.percentage, f"{at}.delay.percentage")
    if abort is not None:
        if abort.http2_error is not None:
            yield error(f"{at}.abort.http2Error", "is not supported", "use httpStatus or grpcStatus")
        if abort.http_status is not None and not 200 <= abort.http_status <= 600:
            yield error(f"{at}.abort.httpStatus", f"want a status from 200 to 600, got {abort.http_status}")
        yield from _percentage(abort.percentage, f"{at}.abort.percentage")


def _rewrite(rewrite: HTTPRewrite, at: str) -> Iterator[Problem]:
    regex = rewrite.uri_regex_rewrite
    if not rewrite.uri and not rewrite.authority and regex is None:
        yield error(at, "want uri, uriRegexRewrite or authority, got none")
    if regex is not None:
        if rewrite.uri:
            yield error(at, "want uri or uriRegexRewrite, got both")
        yield from check_regex(regex.match, f"{at}.uriRegexRewrite.match")
