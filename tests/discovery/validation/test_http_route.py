"""Rules of HTTP routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings

TARGET = [{"destination": {"host": "a"}}]


@pytest.mark.parametrize(
    ("route", "where"),
    [
        ({"route": TARGET, "timeout": "5s"}, []),
        ({}, [""]),
        ({"route": TARGET, "corsPolicy": {"allowOrigins": [{"exact": "*"}]}}, []),
        (
            {"route": TARGET, "corsPolicy": {"allowOrigins": [{"exact": ""}, {}]}},
            [".corsPolicy.allowOrigins[0]", ".corsPolicy.allowOrigins[1]"],
        ),
        ({"route": TARGET, "redirect": {"uri": "/"}}, [""]),
        ({"redirect": {"uri": "/"}, "rewrite": {"uri": "/"}}, [""]),
        ({"redirect": {"redirectCode": 200}}, [".redirect", ".redirect.redirectCode"]),
        ({"redirect": {"prefixRewrite": "/"}, "match": [{"uri": {"prefix": "/a"}}]}, []),
        ({"route": TARGET, "retries": {"attempts": 2, "retryOn": "5xx,503,reset"}}, []),
        (
            {"route": TARGET, "retries": {"attempts": 2, "retryOn": "5xx,always,99"}},
            [".retries.retryOn", ".retries.retryOn"],
        ),
        ({"route": TARGET, "retries": {"attempts": 0, "backoff": "1s"}}, [".retries.attempts"]),
        ({"route": TARGET, "fault": {"abort": {"grpcStatus": "UNAVAILABLE"}}}, []),
        ({"route": TARGET, "fault": {"abort": {"grpcStatus": "GONE"}}}, [".fault.abort.grpcStatus"]),
        ({"route": TARGET, "fault": {"abort": {}}}, [".fault.abort"]),
        ({"route": TARGET, "fault": {"delay": {}}}, [".fault.delay.fixedDelay"]),
        ({"route": TARGET, "corsPolicy": {"maxAge": "1.5s"}}, [".corsPolicy.maxAge"]),
        ({"route": TARGET, "corsPolicy": {"allowMethods": ["GET", "get"]}}, [".corsPolicy.allowMethods[1]"]),
        ({"route": TARGET, "corsPolicy": {"allowHeaders": ["*", "a b"]}}, [".corsPolicy.allowHeaders[1]"]),
        ({"directResponse": {"status": 99}}, [".directResponse.status"]),
        ({"route": [{"destination": {"host": "*"}}]}, [".route[0].destination.host"]),
        ({"route": [{"destination": {"host": "a"}, "weight": -1}]}, [".route[0].weight"]),
        ({"route": TARGET, "match": [{"uri": {"regex": "("}}]}, [".match[0].uri.regex"]),
        ({"route": TARGET, "match": [{"headers": {"a": {"regex": ""}}}]}, [".match[0].headers['a'].regex"]),
        ({"route": TARGET, "headers": {"request": {"set": {"a b": "c"}}}}, [".headers.request.set"]),
        ({"route": TARGET, "headers": {"request": {"set": {":path": "c"}}}}, [".headers.request.set"]),
        ({"route": TARGET, "mirror": {"host": "b"}, "mirrors": [{"destination": {"host": "c"}}]}, [".mirrors"]),
        ({"route": TARGET, "retries": {"attempts": 0, "retryOn": "5xx"}}, [".retries.attempts"]),
        ({"route": TARGET, "fault": {}}, [".fault"]),
        ({"route": TARGET, "fault": {"abort": {"httpStatus": 42}}}, [".fault.abort.httpStatus"]),
        ({"route": TARGET, "rewrite": {}}, [".rewrite"]),
        ({"redirect": {"uri": "/a\n", "authority": "a\r"}}, [".redirect.uri", ".redirect.authority"]),
        ({"route": TARGET, "rewrite": {"uri": "/\n", "authority": "\0"}}, [".rewrite.uri", ".rewrite.authority"]),
        ({"route": TARGET, "timeout": "9999999h"}, [".timeout"]),
        ({"route": [{"destination": {"host": h}, "weight": 2**31 - 1} for h in "abc"]}, [".route"]),
        ({"delegate": {"name": "d"}, "route": TARGET}, [".delegate"]),
    ],
)
def test_what_envoy_or_the_api_refuses_is_told(route: dict[str, Any], where: list[str]) -> None:
    """Each at its place below the route."""
    found = errors("VirtualService", {"hosts": ["a"], "http": [route]})
    assert [path.removeprefix("http[0]") for path in found] == where


def test_a_timeout_of_zero_is_a_warning() -> None:
    """It turns the timeout off, which an API server would not let through."""
    spec = {"hosts": ["a"], "http": [{"route": TARGET, "timeout": "0s"}]}
    assert (errors("VirtualService", spec), warnings("VirtualService", spec)) == ([], ["http[0].timeout"])
