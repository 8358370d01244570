"""Domains of virtual hosts."""

from __future__ import annotations

import pytest

from discovery.translate.routes.domains import ClientDomain, host_domains, service_domains, short_names

HOST = "foo.ns.svc.cluster.local"


@pytest.mark.parametrize(
    ("host", "dns_domain", "short"),
    [
        (HOST, "ns.svc.cluster.local", ("foo", "foo.ns.svc", "foo.ns")),
        (HOST, "other.svc.cluster.local", ("foo.ns", "foo.ns.svc")),
        (HOST, "ns.svc.other.local", ()),
        ("example.com", "ns.svc.cluster.local", ()),
        ("foo.svc.cluster.local", "ns.svc.cluster.local", ()),
        ("*.ns.svc.cluster.local", "ns.svc.cluster.local", ()),
        ("10.0.0.1", "0.0.1", ()),
        (HOST, "", ()),
        # Other domains: what is shared is left out, and a bare name is only for clients of the very same domain.
        ("foo.local.campus.net", "local.campus.net", ("foo",)),
        ("foo.local.campus.net", "remote.campus.net", ("foo.local", "foo.local.campus")),
        ("foo.local.campus.net", "example.com", ()),
        ("campus.net", "campus.net", ()),
    ],
)
def test_short_names(host: str, dns_domain: str, short: tuple[str, ...]) -> None:
    """Names may be shortened as far as the client's search domain completes them."""
    assert short_names(host, ClientDomain.parse(dns_domain)) == short


def seen(dns_domain: str, *, auto: bool = False, **fields: object) -> tuple[str, ...]:
    domains = service_domains(str(fields.pop("host", HOST)), **fields)  # type: ignore[arg-type]  # of the test's choice
    return domains.seen_from(ClientDomain.parse(dns_domain), auto_addresses=auto).all


def test_all_domains_of_a_service() -> None:
    """The name, the same with a final dot, shortened ones, addresses; ranges are no hosts."""
    addresses = ("10.0.0.1", "2001:2::1", "10.1.0.0/16")
    common = (HOST, f"{HOST}.")
    assert seen("ns.svc.cluster.local", addresses=addresses) == (
        *common,
        "foo",
        "foo.ns.svc",
        "foo.ns",
        "10.0.0.1",
        "[2001:2::1]",
    )
    assert seen("x.svc.cluster.local") == (*common, "foo.ns", "foo.ns.svc")
    assert seen("x.svc.elsewhere") == common
    assert seen("example.com") == common


def test_pods_of_headless_services_are_hosts() -> None:
    """Every name has a wildcard for single pods."""
    assert seen("elsewhere", pods_by_name=True) == (HOST, f"{HOST}.", f"*.{HOST}", f"*.{HOST}.")


def test_addresses_made_for_a_host_are_for_those_who_resolve_to_them() -> None:
    """Allocated addresses count only for clients with DNS capture, and only where the service has none of its own."""
    client = "x.svc.cluster.local"
    assert seen(client, auto=True, auto_addresses=("240.240.0.1",))[-1] == "240.240.0.1"
    assert "240.240.0.1" not in seen(client, auto_addresses=("240.240.0.1",))
    assert seen(client, auto=True, addresses=("10.0.0.1",), auto_addresses=("240.240.0.1",))[-1] == "10.0.0.1"


def test_wildcards_and_addresses_are_themselves() -> None:
    """They have neither short forms nor a final dot."""
    assert seen("x.svc.cluster.local", host="*.example.com") == ("*.example.com",)
    assert seen("x.svc.cluster.local", host="1.2.3.4") == ("1.2.3.4",)
    assert host_domains("::1").all == ("[::1]",)
    assert host_domains("example.com").all == ("example.com",)
