"""Rules of objects: what is refused, what is let through, and what it costs to know."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.decode import decode
from discovery.schema.findings import has_errors
from discovery.validation.objects import validate
from discovery.validation.regexes import regex_fault


def _faults(kind: str, spec: dict[str, Any], group: str = "networking.istio.io") -> tuple[str, ...]:
    document = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    (obj,) = decode(document).objects
    findings = validate(obj)
    return tuple(finding.path for finding in findings if has_errors((finding,)))


def _routes(*weights: int) -> dict[str, Any]:
    targets = [{"destination": {"host": f"v{i}"}, "weight": weight} for i, weight in enumerate(weights)]
    return {"hosts": ["reviews"], "http": [{"route": targets}]}


def test_weights_that_are_all_zero_are_refused() -> None:
    """Of several destinations one must get traffic; a single one gets all of it."""
    assert _faults("VirtualService", _routes(0, 0)) == ("spec.http[0].route",)
    assert _faults("VirtualService", _routes(0, 1)) == ()
    assert _faults("VirtualService", _routes(0)) == ()


@pytest.mark.parametrize("pattern", ["a(?=b)", r"(a)\1", "(a", "a)", "[a", "*a", "a**", "a\\"])
def test_what_re2_refuses_is_told(pattern: str) -> None:
    """Such a pattern would cost the whole route configuration."""
    assert regex_fault(pattern)


@pytest.mark.parametrize("pattern", ["/api/v[0-9]+/.*", "(?i)a", r"\(\)", "[]a]+", r"a\*+", "(?:a|b)??", r"\pL\Q(\E"])
def test_what_re2_takes_is_let_through(pattern: str) -> None:
    """No false alarm."""
    assert regex_fault(pattern) == ""


def test_a_destination_rule_tells_all_that_is_wrong() -> None:
    """Every problem at once, each at its place."""
    subset = {"name": "v 1", "trafficPolicy": {"connectionPool": {}}}
    paths = _faults("DestinationRule", {"host": "a b", "subsets": [subset]})
    assert paths == ("spec.host", "spec.subsets[0].name", "spec.subsets[0].trafficPolicy.connectionPool")


def test_a_service_entry_has_each_port_once() -> None:
    """Names and numbers of ports are keys."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    paths = _faults("ServiceEntry", {"hosts": ["example.com"], "ports": [port, port]})
    assert paths == ("spec.ports[1].name", "spec.ports[1].number")
