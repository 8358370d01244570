from __future__ import annotations

from pathlib import Path

import pytest

from agent.bootstrap.addresses import Interface
from agent.capture.facts import enter_network_namespace, parse_resolv_conf, read_host_facts, usable_families
from agent.capture.rules import Family


@pytest.mark.parametrize(
    ("addresses", "families"),
    [
        (("127.0.0.1", "::1", "fe80::1", "169.254.0.1"), set()),
        (("10.0.0.2",), {Family.IPV4}),
        (("fd00::2", "fe80::1"), {Family.IPV6}),
        (("10.0.0.2", "fd00::2"), {Family.IPV4, Family.IPV6}),
    ],
)
def test_usable_families(addresses: tuple[str, ...], families: set[Family]) -> None:
    """Every pod has loopback and link-local addresses of both; they say nothing."""
    assert usable_families([Interface(name="eth0", addresses=addresses)]) == families


def test_servers_of_resolv_conf() -> None:
    """As written, once each, without scopes and without what is no address."""
    text = "# comment\nnameserver 10.0.0.10\nnameserver fe80::1%eth0\nsearch a b\nnameserver x\nnameserver 10.0.0.10\n"
    assert parse_resolv_conf(text) == ("10.0.0.10", "fe80::1")


def test_a_host_without_resolv_conf_and_without_the_user(tmp_path: Path) -> None:
    """Both are normal."""
    facts = read_host_facts(envoy_user="nobody-of-this-name", resolv_conf=tmp_path / "none")
    assert (facts.dns_servers, facts.proxy_uid) == ((), "")
    assert read_host_facts(envoy_user="root", resolv_conf=tmp_path / "none").proxy_uid == "0"


def test_a_namespace_that_is_not_there(tmp_path: Path) -> None:
    """An error of the system, with its path; also for a file that is none."""
    with pytest.raises(OSError, match="none"):
        enter_network_namespace(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        enter_network_namespace(tmp_path / "file")
