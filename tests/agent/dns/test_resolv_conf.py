"""The host's resolver configuration as the C library reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.dns.resolv_conf import ResolvConf, parse_resolv_conf

POD = """
# written by the kubelet
nameserver 10.96.0.10
nameserver fd00::a ; the other family
nameserver 10.96.0.10
search shop.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""


def test_servers_and_search_domains_are_read_in_order() -> None:
    """Each server once; comments and options are skipped."""
    assert parse_resolv_conf(POD) == ResolvConf(
        ("10.96.0.10", "fd00::a"), ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")
    )


def test_the_last_search_list_counts() -> None:
    """`domain` is a list of one; lines that cannot be read change nothing."""
    text = "search a b\ndomain c\nnameserver\nnameserver nobody\nsearch\nnameserver fe80::1%eth0"
    assert parse_resolv_conf(text) == ResolvConf(("fe80::1%eth0",), ("c",))
    assert parse_resolv_conf("") == ResolvConf()


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """A file that somebody broke gives what is left of it."""
    assert isinstance(parse_resolv_conf(text), ResolvConf)
