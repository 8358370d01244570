from __future__ import annotations

import pytest

from agent.capture.rules import Family
from agent.capture.settings import CaptureSettings, HostFacts, Mode, load_capture_settings
from agent.settings import SettingsError
from tests.kit.capture import capture_settings


def test_nothing_said_is_the_documented_default() -> None:
    """Nothing is captured but what the proxy sends to itself."""
    assert capture_settings() == CaptureSettings()


def test_the_proxys_owner() -> None:
    """Flag, else the host's user, else 1337; groups are the users unless told."""
    assert capture_settings().uids == ("1337",)
    assert capture_settings(HostFacts(proxy_uid="998")).gids == ("998",)
    both = capture_settings(HostFacts(proxy_uid="998"), uids="1, 2,")
    assert (both.uids, both.gids) == (("1", "2"), ("1", "2"))
    assert capture_settings(gids="istio-proxy").gids == ("istio-proxy",)


@pytest.mark.parametrize(
    ("families", "dual_stack", "expected"),
    [
        ({Family.IPV4}, False, False),
        ({Family.IPV6}, False, True),
        ({Family.IPV4, Family.IPV6}, False, False),
        ({Family.IPV4, Family.IPV6}, True, True),
        ({Family.IPV4}, True, False),
        (set(), True, False),
    ],
)
def test_ipv6_follows_the_hosts_addresses(families: set[Family], dual_stack: bool, expected: bool) -> None:
    """Where it is all there is, or in dual stack where there is any."""
    host = HostFacts(families=frozenset(families))
    assert capture_settings(host, dual_stack=dual_stack).ipv6 is expected


def test_dns_without_servers_is_switched_off_with_a_warning() -> None:
    """A pod without resolv.conf must start; with any server as target none has to be known."""
    settings, _, warnings = load_capture_settings({"redirect_dns": "true"}, {}, HostFacts())
    assert not settings.redirect_dns
    assert "resolv.conf names no server" in warnings[0]
    every = {"redirect_dns": "true", "capture_all_dns": "true"}
    assert load_capture_settings(every, {}, HostFacts())[0].redirect_dns


@pytest.mark.parametrize(("text", "mode"), [("TPROXY", Mode.TPROXY), ("REDIRECT", Mode.REDIRECT), ("x", Mode.REDIRECT)])
def test_only_tproxy_is_special(text: str, mode: Mode) -> None:
    """All else redirects, as in Istio."""
    assert capture_settings(mode=text).mode is mode


def test_ranges_may_be_single_addresses() -> None:
    """They get their length; the form of others stays as written."""
    assert capture_settings(outbound_ranges="10.1.2.3, 2001:db8::1,10.0.0.0/8").outbound_ranges == (
        "10.1.2.3/32",
        "2001:db8::1/128",
        "10.0.0.0/8",
    )


def test_what_is_to_be_done() -> None:
    """Durations are read as Go writes them."""
    _, how, _ = load_capture_settings({"probe_timeout": "1m30s", "iptables_binary": "nft"}, {}, HostFacts())
    assert (how.probe_timeout_s, how.iptables_binary, how.reconcile) == (90.0, "nft", False)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("inbound_ports", "80,http", "inbound ports: 'http', want a number from 1 to 65535"),
        ("outbound_port", "0", "outbound port: '0'"),
        ("outbound_ranges", "10.0.0.0/33", "want a range such as 10.0.0.0/8"),
        ("excluded_outbound_ranges", "*", "leave it empty to exclude none"),
        ("excluded_interfaces", "a-name-that-is-too-long", "at most 15 characters"),
        ("uids", "no body", "numbers or names"),
        ("uids", "-j", "numbers or names"),
        ("redirect_dns", "perhaps", "true or false"),
        ("tproxy_mark", "zero", "a number"),
        ("probe_timeout", "soon", "a duration such as 5s"),
        ("iptables_binary", "best", "legacy, nft or nothing"),
        ("inbound_port", "15001", "three different ports"),
    ],
)
def test_mistakes_say_what_is_wanted(field: str, value: str, words: str) -> None:
    """Before anything is touched."""
    with pytest.raises(SettingsError) as caught:
        load_capture_settings({field: value}, {}, HostFacts())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ISTIO_OUTBOUND_OWNER_GROUPS", ",".join(map(str, range(65))), "at most 64"),
        ("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "10.0.0.0/8", "127.0.0.0/8 to /32"),
        ("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.0/7", "127.0.0.0/8 to /32"),
        ("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "::1/128", "127.0.0.0/8 to /32"),
    ],
)
def test_mistakes_in_variables(variable: str, value: str, words: str) -> None:
    """They are findings like those of flags."""
    with pytest.raises(SettingsError, match=words):
        load_capture_settings({}, {variable: value}, HostFacts())


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever mends a manifest mends it once; a mark that is taken is one of them."""
    with pytest.raises(SettingsError) as caught:
        capture_settings(inbound_ports="x", outbound_ports="y", mode="TPROXY", tproxy_mark="1338")
    assert len(caught.value.findings) == 3
