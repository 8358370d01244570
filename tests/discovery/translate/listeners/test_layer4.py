from __future__ import annotations

from typing import Any

from discovery.mesh.proxy import ScopeKey
from discovery.mesh.services import service
from discovery.registry.service import Port, Protocol, Service, ServiceRef
from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.listeners.layer4 import (
    ChainsFor,
    ListenerIn,
    layer4_chains,
    layer4_rules,
    plain_chain,
    plain_match,
    rules_for_host,
    rules_of_listener,
)
from discovery.translate.listeners.spec import EVERYTHING, Chain, TcpTarget
from tests.kit.world import World

REF = ServiceRef("db.example", "default")
SCOPE = ScopeKey("default", None)
TCP = Port("tcp", 3306, Protocol.TCP)
TLS = Port("tls", 443, Protocol.TLS)
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: default}
spec:
  hosts: [db.example]
  resolution: STATIC
  ports: [{number: 3306, name: tcp, protocol: TCP}, {number: 443, name: tls, protocol: TLS}]
---
"""


def _virtual_service(body: str, *, name: str = "db", hosts: str = "db.example") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: ["{hosts}"]
  {body}
---
"""


def _chains(text: str, port: Port = TCP, **more: Any) -> tuple[Chain, ...]:
    world = World(ENTRY + text)
    rules = rules_for_host(rules_of_listener(world.db, ListenerIn(SCOPE, 0)), REF.host)
    key = ChainsFor(service=REF, port=port, at_wildcard=False, rules=rules, rule=(), scope=SCOPE, **more)
    return layer4_chains(world.db, key)


def _clusters(chains: tuple[Chain, ...]) -> list[str]:
    return [chain.target.clusters[0].cluster for chain in chains if isinstance(chain.target, TcpTarget)]


def _service(world: World) -> Service:
    found = service(world.db, REF)
    assert found is not None
    return found


def test_rules_of_http_do_not_count() -> None:
    """A VirtualService about requests alone has no rules about connections, so its edits stop there."""
    key = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "db")
    world = World(_virtual_service("http: [{route: [{destination: {host: db.example}}]}]"))
    assert layer4_rules(world.db, key) is None


def test_rules_are_for_hosts_they_cover() -> None:
    """A wildcard host covers the services below it, others it leaves alone."""
    route = "tcp: [{route: [{destination: {host: x}}]}]"
    world = World(_virtual_service(route, hosts="*.example") + _virtual_service(route, name="o", hosts="other"))
    rules = rules_of_listener(world.db, ListenerIn(SCOPE, 0))
    assert [found.key.name for found in rules_for_host(rules, REF.host)] == ["db"]


def test_first_route_for_everybody_ends_the_search() -> None:
    """Rules after a route without a match are out of reach."""
    chains = _chains(
        _virtual_service(
            "tcp: [{route: [{destination: {host: a.example}}]}, {route: [{destination: {host: b.example}}]}]"
        )
    )
    assert _clusters(chains) == ["outbound|3306||a.example"]
    assert chains[0].match == EVERYTHING
    assert chains[0].config is not None


def test_matches_that_are_decided_here() -> None:
    """Port, labels, namespace and gateways of the caller are looked at while configuration is built."""
    for match, met in (
        ("port: 3306", True),
        ("port: 3307", False),
        ("sourceLabels: {app: a}", True),
        ("sourceLabels: {app: b}", False),
        ("sourceNamespace: default", True),
        ("sourceNamespace: other", False),
        ("gateways: [mesh]", True),
        ("gateways: [istio-system/edge]", False),
    ):
        body = f"tcp: [{{match: [{{{match}}}], route: [{{destination: {{host: a.example}}}}]}}]"
        clusters = _clusters(_chains(_virtual_service(body), labels=(("app", "a"),)))
        assert clusters == ["outbound|3306||a.example" if met else "outbound|3306||db.example"], match


def test_weights() -> None:
    """Connections are divided by weight; a destination without weight gets none."""
    (chain,) = _chains(
        _virtual_service(
            "tcp: [{route: [{destination: {host: a.example}, weight: 9}, {destination: {host: b.example}, weight: 1},"
            " {destination: {host: c.example}}]}]"
        )
    )
    assert isinstance(chain.target, TcpTarget)
    assert [tuple(cluster) for cluster in chain.target.clusters] == [
        ("outbound|3306||a.example", 9),
        ("outbound|3306||b.example", 1),
    ]
    assert chain.target.stat_prefix == "db.default"


def test_server_names_once() -> None:
    """The same server names a second time are out of reach; with rules the service itself has no chain."""
    chains = _chains(
        _virtual_service(
            "tls: [{match: [{sniHosts: [a, b]}], route: [{destination: {host: a.example}}]},"
            " {match: [{sniHosts: [b, a]}], route: [{destination: {host: b.example}}]}]"
        ),
        port=TLS,
    )
    assert _clusters(chains) == ["outbound|443||a.example"]
    assert chains[0].match.server_names == ("a", "b")


def test_name_only_where_the_address_does_not_tell() -> None:
    """TLS is told apart by server name on the wildcard address, not on an address of its own."""
    found = _service(World(ENTRY))
    assert plain_match(found, TLS, at_wildcard=False, subnet="") == EVERYTHING
    assert plain_match(found, TLS, at_wildcard=True, subnet="").server_names == ("db.example",)
    assert plain_match(found, TCP, at_wildcard=True, subnet="10.0.0.0/8").subnets == ("10.0.0.0/8",)


def test_plain_chain_goes_to_the_listeners_port() -> None:
    """A service of several ports is called at the listener's; statistics go by the cluster's name."""
    world = World(ENTRY)
    chain = plain_chain(world.db, _service(world), TCP, EVERYTHING, rule=(), idle_timeout=None)
    assert chain.target.stat_prefix == "outbound|3306||db.example"
