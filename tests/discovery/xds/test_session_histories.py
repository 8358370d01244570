"""The promise of the protocol: after any history, delta and SotW clients hold what the tables hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from discovery.wire.envoy import DeltaDiscoveryResponse
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from discovery.xds.delta import Delta
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from tests.kit.xds_clients import DeltaClient, SotwClient
from tests.kit.xds_world import BAD, HandMade, move, proxy_key, put, refresh, small_world

NAMES = ["a", "b", "c", "d"]
names = st.sampled_from(NAMES)
some_names = st.sets(names, min_size=1, max_size=4)
texts = st.sampled_from(["1", "2", "3", "bad", "4"])
contents = st.dictionaries(names, texts, max_size=4)
scopes = st.sampled_from(["shop", "other"])
types = st.sampled_from([CLUSTER, ENDPOINT, LISTENER, ROUTE])
named_types = st.sampled_from([ENDPOINT, ROUTE])


class Histories(RuleBasedStateMachine):
    """One client on one stream after another, against a server without network."""

    delta = True
    vhds = False

    def __init__(self) -> None:
        super().__init__()
        self.world = small_world()
        self.variant = Delta() if self.delta else StateOfTheWorld()  # of the server: streams share it
        self.content: dict[tuple[str, str], dict[str, bytes]] = {}
        self.scope = "shop"
        self.now = 0.0
        self.number = 0
        self.wire: list[bytes] = []  # responses on their way
        self.client: DeltaClient | SotwClient = DeltaClient(vhds=self.vhds) if self.delta else SotwClient()
        self.session = self.connect()

    def connect(self) -> Session:
        self.number += 1
        refused = frozenset() if self.delta else frozenset({VIRTUAL_HOST})
        key = proxy_key(vhds=self.vhds)
        return Session(self.world, key, self.variant, number=self.number, refused=refused)

    def send(self, *requests: bytes) -> None:
        for raw in requests:
            if not self.session.receive_ack(raw, self.now):
                request, _ = self.session.variant.parse(raw)
                self.session.receive(request, self.now)

    # -- what can happen -------------------------------------------------------------------------------------------

    @initialize()
    def start(self) -> None:
        for scope in ("shop", "other", "shop+vhds", "other+vhds"):
            for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
                self.put(scope, type_url, {"a": "1", "b": "1"})
            for route in "ab":
                self.put(f"{scope}/{route}", VIRTUAL_HOST, {f"{route}/x": "1", f"{route}/y": "1"})
        self.send(self.client.subscribe(CLUSTER), self.client.subscribe(LISTENER))

    @rule(scope=scopes, type_url=types, content=contents, inner=st.booleans())
    def commit(self, scope: str, type_url: str, content: Mapping[str, str], *, inner: bool) -> None:
        tables = [scope]
        if inner and type_url in (CLUSTER, LISTENER):
            tables = [f"{scope}.in"]
        elif type_url == ROUTE and self.vhds:
            tables = [f"{scope}+vhds"]
        self.put(tables[0], type_url, content)

    @rule(scope=scopes, route=names, content=contents)
    def commit_hosts(self, scope: str, route: str, content: Mapping[str, str]) -> None:
        self.put(f"{scope}/{route}", VIRTUAL_HOST, {f"{route}/{name}": text for name, text in content.items()})

    def put(self, scope: str, type_url: str, content: Mapping[str, str]) -> None:
        made = {name: f"{name}={text}".encode() for name, text in content.items()}
        self.content[scope, type_url] = made
        refresh(self.world, put(self.world, scope, type_url, made))

    @rule(scope=scopes)
    def move_to(self, scope: str) -> None:
        self.scope = scope
        refresh(self.world, move(self.world, "shop", scope))

    @rule(type_url=named_types, wanted=some_names)
    def subscribe(self, type_url: str, wanted: set[str]) -> None:
        self.send(self.client.subscribe(type_url, wanted))

    @rule(type_url=named_types, wanted=some_names)
    def unsubscribe(self, type_url: str, wanted: set[str]) -> None:
        if self.client.names.get(type_url):
            self.send(self.client.unsubscribe(type_url, wanted))

    @rule(name=names)
    def name_beside_the_wildcard(self, name: str) -> None:
        if self.delta:
            self.send(self.client.subscribe(CLUSTER, [name]))

    @rule(name=names)
    def unname_beside_the_wildcard(self, name: str) -> None:
        if self.delta:
            self.send(self.client.unsubscribe(CLUSTER, [name]))

    @rule(explicit=st.booleans())
    def drop_and_take_the_wildcard(self, *, explicit: bool) -> None:
        if self.delta:
            self.send(self.client.unsubscribe(LISTENER, ["*"]))
            self.send(self.client.subscribe(LISTENER, ["*"]))
        elif explicit:
            self.send(self.client.subscribe(LISTENER, ["a"]))

    @rule(seconds=st.sampled_from([0.1, 3.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def write(self) -> None:
        send = self.session.next_send(self.now)
        if send is not None:
            self.wire.append(send.data())

    @rule()
    def settle(self) -> None:
        self.drain()

    @rule()
    def deliver(self) -> None:
        if self.wire:
            self.send(*self.client.take(self.wire.pop(0)))

    @rule(lost=st.integers(0, 3))
    def reconnect(self, lost: int) -> None:
        for raw in self.wire[lost:]:
            self.client.take(raw)
        self.wire.clear()
        self.session.close()
        self.session = self.connect()
        self.send(*self.client.reconnect())

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def at_most_one_in_flight(self) -> None:
        """No type has two responses on their way."""
        if isinstance(self.client, SotwClient):
            return  # there a client may start over, and what was on its way before does not count
        on_the_way = Counter(DeltaDiscoveryResponse.FromString(raw).type_url for raw in self.wire)
        assert not on_the_way or max(on_the_way.values()) == 1

    def teardown(self) -> None:
        self.drain()
        for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
            self.compare(type_url)
        if self.vhds:
            self.compare_hosts()
        self.session.close()
        assert len(self.world.tables) == 0

    def drain(self) -> None:
        for _ in range(500):
            self.now += 1.0
            send = self.session.next_send(self.now)
            if send is not None:
                self.wire.append(send.data())
            elif not self.wire:
                if self.session.wake_at is None:
                    return
                self.now = max(self.now, self.session.wake_at)
            if self.wire:
                self.send(*self.client.take(self.wire.pop(0)))
        raise AssertionError("never quiet")

    def expected(self, type_url: str) -> dict[str, bytes]:
        tables = [(self.scope, type_url)]
        if type_url in (CLUSTER, LISTENER):
            tables.append((f"{self.scope}.in", type_url))
        elif type_url == ROUTE and self.session.key.vhds:
            tables = [(f"{self.scope}+vhds", type_url)]
        merged: dict[str, bytes] = {}
        for table in reversed(tables):
            merged.update(self.content.get(table, {}))
        mine = self.client.names.get(type_url, set())
        wanted = {name: value for name, value in merged.items() if "*" in mine or name in mine}
        for name in mine - {"*"} - set(wanted):
            instead = HandMade().fallback(self.world.db, type_url, self.session.view, name)
            if instead is not None:
                wanted[name] = instead.value
        return wanted

    def compare(self, type_url: str) -> None:
        self.same(self.client.values(type_url), self.expected(type_url), strict=self.delta or type_url != ROUTE)

    def same(self, held: Mapping[str, bytes], wanted: Mapping[str, bytes], *, strict: bool = True) -> None:
        for name, value in wanted.items():
            if BAD not in value:
                assert held.get(name) == value, name
        if strict:
            assert set(held) <= set(wanted)

    def compare_hosts(self) -> None:
        wanted: dict[str, bytes] = {}
        for route in self.client.held.get(ROUTE, {}):
            wanted.update(self.content.get((f"{self.scope}/{route}", VIRTUAL_HOST), {}))
        held = self.client.values(VIRTUAL_HOST)
        # A route configuration that is gone while it is still subscribed to keeps its hosts, in Envoy too.
        orphans = self.client.names.get(ROUTE, set()) - self.client.held.get(ROUTE, {}).keys()
        self.same({n: v for n, v in held.items() if n.rpartition("/")[0] not in orphans}, wanted)


class DeltaHistories(Histories):
    """Delta, whole routes."""


class HostHistories(Histories):
    """Delta, virtual hosts on their own."""

    vhds = True


class SotwHistories(Histories):
    """State of the world."""

    delta = False


LIMITS = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestDelta = DeltaHistories.TestCase
TestHosts = HostHistories.TestCase
TestSotw = SotwHistories.TestCase
TestDelta.settings = TestHosts.settings = TestSotw.settings = LIMITS
