from collections.abc import Sequence

from benchmarks.loadgen.messages import Sidecar, encode_node
from benchmarks.loadgen.payload import Reader, Variant
from benchmarks.loadgen.session import DeltaSession, SotwSession
from discovery.wire.envoy import (
    AnyMessage,
    Cluster,
    ClusterLoadAssignment,
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Listener,
    Message,
    Resource,
    RouteConfiguration,
    VirtualHost,
    pack,
)
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST, short_name

NODE = encode_node(Sidecar(name="n", ip="10.0.0.1"))
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
MANAGER = bytes_field(3, string_field(2, "80"))
MESH: dict[str, Sequence[tuple[str, Message]]] = {
    CLUSTER: [("c", Cluster(name="c", type="EDS")), ("static", Cluster(name="static", type="STATIC"))],
    ENDPOINT: [("c", ClusterLoadAssignment(cluster_name="c"))],
    LISTENER: [
        (
            "l",
            Listener(name="l", filter_chains=[{"filters": [{"typed_config": {"type_url": HCM, "value": MANAGER}}]}]),
        )
    ],
    ROUTE: [("80", RouteConfiguration(name="80", vhds={"config_source": {"ads": {}}}))],
    VIRTUAL_HOST: [("80/h", VirtualHost(name="80/h"))],
}


def delta_session() -> DeltaSession:
    """A sidecar that has not connected yet."""
    return DeltaSession(NODE, Reader(Variant.DELTA))


def answer(
    type_url: str, resources: Sequence[tuple[str, Message]], removed: Sequence[str] = (), nonce: str = "n"
) -> bytes:
    """A delta response."""
    wrapped = [Resource(name=name, version="1", resource=AnyMessage(**pack(m))) for name, m in resources]
    response = DeltaDiscoveryResponse(type_url=type_url, nonce=nonce, resources=wrapped, removed_resources=removed)
    return bytes(response.SerializeToString())


def told(requests: Sequence[bytes]) -> list[str]:
    """Each delta request as ``TYPE +subscribed -unsubscribed =held ACK|NACK``."""
    lines = []
    for data in requests:
        r = DeltaDiscoveryRequest.FromString(data)
        words = [short_name(r.type_url)]
        words += [f"+{name}" for name in r.resource_names_subscribe]
        words += [f"-{name}" for name in r.resource_names_unsubscribe]
        words += [f"={name}" for name in sorted(r.initial_resource_versions)]
        if r.response_nonce:
            words.append("NACK" if r.HasField("error_detail") else "ACK")
        lines.append(" ".join(words))
    return lines


def connected() -> DeltaSession:
    """A sidecar that has all of ``MESH``."""
    session = delta_session()
    session.open()
    for type_url, resources in MESH.items():
        session.receive(answer(type_url, resources))
    return session


def test_a_new_sidecar_asks_in_envoys_order() -> None:
    """Clusters, endpoints, listeners once the clusters are warm, routes, hosts; each before the ACK that led to it."""
    session = delta_session()
    heard = [told(session.open())]
    heard += [told(session.receive(answer(type_url, resources))) for type_url, resources in MESH.items()]
    assert heard == [
        ["CDS"],
        ["EDS +c", "CDS ACK"],
        ["LDS", "EDS ACK"],
        ["RDS +80", "LDS ACK"],
        ["VHDS", "RDS ACK"],
        ["VHDS ACK"],
    ]
    assert session.missing() == ""


def test_listeners_wait_for_all_endpoints() -> None:
    """An endpoint answer that leaves a cluster out does not make it warm."""
    session = delta_session()
    session.open()
    session.receive(answer(CLUSTER, [(n, Cluster(name=n, type="EDS")) for n in ("a", "b")]))
    first = told(session.receive(answer(ENDPOINT, [("a", ClusterLoadAssignment(cluster_name="a"))])))
    second = told(session.receive(answer(ENDPOINT, [("b", ClusterLoadAssignment(cluster_name="b"))])))
    assert (first, second) == (["EDS ACK"], ["LDS", "EDS ACK"])


def test_missing_names_what_is_awaited() -> None:
    """A sidecar that does not get ready says what it waits for."""
    session = delta_session()
    session.open()
    assert session.missing() == "CDS: nothing received"
    for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
        session.receive(answer(type_url, MESH[type_url]))
    assert session.missing() == "VHDS: hosts of 80"


def test_a_removed_cluster_ends_its_endpoint_subscription() -> None:
    """Subscriptions follow the clusters held."""
    session = connected()
    assert told(session.receive(answer(CLUSTER, [], removed=["c"]))) == ["EDS -c", "CDS ACK"]


def test_a_returning_sidecar_tells_what_it_holds() -> None:
    """One burst with names and versions of every type, the node only before the first."""
    session = connected()
    requests = session.open()
    assert told(requests) == ["CDS =c =static", "EDS +c =c", "LDS =l", "RDS +80 =80", "VHDS =80/h"]
    nodes = [DeltaDiscoveryRequest.FromString(data).node.id != "" for data in requests]
    assert nodes == [True, False, False, False, False]


def test_a_rejected_response_changes_nothing() -> None:
    """NACK: the version held stays, and so do the subscriptions."""
    session = connected()
    session.reject = lambda response: "no" if response.type_url == CLUSTER else ""
    assert told(session.receive(answer(CLUSTER, [("d", Cluster(name="d", type="EDS"))]))) == ["CDS NACK"]
    assert told(session.open())[0] == "CDS =c =static"
    assert session.tally.rejected == 1


def test_tally_counts_by_type_since_the_mark() -> None:
    """Responses, resources, removals and bytes."""
    session = connected()
    session.tally.reset()
    data = answer(VIRTUAL_HOST, MESH[VIRTUAL_HOST], removed=["80/old"])
    session.receive(data)
    assert session.tally.by_type == {VIRTUAL_HOST: [1, 1, 1, len(data)]}


def test_sotw_tells_all_names_version_and_nonce() -> None:
    """Each request names the whole set wanted; virtual hosts are never asked for."""
    session = SotwSession(NODE, Reader(Variant.SOTW))
    heard = [_sotw_told(session.open())]
    for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
        anys = [AnyMessage(**pack(m)) for _, m in MESH[type_url]]
        data = DiscoveryResponse(type_url=type_url, nonce="n", version_info="v", resources=anys).SerializeToString()
        heard.append(_sotw_told(session.receive(data)))
    assert heard == [
        ["CDS"],
        ["EDS c", "CDS v/n"],
        ["LDS", "EDS c v/n"],
        ["RDS 80", "LDS v/n"],
        ["RDS 80 v/n"],
    ]
    assert _sotw_told(session.open()) == ["CDS v/", "EDS c v/", "LDS v/", "RDS 80 v/"]


def _sotw_told(requests: Sequence[bytes]) -> list[str]:
    lines = []
    for data in requests:
        r = DiscoveryRequest.FromString(data)
        version = [f"{r.version_info}/{r.response_nonce}"] if r.version_info else []
        lines.append(" ".join([short_name(r.type_url), *r.resource_names, *version]))
    return lines
