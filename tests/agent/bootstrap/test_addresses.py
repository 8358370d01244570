from __future__ import annotations

import pytest

from agent.bootstrap.addresses import AddressPlan, Interface, instance_ips, plan_addresses

_LO = Interface(name="lo", loopback=True, addresses=("127.0.0.1", "::1"))
_ETH0 = Interface(name="eth0", addresses=("10.1.1.7", "fd00::7", "fe80::1", "169.254.3.4", "::ffff:10.1.1.8"))
_ETH1 = Interface(name="eth1", addresses=("10.2.2.2", "10.1.1.7"))
_DOWN = Interface(name="eth2", up=False, addresses=("10.3.3.3",))


@pytest.mark.parametrize(
    ("first", "interfaces", "excluded", "ips"),
    [
        ("10.1.1.7", [_LO, _ETH0], [], ("10.1.1.7", "fd00::7", "10.1.1.8")),
        ("", [_LO, _ETH0, _ETH1, _DOWN], [], ("10.1.1.7", "fd00::7", "10.1.1.8", "10.2.2.2")),
        ("10.9.9.9", [_ETH0, _ETH1], ["eth0"], ("10.9.9.9", "10.2.2.2")),
        ("10.1.1.7", [_ETH0], ["eth0"], ("127.0.0.1", "::1")),
        ("nonsense", [_ETH1], [], ("10.2.2.2", "10.1.1.7")),
        ("", [_LO], [], ("127.0.0.1", "::1")),
        ("127.0.0.3", [_LO, _ETH0], [], ("127.0.0.3",)),
    ],
)
def test_addresses_of_a_workload(
    first: str, interfaces: list[Interface], excluded: list[str], ips: tuple[str, ...]
) -> None:
    """The platform's first; then interfaces that are up, without link-local, repeated and excluded ones.

    A loopback address stands alone: then several workloads share one host.
    """
    assert instance_ips(first, interfaces, excluded=frozenset(excluded)) == ips


@pytest.mark.parametrize(
    ("ips", "dual", "plan"),
    [
        (["10.1.1.7"], False, AddressPlan()),
        (["fd00::7"], False, AddressPlan(localhost="::1", wildcard="::", dns_lookup_family="V6_ONLY")),
        (["fd00::7", "10.1.1.7"], False, AddressPlan()),
        (["10.1.1.7", "fd00::7"], True, AddressPlan(second_wildcard="::", dns_lookup_family="ALL")),
        (["10.1.1.7"], True, AddressPlan()),
        ([], True, AddressPlan()),
    ],
)
def test_families(ips: list[str], plan: AddressPlan, *, dual: bool) -> None:
    """IPv6 only when all are; both only where switched on and there."""
    assert plan_addresses(ips, dual_stack=dual) == plan


def test_the_first_address_leads_in_dual_stack() -> None:
    """An IPv6 pod with an IPv4 address listens on ``::`` first."""
    plan = plan_addresses(["fd00::7", "10.1.1.7"], dual_stack=True)
    assert (plan.localhost, plan.wildcard, plan.second_wildcard, plan.ip_version) == ("::1", "::", "0.0.0.0", "v6")
