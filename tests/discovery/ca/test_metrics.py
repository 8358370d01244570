from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.ca.metrics import CaMetrics, SignFailure
from discovery.runtime.metrics import render_metrics
from tests.kit.certs import NOW, root_ca
from tests.kit.fake_clock import FakeClock

_NAMES = """
citadel_server_csr_count citadel_server_authentication_failure_count citadel_server_csr_parsing_err_count
citadel_server_id_extraction_err_count citadel_server_success_cert_issuance_count citadel_server_csr_sign_err_count
citadel_server_root_cert_expiry_timestamp citadel_server_root_cert_expiry_seconds
citadel_server_cert_chain_expiry_timestamp citadel_server_cert_chain_expiry_seconds
"""


def test_names_are_those_of_the_reference() -> None:
    """Dashboards find each under exactly its name, from the start."""
    registry = CollectorRegistry()
    CaMetrics(registry, ca=root_ca, clock=FakeClock(NOW))
    lines = [line for line in render_metrics(registry).decode().splitlines() if not line.startswith("#")]
    assert {line.partition(" ")[0].partition("{")[0] for line in lines} == set(_NAMES.split())
    errors = {line.partition('error="')[2].partition('"')[0] for line in lines if "sign_err" in line}
    assert errors == set(SignFailure)


def test_expiry_counts_down() -> None:
    """The gauges follow the clock and the present CA."""
    registry, clock = CollectorRegistry(), FakeClock(NOW)
    CaMetrics(registry, ca=root_ca, clock=clock)
    end = root_ca().valid_until
    clock.advance(3600)
    assert registry.get_sample_value("citadel_server_root_cert_expiry_timestamp") == end.timestamp()
    assert registry.get_sample_value("citadel_server_cert_chain_expiry_timestamp") == end.timestamp()
    left = (end - NOW).total_seconds() - 3600
    assert registry.get_sample_value("citadel_server_root_cert_expiry_seconds") == left
    assert registry.get_sample_value("citadel_server_cert_chain_expiry_seconds") == left
