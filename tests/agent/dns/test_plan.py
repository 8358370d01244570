"""Where the proxy listens and whom it asks, from settings and `resolv.conf`."""

from __future__ import annotations

import pytest

from agent.dns.plan import plan_dns, split_listen
from agent.dns.resolv_conf import ResolvConf
from agent.dns.upstream import Server


@pytest.mark.parametrize(
    ("address", "low_port", "host", "port"),
    [
        ("localhost:15053", False, "localhost", 15053),
        ("127.0.0.1:5300", False, "127.0.0.1", 5300),
        ("[::1]:5300", False, "::1", 5300),
        ("127.0.0.2:53", True, "127.0.0.2", 53),
        ("127.0.0.2:53", False, "localhost", 15053),
    ],
)
def test_addresses_are_read(address: str, host: str, port: int, *, low_port: bool) -> None:
    """Port 53 is not everybody's; anybody else is told, and gets the default."""
    found = split_listen(address, low_port=low_port)
    assert found[:2] == (host, port)
    assert bool(found[2]) == (address.endswith(":53") and not low_port)


@pytest.mark.parametrize("address", ["", "localhost", ":53", "localhost:", "localhost:dns", "localhost:70000"])
def test_other_texts_are_refused(address: str) -> None:
    """With what was wanted."""
    with pytest.raises(ValueError, match="want host:port"):
        split_listen(address, low_port=True)


@pytest.mark.parametrize(
    ("servers", "hosts"),
    [
        (("10.0.0.1",), ["127.0.0.1"]),
        (("fd00::1",), ["::1"]),
        (("fd00::1", "10.0.0.1"), ["127.0.0.1", "::1"]),
        ((), ["127.0.0.1"]),
    ],
)
def test_localhost_is_of_the_families_of_the_resolvers(servers: tuple[str, ...], hosts: list[str]) -> None:
    """That is where redirected questions arrive."""
    plan = plan_dns("localhost", 15053, ResolvConf(servers, ("a",)))
    assert [host for host, _ in plan.listen] == hosts
    assert plan.servers == tuple(Server(server) for server in servers)
    assert (plan.search, plan.needs_table) == (("a",), True)


def test_the_proxy_never_asks_itself() -> None:
    """As the host's own resolver it stands in the file that it reads; it also answers before it has a table."""
    plan = plan_dns("127.0.0.2", 53, ResolvConf(("127.0.0.2", "10.0.0.1")))
    assert plan.servers == (Server("10.0.0.1"),)
    assert not plan.needs_table
    assert plan_dns("127.0.0.2", 5353, ResolvConf(("127.0.0.2",))).servers == (Server("127.0.0.2"),)
