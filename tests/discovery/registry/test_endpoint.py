from __future__ import annotations

from discovery.registry.endpoint import Endpoint, Health


def test_endpoints_are_values() -> None:
    """Equal in all fields is equal; the health numbers are Envoy's."""
    first = Endpoint(address="10.0.0.1", port=80, service_port="http", labels={"a": "b"})
    assert first == Endpoint(address="10.0.0.1", port=80, service_port="http", labels={"a": "b"})
    assert first != Endpoint(address="10.0.0.1", port=80, service_port="http", labels={"a": "c"})
    assert [int(health) for health in Health] == [1, 2, 3]
