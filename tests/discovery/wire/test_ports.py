"""Ports are an interface: istiod's and Istio's agent's numbers."""

from __future__ import annotations

from discovery.wire import ports


def test_numbers_are_istios_and_distinct() -> None:
    """Firewalls, charts and capture rules of users have them written down."""
    numbers = {name: getattr(ports, name) for name in ports.__all__}
    assert (numbers["DISCOVERY_GRPC"], numbers["DISCOVERY_SECURE_GRPC"], numbers["DISCOVERY_MONITORING"]) == (
        15010,
        15012,
        15014,
    )
    assert (numbers["OUTBOUND_CAPTURE"], numbers["INBOUND_CAPTURE"], numbers["STATUS"]) == (15001, 15006, 15020)
    assert len(set(numbers.values())) == len(numbers)
