"""Which names are services, of which host, and who serves them."""

from __future__ import annotations

from socket import inet_ntoa

import pytest

from agent.dns.messages import parse_query
from agent.dns.name_table import NameInfo
from agent.dns.services import Located, find_targets
from agent.dns.table import build_table
from discovery.wire.name_table import NamedPort
from tests.kit.dns_proxy import PLACE
from tests.kit.fake_resolver import question

WEB = NameInfo(
    "web.ns1.svc.cluster.local",
    ("10.0.0.1",),
    "Kubernetes",
    "web",
    "ns1",
    ports=(NamedPort("http", 80), NamedPort("dns", 53), NamedPort("dns", 5353, udp=True)),
)
OUT = NameInfo("out.example", ("10.0.0.2",), "External", ports=(NamedPort("https", 443),))
WILD = NameInfo("*.wild.example", ("10.0.0.3",), "External", ports=(NamedPort("tls", 8443),))
BARE = NameInfo("bare.example", ("10.0.0.4",), "External")
DB = NameInfo(
    "db.ns1.svc.cluster.local",
    ("10.1.0.1", "10.1.0.2", "10.1.0.3"),
    "Kubernetes",
    "db",
    "ns1",
    ports=(
        NamedPort("sql", 5432, targets=("db-0.db.ns1.svc.cluster.local", "db-1.db.ns1.svc.cluster.local")),
        NamedPort("sql", 5433),
    ),
)
PODS = [
    NameInfo(f"db-{n}.db.ns1.svc.cluster.local", (f"10.1.0.{n + 1}",), "Kubernetes", f"db-{n}.db", "ns1")
    for n in (0, 1)
]
TABLE = build_table((WEB, OUT, WILD, BARE, DB, *PODS), PLACE)


def _text(name: bytes) -> str:
    labels, at = [], 0
    while name[at]:
        labels.append(name[at + 1 : at + 1 + name[at]].decode())
        at += name[at] + 1
    return ".".join(labels)


def located(name: str) -> Located | None:
    query = parse_query(question(name, "SRV").to_wire())
    return find_targets(TABLE, query.name, query.labels)


def served(name: str) -> list[str]:
    """`host:port address ...` of each target, after the name that it is another one for."""
    found = located(name)
    if found is None:
        return []
    targets = [f"{_text(t.name)}:{t.port} {' '.join(map(inet_ntoa, t.v4))}" for t in found.targets]
    return [*([_text(found.alias)] if found.alias else []), *targets]


FULL = "web.ns1.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"_http._tcp.{FULL}.", [f"{FULL}:80 10.0.0.1"]),
        (f"_HTTP._TCP.{FULL.upper()}.", [f"{FULL}:80 10.0.0.1"]),
        (f"_dns._tcp.{FULL}.", [f"{FULL}:53 10.0.0.1"]),
        (f"_dns._udp.{FULL}.", [f"{FULL}:5353 10.0.0.1"]),
        ("_https._tcp.out.example.", ["out.example:443 10.0.0.2"]),
        ("_tls._tcp.a.b.wild.example.", ["a.b.wild.example:8443 10.0.0.3"]),
    ],
)
def test_a_named_port_of_a_host(name: str, expected: list[str]) -> None:
    """By name and transport; below a wildcard, the host that was asked for."""
    assert served(name) == expected


@pytest.mark.parametrize("short", ["web", "web.ns1", "web.ns1.svc"])
def test_a_short_host_is_told_in_full(short: str) -> None:
    """The target is a name that others understand too."""
    assert served(f"_http._tcp.{short}.") == [f"{FULL}:80 10.0.0.1"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_https._tcp.out.example.ns1.svc.cluster.local.", ["_https._tcp.out.example", "out.example:443 10.0.0.2"]),
        (
            "_tls._tcp.a.wild.example.ns1.svc.cluster.local.",
            ["a.wild.example.ns1.svc.cluster.local:8443 10.0.0.3"],
        ),
    ],
)
def test_a_search_domain_behind_the_host_is_undone(name: str, expected: list[str]) -> None:
    """As for addresses: the answer is that of the name without it."""
    assert served(name) == expected


def test_pods_serve_under_their_own_names() -> None:
    """Each with its address; those without a name under that of the service."""
    assert served("_sql._tcp.db.") == [
        "db-0.db.ns1.svc.cluster.local:5432 10.1.0.1",
        "db-1.db.ns1.svc.cluster.local:5432 10.1.0.2",
        "db.ns1.svc.cluster.local:5433 10.1.0.1 10.1.0.2 10.1.0.3",
    ]


def test_a_pod_that_is_not_in_the_table_has_no_address() -> None:
    """It can still be asked for."""
    table = build_table((DB,), PLACE)
    query = parse_query(question("_sql._tcp.db.", "SRV").to_wire())
    found = find_targets(table, query.name, query.labels)
    assert found is not None
    assert [(_text(target.name), target.v4) for target in found.targets[:1]] == [("db-0.db.ns1.svc.cluster.local", ())]


@pytest.mark.parametrize(
    "name",
    [
        f"{FULL}.",
        f"_http.{FULL}.",
        f"http._tcp.{FULL}.",
        f"_http._sctp.{FULL}.",
        f"_http.tcp.{FULL}.",
        f"_http._udp.{FULL}.",
        f"_other._tcp.{FULL}.",
        f"_._tcp.{FULL}.",
        "_http._tcp.bare.example.",
        "_http._tcp.unknown.example.",
        "_http._tcp.",
        "_tcp.",
        ".",
        f"_http._tcp.{FULL}.cluster.local.",
        "_\\255._tcp.web.",
    ],
)
def test_all_else_may_be_known_elsewhere(name: str) -> None:
    """Other ports, other transports, hosts without ports, names that are no services."""
    assert located(name) is None
