from __future__ import annotations

from discovery.translate.listeners.binding import is_subnet, localhost, static_ports_of, wildcards


def test_first_family_gives_the_name() -> None:
    """IPv4 comes first; a proxy without any known family is treated as IPv4."""
    assert wildcards(ipv4=True, ipv6=True) == ("0.0.0.0", "::")
    assert wildcards(ipv4=False, ipv6=True) == ("::",)
    assert wildcards(ipv4=False, ipv6=False) == ("0.0.0.0",)
    assert (localhost(ipv4=True), localhost(ipv4=False)) == ("127.0.0.1", "::1")


def test_capture_ports_are_taken() -> None:
    """The capture listeners' ports are taken besides the bootstrap's; a port that is turned off is not."""
    assert static_ports_of(frozenset({15021}), (15001, 0)) == {15021, 15001}


def test_ranges_have_a_slash() -> None:
    """A service address is a range when it is written as one."""
    assert is_subnet("10.0.0.0/8")
    assert not is_subnet("10.0.0.1")
