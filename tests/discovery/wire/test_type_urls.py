"""Type URLs, their short names and the order of a push."""

from __future__ import annotations

from discovery.wire import type_urls
from discovery.wire.envoy import Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret, VirtualHost
from discovery.wire.type_urls import PREFIX, PUSH_ORDER, SHORT_NAMES, short_name


def test_urls_are_those_of_the_messages() -> None:
    """A typing error here would make Envoy wait for ever."""
    for url, message in (
        (type_urls.CLUSTER, Cluster),
        (type_urls.ENDPOINT, ClusterLoadAssignment),
        (type_urls.LISTENER, Listener),
        (type_urls.ROUTE, RouteConfiguration),
        (type_urls.VIRTUAL_HOST, VirtualHost),
        (type_urls.SECRET, Secret),
    ):
        assert url == PREFIX + message.DESCRIPTOR.full_name


def test_what_is_referred_to_comes_first() -> None:
    """Clusters before endpoints before listeners before routes before their hosts."""
    shorts = [SHORT_NAMES[url] for url in PUSH_ORDER]
    assert shorts[:5] == ["CDS", "EDS", "LDS", "RDS", "VHDS"]
    assert len(set(PUSH_ORDER)) == len(PUSH_ORDER)


def test_unknown_types_go_by_their_last_part() -> None:
    """For logs."""
    assert short_name("type.googleapis.com/a.b.Thing") == "Thing"
    assert short_name(type_urls.ROUTE) == "RDS"
