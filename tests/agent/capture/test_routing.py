from __future__ import annotations

from agent.capture.processes import Outcome
from agent.capture.routing import add_routing, remove_routing
from agent.capture.rules import Family
from agent.capture.settings import HostFacts
from tests.kit.capture import ScriptedRunner, capture_settings

_RULE = Outcome(output="0:\tfrom all lookup local\n32765:\tfrom all fwmark 0x539 lookup 133 \n")
_IPV6 = HostFacts(families=frozenset({Family.IPV6}))


def test_redirect_needs_no_routes() -> None:
    """IPv4 has its second loopback address already."""
    runner = ScriptedRunner()
    add_routing(capture_settings(), runner)
    assert runner.commands == []


def test_tproxy_needs_a_rule_and_a_route_in_each_family() -> None:
    """And IPv6 an address for Envoy's inbound side."""
    runner = ScriptedRunner()
    add_routing(capture_settings(_IPV6, mode="TPROXY"), runner)
    assert runner.commands == [
        "ip -4 rule list",
        "ip -4 rule add fwmark 1337 lookup 133",
        "ip -4 route replace local default dev lo table 133",
        "ip -6 rule list",
        "ip -6 rule add fwmark 1337 lookup 133",
        "ip -6 route replace local default dev lo table 133",
        "ip -6 addr replace ::6/128 dev lo",
    ]


def test_a_rule_that_is_there_is_not_added_again() -> None:
    """The kernel would take it twice."""
    runner = ScriptedRunner({"ip -4 rule list": _RULE})
    add_routing(capture_settings(mode="TPROXY"), runner)
    assert "ip -4 rule add fwmark 1337 lookup 133" not in runner.commands


def test_only_what_is_there_is_removed() -> None:
    """In both families, whatever the mode is now."""
    runner = ScriptedRunner()
    remove_routing(capture_settings(), runner)
    assert not [command for command in runner.commands if "del" in command]
    runner = ScriptedRunner(
        {
            "ip -6 rule list": _RULE,
            "ip -6 route show": Outcome(output="local default dev lo metric 1024\n"),
            "ip -6 addr show": Outcome(output="    inet6 ::6/128 scope global\n"),
        }
    )
    remove_routing(capture_settings(), runner)
    assert [command for command in runner.commands if "del" in command] == [
        "ip -6 rule del fwmark 1337 lookup 133",
        "ip -6 route del local default dev lo table 133",
        "ip -6 addr del ::6/128 dev lo",
    ]
