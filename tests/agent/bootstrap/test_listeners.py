from __future__ import annotations

from agent.bootstrap.addresses import AddressPlan
from agent.bootstrap.listeners import ListenerKey, build_listeners


def test_a_port_of_zero_is_no_listener() -> None:
    """Every static listener can be left out."""
    assert build_listeners(ListenerKey(addresses=AddressPlan(), status_port=0, prometheus_port=0)) == []


def test_overload_does_not_touch_them() -> None:
    """A loaded pod must not look dead."""
    listeners = build_listeners(
        ListenerKey(addresses=AddressPlan(), secure_metrics_port=1, secure_merged_metrics_port=2)
    )
    assert [listener["name"] for listener in listeners] == ["0.0.0.0_15090", "0.0.0.0_1", "0.0.0.0_2", "0.0.0.0_15021"]
    assert all(listener["bypass_overload_manager"] and listener["ignore_global_conn_limit"] for listener in listeners)


def test_secure_ports_want_a_client_certificate() -> None:
    """Statistics behind mutual TLS are for the mesh only."""
    key = ListenerKey(addresses=AddressPlan(), status_port=0, prometheus_port=0, secure_metrics_port=1)
    (listener,) = build_listeners(key)
    socket = listener["filter_chains"][0]["transport_socket"]["typed_config"]
    assert socket["require_client_certificate"] is True
