"""Where requests are sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from discovery.schema.virtual_service import (
    Destination,
    HeaderOperations,
    Headers,
    HTTPMirrorPolicy,
    HTTPRetry,
    HTTPRoute,
    HTTPRouteDestination,
    Percent,
)
from discovery.translate.routes.action import Defaults, Target, forward, patience
from discovery.wire.envoy import RouteAction

A, B = Destination(host="a"), Destination(host="b")
HASH = {"header": {"header_name": "x"}}
TARGETS = {A: Target("cluster-a", "a:80"), B: Target("cluster-b", "b:80", HASH)}
DEFAULTS = Defaults(None, patience(retries=None))


def to(destination: Destination, weight: int = 0, **headers: str) -> HTTPRouteDestination:
    operations = Headers(request=HeaderOperations(set=headers)) if headers else None
    return HTTPRouteDestination(destination=destination, weight=weight, headers=operations)


def built(route: HTTPRoute, fields: dict[str, Any] | None = None, defaults: Defaults = DEFAULTS) -> RouteAction:
    action = forward({} if fields is None else fields, route, TARGETS, defaults)
    assert action is not None
    return RouteAction.FromString(action)


def test_one_destination_gets_everything_whatever_its_weight() -> None:
    """A weight among one is no share; its header operations are the route's."""
    fields: dict[str, Any] = {}
    action = built(HTTPRoute(route=(to(A, 0, x="1", host="h"),)), fields)
    assert (action.cluster, action.host_rewrite_literal) == ("cluster-a", "h")
    assert [added["header"]["key"] for added in fields["request_headers_to_add"]] == ["x"]


def test_destinations_without_weight_get_nothing() -> None:
    """Of several destinations those with weight share; if none has, there is nowhere to send to."""
    action = built(HTTPRoute(route=(to(A, 1), to(B, 0))))
    assert [cluster.name for cluster in action.weighted_clusters.clusters] == ["cluster-a"]
    assert forward({}, HTTPRoute(route=(to(A), to(B))), TARGETS, DEFAULTS) is None
    assert forward({}, HTTPRoute(), TARGETS, DEFAULTS) is None


def test_no_limit_unless_written() -> None:
    """Without a timeout requests may take any time, and gRPC clients may ask for any."""
    action = built(HTTPRoute(route=(to(A),)))
    assert action.HasField("timeout")
    assert (action.timeout.seconds, action.max_stream_duration.grpc_timeout_header_max.seconds) == (0, 0)
    action = built(HTTPRoute(route=(to(A),), timeout=timedelta(seconds=3)))
    assert (action.timeout.seconds, action.max_grpc_timeout.seconds) == (3, 3)
    assert not action.HasField("max_stream_duration")  # beside it Envoy does not look at ``timeout``
    assert action.retry_policy.num_retries.value == 2


def test_retries_are_the_routes_else_the_meshs() -> None:
    """The mesh's policy counts where the route has none, also beside a timeout."""
    mesh = HTTPRetry(attempts=7)
    defaults = Defaults(mesh, patience(retries=mesh))
    plain = HTTPRoute(route=(to(A),))
    assert built(plain, defaults=defaults).retry_policy.num_retries.value == 7
    timed = HTTPRoute(route=(to(A),), timeout=timedelta(seconds=3))
    assert built(timed, defaults=defaults).retry_policy.num_retries.value == 7
    own = HTTPRoute(route=(to(A),), retries=HTTPRetry(attempts=0))
    assert not built(own, defaults=defaults).HasField("retry_policy")


def test_hashed_destinations() -> None:
    """What any destination hashes by is hashed, once; a single one is not left for another endpoint."""
    single = built(HTTPRoute(route=(to(B),)))
    assert single.hash_policy[0].header.header_name == "x"
    assert not single.retry_policy.retry_host_predicate
    several = built(HTTPRoute(route=(to(A, 1), to(B, 1), to(B, 2))))
    assert len(several.hash_policy) == 1
    assert several.retry_policy.retry_host_predicate


def test_mirrors() -> None:
    """Both ways to write mirrors; a share of zero is none."""
    mirrors = (HTTPMirrorPolicy(destination=B), HTTPMirrorPolicy(destination=B, percentage=Percent(value=0)))
    action = built(HTTPRoute(route=(to(A),), mirror=A, mirror_percent=5, mirrors=mirrors))
    shares = [
        (mirror.cluster, mirror.runtime_fraction.default_value.numerator) for mirror in action.request_mirror_policies
    ]
    assert shares == [("cluster-a", 5), ("cluster-b", 100)]
    assert not built(HTTPRoute(route=(to(A),), mirror=A, mirror_percentage=Percent(value=0))).request_mirror_policies
