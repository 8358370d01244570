import pytest

from benchmarks.loadgen.references import USES_VHDS, referenced_names
from discovery.wire.envoy import Cluster, Message, RouteConfiguration, serialize
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


@pytest.mark.parametrize(
    ("type_url", "message", "names"),
    [
        (CLUSTER, Cluster(name="c", type="EDS"), ("c",)),
        (CLUSTER, Cluster(name="c", type="EDS", eds_cluster_config={"service_name": "s"}), ("s",)),
        (CLUSTER, Cluster(name="c", type="STRICT_DNS"), ()),
        (ROUTE, RouteConfiguration(name="80"), ()),
        (ROUTE, RouteConfiguration(name="80", vhds={"config_source": {"ads": {}}}), (USES_VHDS,)),
        (ENDPOINT, RouteConfiguration(name="80"), ()),
    ],
)
def test_names_of_clusters_and_route_configurations(type_url: str, message: Message, names: tuple[str, ...]) -> None:
    """EDS clusters name their endpoints; route configurations only say whether their hosts travel alone."""
    assert referenced_names(type_url, memoryview(serialize(message))) == names


def test_listener_names_the_routes_of_all_its_chains_once() -> None:
    """Filter chains and the default chain count, inline routes and other filters do not."""
    by_rds = bytes_field(3, string_field(2, "80"))
    chains = (
        _chain(HCM, by_rds),
        _chain(HCM, by_rds),
        _chain(HCM, bytes_field(4, string_field(1, "inline"))),
        _chain("type.googleapis.com/other", by_rds),
    )
    default = _chain(HCM, bytes_field(3, string_field(2, "default")))
    listener = b"".join(bytes_field(3, chain) for chain in chains) + bytes_field(25, default)
    assert referenced_names(LISTENER, memoryview(listener)) == ("80", "default")


def _chain(type_url: str, config: bytes) -> bytes:
    return bytes_field(3, bytes_field(4, string_field(1, type_url) + bytes_field(2, config)))
