"""Which names stand for which addresses, and what a change of an endpoint costs."""

from __future__ import annotations

from typing import Any

import yaml
from msgspec.structs import replace

from discovery.translate.name_table import name_table, name_table_key
from discovery.wire.type_urls import NAME_TABLE
from tests.kit.name_table import read_name_table
from tests.kit.world import DEFAULT_PROXY, World

VIP = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIPs: [10.0.0.1, 'fd00::1'], ports: [{name: http, port: 80}]}
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: default}
spec: {hosts: [out.example], resolution: STATIC, endpoints: [{address: 1.1.1.1}], ports: [{number: 80, name: http}]}
"""
HEADLESS = """
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: None, ports: [{name: tcp, port: 5432}], publishNotReadyAddresses: %s}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %(service)s-1, namespace: default, labels: {kubernetes.io/service-name: %(service)s}}
addressType: IPv4
ports: [{name: %(port)s, port: 5432}]
endpoints:
- {addresses: [10.1.0.2], targetRef: {kind: Pod, name: db-1, namespace: default}, conditions: {ready: %(ready)s}}
- {addresses: [10.1.0.1], targetRef: {kind: Pod, name: db-0, namespace: default}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: db-%(number)s, namespace: default, labels: {topology.istio.io/network: '%(network)s'}}
spec: {hostname: db-%(number)s, subdomain: db}
status: {podIP: 10.1.0.%(at)s}
"""


def pods(network: str = "") -> str:
    return "---".join(POD % {"number": n, "at": n + 1, "network": network} for n in (0, 1))


def stateful(*, ready: str = "true", all_addresses: str = "false", network: str = "") -> World:
    slice_text = SLICE % {"service": "db", "port": "tcp", "ready": ready}
    return World("---".join((HEADLESS % all_addresses, slice_text, pods(network))))


def names(world: World) -> dict[str, dict[str, Any]]:
    (table,) = world.rendered(NAME_TABLE).values()
    return read_name_table(table.value)


def ips(world: World) -> dict[str, list[str]]:
    return {host: info["ips"] for host, info in names(world).items()}


def test_a_service_stands_with_what_short_names_are_made_of() -> None:
    """Kubernetes services carry name and namespace, others do not."""
    entry = ENTRY.replace("resolution", "addresses: [9.9.9.9, 10.0.0.0/8], resolution")
    assert names(World(f"{VIP}---{entry}")) == {
        "out.example": {"ips": ["9.9.9.9"], "registry": "External"},
        "web.default.svc.cluster.local": {
            "ips": ["10.0.0.1"],
            "registry": "Kubernetes",
            "shortname": "web",
            "namespace": "default",
        },
    }


def test_addresses_fit_the_families_of_the_proxy() -> None:
    """All addresses where none fits: an answer for the other family is better than a name that does not exist."""
    world = World(VIP)
    world.proxy = replace(DEFAULT_PROXY, ips=("10.9.9.9", "fd00::9"))
    assert ips(world) == {"web.default.svc.cluster.local": ["10.0.0.1", "fd00::1"]}
    only_v4 = World(VIP.replace(", 'fd00::1'", ""))
    only_v4.proxy = replace(DEFAULT_PROXY, ips=("fd00::9",))
    assert ips(only_v4) == {"web.default.svc.cluster.local": ["10.0.0.1"]}


def test_hosts_without_address_depend_on_the_proxy() -> None:
    """Addresses that were made for hosts are told to proxies that capture DNS, nobody else."""
    world = World(ENTRY)
    assert names(world) == {}
    world.proxy = replace(DEFAULT_PROXY, dns_auto_allocate=True)
    ((address,),) = ips(world).values()
    assert address.startswith("240.240.")


def test_a_headless_service_stands_for_its_endpoints() -> None:
    """And each of its pods has a name below it."""
    assert names(stateful()) == {
        "db.default.svc.cluster.local": {
            "ips": ["10.1.0.1", "10.1.0.2"],
            "registry": "Kubernetes",
            "shortname": "db",
            "namespace": "default",
        },
        **{
            f"db-{number}.db.default.svc.cluster.local": {
                "ips": [f"10.1.0.{number + 1}"],
                "registry": "Kubernetes",
                "shortname": f"db-{number}.db",
                "namespace": "default",
            }
            for number in (0, 1)
        },
    }


def test_pods_that_are_not_ready_have_no_name() -> None:
    """Unless the service publishes them all the same."""
    ready_only = ips(stateful(ready="false"))
    assert ready_only["db.default.svc.cluster.local"] == ["10.1.0.1"]
    assert "db-1.db.default.svc.cluster.local" not in ready_only
    assert "db-1.db.default.svc.cluster.local" in ips(stateful(ready="false", all_addresses="true"))


def test_pods_of_another_network_have_no_name() -> None:
    """They cannot be dialled; networks that nobody named are one."""
    world = stateful(network="far")
    assert len(names(world)) == 3
    world.proxy = replace(DEFAULT_PROXY, network="near")
    assert names(world) == {}


def test_other_names_are_left_to_the_upstream_resolver() -> None:
    """ExternalName services, services without an address yet, and those without endpoints."""
    service = "{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: default}, spec: %s}"
    alias = service % ("a", "{type: ExternalName, externalName: b.example}")
    bare = service % ("c", "{ports: [{port: 80}]}")
    assert names(World(f"{alias}\n---\n{bare}\n---{HEADLESS % 'false'}")) == {}


def test_equal_tables_are_equal_bytes() -> None:
    """Whatever the order in which objects came."""
    one, other = World(f"{VIP}---{ENTRY}"), World(f"{ENTRY}---{VIP}")
    assert one.rendered(NAME_TABLE) == other.rendered(NAME_TABLE)


def test_endpoints_of_a_service_with_address_render_nothing() -> None:
    """Not even its own facts are found anew."""
    world = World(f"{VIP}---{SLICE % {'service': 'web', 'port': 'http', 'ready': 'true'}}")
    before = world.rendered(NAME_TABLE)
    runs = world.db.runs_by_query.copy()
    world.load([yaml.safe_load(SLICE % {"service": "web", "port": "http", "ready": "false"})])
    assert world.rendered(NAME_TABLE) == before
    again = world.db.runs_by_query - runs
    assert (again["name_table"], again["_service_names"]) == (0, 0)


def test_one_headless_endpoint_renders_one_service() -> None:
    """The table is joined anew of facts that are ready."""
    world = World(
        "---".join((HEADLESS % "false", SLICE % {"service": "db", "port": "tcp", "ready": "true"}, pods(), VIP))
    )
    world.rendered(NAME_TABLE)
    runs = world.db.runs_by_query.copy()
    world.load([yaml.safe_load(SLICE % {"service": "db", "port": "tcp", "ready": "false"})])
    assert ips(world)["db.default.svc.cluster.local"] == ["10.1.0.1"]
    again = world.db.runs_by_query - runs
    assert (again["name_table"], again["_service_names"]) == (1, 1)


def test_proxies_that_see_the_same_share_a_table() -> None:
    """Locality, filters and the like do not enter its key."""
    world = World(VIP)
    here = name_table_key(world.view.outbound)
    world.proxy = replace(DEFAULT_PROXY, locality="r/z", http10=True)
    assert name_table_key(world.view.outbound) == here
    assert name_table(world.db, here).name == ""


PORTS = """
apiVersion: v1
kind: Service
metadata: {name: mixed, namespace: default}
spec:
  clusterIP: 10.0.0.7
  ports:
  - {name: HTTP, port: 80, targetPort: 8080}
  - {name: dns, port: 53, protocol: TCP}
  - {name: dns-udp, port: 53, protocol: UDP}
"""


def with_ports(world: World) -> dict[str, list[dict[str, Any]]]:
    """The ports by host that a proxy is told that asks for them; nothing else of its table differs."""
    plain = names(world)
    assert not [host for host, info in plain.items() if "ports" in info]
    world.proxy = replace(world.proxy, dns_srv=True)
    found = names(world)
    assert {host: {k: v for k, v in info.items() if k != "ports"} for host, info in found.items()} == plain
    return {host: info["ports"] for host, info in found.items() if "ports" in info}


def test_ports_are_for_those_who_ask() -> None:
    """Those of the service, by name and transport; ServiceEntries likewise. Others get the bytes they know."""
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: default}
spec:
  hosts: [out.example]
  addresses: [9.9.9.9]
  ports: [{number: 443, name: https, protocol: TLS}, {number: 514, name: log, protocol: UDP}]
"""
    assert with_ports(World(f"{PORTS}---{entry}")) == {
        "mixed.default.svc.cluster.local": [
            {"name": "http", "number": 80},
            {"name": "dns", "number": 53},
            {"name": "dns-udp", "number": 53, "udp": True},
        ],
        "out.example": [{"name": "https", "number": 443}, {"name": "log", "number": 514, "udp": True}],
    }


def test_ports_without_a_name_have_none_to_be_asked_for() -> None:
    """The only port of a Service may be so."""
    assert with_ports(World(VIP.replace("name: http, ", ""))) == {}


def test_ports_of_a_headless_service_are_those_of_its_pods() -> None:
    """The number that they listen on, and each pod under its name."""
    moved = SLICE.replace("port: 5432", "port: 15432") % {"service": "db", "port": "tcp", "ready": "true"}
    world = World("---".join((HEADLESS % "false", moved, pods())))
    assert with_ports(world) == {
        "db.default.svc.cluster.local": [
            {
                "name": "tcp",
                "number": 15432,
                "targets": ["db-0.db.default.svc.cluster.local", "db-1.db.default.svc.cluster.local"],
            }
        ]
    }


def test_pods_without_a_name_serve_under_that_of_the_service() -> None:
    """Those with one are told besides."""
    nameless = pods().replace("{hostname: db-1, subdomain: db}", "{}")
    slice_text = SLICE % {"service": "db", "port": "tcp", "ready": "true"}
    assert with_ports(World("---".join((HEADLESS % "false", slice_text, nameless)))) == {
        "db.default.svc.cluster.local": [
            {"name": "tcp", "number": 5432, "targets": ["db-0.db.default.svc.cluster.local"]},
            {"name": "tcp", "number": 5432},
        ]
    }
