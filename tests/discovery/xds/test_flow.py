"""The order of responses: what waits for what, and never longer than the deadline."""

from __future__ import annotations

from discovery.wire.envoy import DeltaDiscoveryResponse
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, short_name
from discovery.xds.delta import Delta
from discovery.xds.session import Session
from discovery.xds.world import World
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_world import move, proxy_key, put, refresh, small_world


class Line:
    """A client and a session with nothing between them; responses are taken when the test says so."""

    def __init__(self) -> None:
        self.world: World = small_world()
        self.client = DeltaClient()
        self.session = Session(self.world, proxy_key(), Delta(), number=1)
        self.now = 0.0
        self.waiting: list[bytes] = []

    def send(self, *requests: bytes) -> None:
        for raw in requests:
            if not self.session.receive_ack(raw, self.now):
                self.session.receive(self.session.variant.parse(raw)[0], self.now)

    def written(self) -> list[str]:
        """What the session writes now, not yet taken by the client."""
        short = []
        while (send := self.session.next_send(self.now)) is not None:
            self.waiting.append(send.data())
            message = DeltaDiscoveryResponse.FromString(self.waiting[-1])
            gone = "-" if message.removed_resources else ""
            short.append(short_name(send.type_url) + gone)
        return short

    def take(self) -> None:
        waiting, self.waiting = self.waiting, []
        for raw in waiting:
            self.send(*self.client.take(raw))

    def settle(self) -> None:
        while self.written():
            self.take()

    def put(self, type_url: str, *names: str, value: str = "1", scope: str = "shop") -> None:
        refresh(self.world, put(self.world, scope, type_url, {n: f"{n}={value}".encode() for n in names}))

    def start(self) -> None:
        """All types, settled."""
        self.put(CLUSTER, "a", "b")
        self.put(ENDPOINT, "a", "b", "c")
        self.put(LISTENER, "80")
        self.put(ROUTE, "80")
        client = self.client
        self.send(client.subscribe(CLUSTER), client.subscribe(ENDPOINT, ["a", "b"]))
        self.send(client.subscribe(LISTENER), client.subscribe(ROUTE, ["80"]))
        self.settle()


def test_routes_wait_until_new_clusters_are_acknowledged_and_warm() -> None:
    """A new cluster, its endpoints, then the route to it."""
    line = Line()
    line.start()
    line.put(CLUSTER, "a", "b", "c")
    line.put(ROUTE, "80", value="2")
    assert line.written() == ["CDS"]
    line.take()
    assert line.written() == []  # acknowledged, but the endpoints have not been asked for
    line.send(line.client.subscribe(ENDPOINT, ["c"]))
    assert line.written() == ["EDS"]
    line.take()
    assert line.written() == ["RDS"]


def test_the_wait_ends_at_the_deadline() -> None:
    """A client that never acknowledges must not be kept from its routes."""
    line = Line()
    line.start()
    line.put(CLUSTER, "a", "b", "c")
    line.put(ROUTE, "80", value="2")
    assert line.written() == ["CDS"]
    assert line.session.wake_at == 5.0
    line.now = 5.0
    assert line.written() == ["RDS"]
    assert line.session.wake_at is None


def test_clusters_go_only_when_no_route_names_them_any_more() -> None:
    """Removal in reverse order: routes, then endpoints, then clusters."""
    line = Line()
    line.start()
    refresh(line.world, put(line.world, "next", CLUSTER, {"a": b"a=1"}))
    for type_url in (ENDPOINT, LISTENER):
        refresh(line.world, put(line.world, "next", type_url, {"a": b"a=1"}))
    refresh(line.world, put(line.world, "next", ROUTE, {"80": b"80=2"}))
    refresh(line.world, move(line.world, "shop", "next"))
    assert line.written() == ["LDS-", "RDS"]
    line.take()
    assert line.written() == ["EDS", "CDS-"]
    line.take()
    assert set(line.client.values(CLUSTER)) == {"a"}


def test_a_cluster_that_comes_back_in_time_is_never_removed() -> None:
    """What lingers is no decision."""
    line = Line()
    line.start()
    line.put(CLUSTER, "a")
    line.put(ROUTE, "80", value="2")
    assert line.written() == ["RDS"]
    line.put(CLUSTER, "a", "b", value="1")
    line.take()
    assert line.written() == ["CDS", "EDS"]
    line.take()
    line.settle()
    assert set(line.client.values(CLUSTER)) == {"a", "b"}


def test_updated_clusters_are_followed_by_their_endpoints() -> None:
    """Envoy would wait for them, though they did not change."""
    line = Line()
    line.start()
    line.put(CLUSTER, "a", "b", value="2")
    assert line.written() == ["CDS", "EDS"]


def test_endpoints_never_hold_routes_up() -> None:
    """Endpoints change all the time."""
    line = Line()
    line.start()
    line.put(ENDPOINT, "a", "b", "c", value="2")
    line.put(ROUTE, "80", value="2")
    assert line.written() == ["EDS", "RDS"]


def test_at_most_one_response_of_a_type_is_in_flight() -> None:
    """Changes in the meantime are one more response, not three."""
    line = Line()
    line.start()
    line.put(ENDPOINT, "a", "b", "c", value="2")
    assert line.written() == ["EDS"]
    for value in "345":
        line.put(ENDPOINT, "a", "b", "c", value=value)
        assert line.written() == []
    line.take()
    assert line.written() == ["EDS"]
    line.take()
    assert line.client.values(ENDPOINT)["a"] == b"a=5"


def test_endpoints_subscribed_after_a_reconnect_come_again_for_clusters_that_changed() -> None:
    """The client reports to hold them, but its changed cluster waits for them."""
    line = Line()
    line.start()
    line.session.close()
    line.put(CLUSTER, "a", "b", value="2")
    line.session = Session(line.world, proxy_key(), Delta(), number=2)
    clusters, *others = line.client.reconnect()
    line.send(clusters)
    assert line.written() == ["CDS"]
    line.send(*others)
    line.take()
    line.client.responses.clear()
    line.settle()
    sent = {short_name(m.type_url): {r.name for r in m.resources} for m in line.client.responses}
    assert sent == {"EDS": {"a", "b"}}
