"""Where a request is sent, and what is changed of it on the way.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRouteDestination
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from discovery.schema.virtual_service import Destination, HTTPRetry, HTTPRoute, HTTPRouteDestination
from discovery.translate.routes.headers import add_headers, authority_of
from discovery.translate.routes.percent import ALL, fraction, whole_percent
from discovery.translate.routes.retry import retry_policy
from discovery.wire.envoy import RouteAction, serialize

__all__ = ["Defaults", "Target", "Targets", "forward", "patience"]


class Target(msgspec.Struct, frozen=True):
    """What a destination turned out to be."""

    cluster: str
    authority: str = ""  # host and port, as traces name it
    hash_policy: Mapping[str, Any] | None = None  # keyword form of ``RouteAction.HashPolicy``


Targets = Mapping[Destination, Target]


class Defaults(NamedTuple):
    """What the mesh says of all routes."""

    retries: HTTPRetry | None = None
    patience: bytes = b""  # ``patience`` of a route that says nothing


def patience(*, retries: HTTPRetry | None, timeout: Any = None, hashed: bool = False) -> bytes:
    """How long and how often to try: these fields of ``route.v3.RouteAction``.

    Args:
        retries: None for the built-in policy.
        timeout: of the whole request, and what gRPC clients may ask for at most; None: no limit.
        hashed: the endpoint follows from the request.
    """
    fields = _time_limits(timeout)
    policy = retry_policy(retries, hashed=hashed)
    if policy is not None:
        fields["retry_policy"] = policy
    return serialize(RouteAction(**fields))


def _time_limits(timeout: Any) -> dict[str, Any]:
    """Deadlines that gRPC clients send count up to the limit, or whatever they are where there is none.

    Where a route has ``max_stream_duration``, Envoy (1.40) does not look at its ``timeout``; so a limit needs the
    older ``max_grpc_timeout``, deprecated as it is.
    """
    if timeout:
        return {"timeout": timeout, "max_grpc_timeout": timeout}
    return {"timeout": {}, "max_stream_duration": {"grpc_timeout_header_max": {}}}


def forward(fields: dict[str, Any], route: HTTPRoute, targets: Targets, defaults: Defaults) -> bytes | None:
    """The ``route.v3.RouteAction`` that sends requests to clusters; None when there is nowhere to send them.

    Args:
        fields: of the ``route.v3.Route``, where its own header operations already are; those of a single destination
            are added.
        route: of a VirtualService.
        targets: the cluster of every destination of the route and its mirrors.
        defaults: of the mesh.
    """
    sent = _destinations(route, targets)
    if not sent:
        return None
    action = _rewrite(route)
    single = len(route.route) == 1
    if single:
        _single(fields, action, *sent[0])
    else:
        keep_authority = "host_rewrite_literal" in action
        action["weighted_clusters"] = {"clusters": [_weighted(*to, keep_authority=keep_authority) for to in sent]}
    hashed = [target.hash_policy for _, target in sent if target.hash_policy is not None]
    if hashed:
        action["hash_policy"] = [policy for n, policy in enumerate(hashed) if policy not in hashed[:n]]
    if route.mirror is not None or route.mirrors:
        action["request_mirror_policies"] = _mirrors(route, targets)
    if route.timeout is None and route.retries is None and not hashed:
        return serialize(RouteAction(**action)) + defaults.patience
    retries = route.retries or defaults.retries
    return serialize(RouteAction(**action)) + patience(
        retries=retries, timeout=route.timeout, hashed=single and bool(hashed)
    )


def _destinations(route: HTTPRoute, targets: Targets) -> list[tuple[HTTPRouteDestination, Target]]:
    """Those that get requests: the only one whatever its weight, of several those with a weight."""
    only = len(route.route) == 1
    return [
        (to, targets[to.destination]) for to in route.route if to.destination is not None and (only or to.weight > 0)
    ]


def _single(fields: dict[str, Any], action: dict[str, Any], to: HTTPRouteDestination, target: Target) -> None:
    action["cluster"] = target.cluster
    if to.headers is not None:
        add_headers(fields, to.headers)
        authority = authority_of(to.headers)
        if authority:
            action.setdefault("host_rewrite_literal", authority)


def _weighted(to: HTTPRouteDestination, target: Target, *, keep_authority: bool) -> dict[str, Any]:
    built: dict[str, Any] = {"name": target.cluster, "weight": {"value": to.weight}}
    if to.headers is not None:
        add_headers(built, to.headers)
        authority = authority_of(to.headers)
        if authority and not keep_authority:  # the route's own rewrite wins, as with one destination
            built["host_rewrite_literal"] = authority
    return built


def _rewrite(route: HTTPRoute) -> dict[str, Any]:
    action: dict[str, Any] = {}
    authority = authority_of(route.headers)
    rewrite = route.rewrite
    if rewrite is not None:
        authority = rewrite.authority or authority
        if rewrite.uri_regex_rewrite is not None:
            regex = rewrite.uri_regex_rewrite
            action["regex_rewrite"] = {"pattern": {"regex": regex.match}, "substitution": regex.rewrite}
        elif rewrite.uri:
            action["prefix_rewrite"] = rewrite.uri
    if authority:
        action["host_rewrite_literal"] = authority
    return action


def _mirrors(route: HTTPRoute, targets: Targets) -> list[dict[str, Any]]:
    wanted: list[tuple[Destination, dict[str, Any]]] = []
    if route.mirror is not None:
        share = ALL
        if route.mirror_percentage is not None:
            share = fraction(route.mirror_percentage)
        elif route.mirror_percent is not None:
            share = whole_percent(route.mirror_percent)
        wanted.append((route.mirror, share))
    wanted += [
        (mirror.destination, ALL if mirror.percentage is None else fraction(mirror.percentage))
        for mirror in route.mirrors
        if mirror.destination is not None
    ]
    return [
        {
            "cluster": targets[to].cluster,
            "runtime_fraction": {"default_value": share},
            "trace_sampled": {"value": False},
            "disable_shadow_host_suffix_append": True,
        }
        for to, share in wanted
        if share["numerator"] > 0
    ]
