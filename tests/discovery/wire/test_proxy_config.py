from __future__ import annotations

from typing import Any

import pytest

from discovery.wire.proxy_config import (
    DEFAULTS,
    ProxyConfigError,
    decode_proxy_config,
    encode_proxy_config,
    merge_proxy_config,
)


def test_defaults_decode() -> None:
    """The defaults are a valid document, and each is read."""
    config = decode_proxy_config(DEFAULTS)
    assert (config.proxy_admin_port, config.status_port, config.control_plane_auth_policy) == (
        15000,
        15020,
        "MUTUAL_TLS",
    )
    assert config.seconds(config.drain_duration) == 45


def test_both_spellings_are_one_name() -> None:
    """snake_case reads as camelCase, at any depth."""
    snake = {"proxy_admin_port": 1, "envoy_metrics_service": {"tls_settings": {"ca_certificates": "x"}}}
    camel = {"proxyAdminPort": 1, "envoyMetricsService": {"tlsSettings": {"caCertificates": "x"}}}
    assert decode_proxy_config(snake) == decode_proxy_config(camel)


def test_keys_of_users_are_left_alone() -> None:
    """proxyMetadata and runtimeValues have keys of their own."""
    config = decode_proxy_config({"proxy_metadata": {"ISTIO_META_a_b": "1"}, "runtimeValues": {"a_b": "2"}})
    assert config.proxy_metadata == {"ISTIO_META_a_b": "1"}
    assert config.runtime_values == {"a_b": "2"}


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ({"statusPort": 1}, {"status_port": 2}, {"statusPort": 2}),
        ({"extraStatTags": ["a"]}, {"extraStatTags": ["b"]}, {"extraStatTags": ["b"]}),
        ({"tracing": {"sampling": 1.0}}, {"tracing": {"zipkin": {}}}, {"tracing": {"zipkin": {}}}),
        (
            {"proxyMetadata": {"A": "1", "B": "1"}},
            {"proxyMetadata": {"B": "2"}},
            {"proxyMetadata": {"A": "1", "B": "2"}},
        ),
        (
            {"proxyHeaders": {"server": {}}},
            {"proxyHeaders": {"requestId": {}}},
            {"proxyHeaders": {"server": {}, "requestId": {}}},
        ),
        ({"serviceCluster": "a"}, {"tracingServiceName": 1}, {"tracingServiceName": "CANONICAL_NAME_ONLY"}),
        ({"statusPort": 1}, {"statusPort": None}, {"statusPort": 1}),
    ],
)
def test_merging_replaces_fields_whole(below: dict[str, Any], above: dict[str, Any], merged: dict[str, Any]) -> None:
    """Lists and messages are replaced, maps of metadata merged, null says nothing."""
    assert merge_proxy_config(below, above) == merged


def test_encoding_leaves_out_zero_values() -> None:
    """As protobuf's JSON does: NONE is the zero of the policy, an explicit 0 of a wrapper stays."""
    document = {
        "controlPlaneAuthPolicy": "NONE",
        "concurrency": 0,
        "statusPort": 0,
        "drainDuration": "1m",
        "unknown": 1,
    }
    assert encode_proxy_config(decode_proxy_config(document)) == {"concurrency": 0, "drainDuration": "60s"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"drainDuration": "soon"}, "drainDuration: 'soon' is no duration"),
        ({"controlPlaneAuthPolicy": "TLS"}, "want one of NONE, MUTUAL_TLS"),
        ({"proxyAdminPort": "x"}, r"proxyAdminPort"),
        ({"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": True}}, "proxyMetadata.ISTIO_META_DNS_CAPTURE: True is no text"),
        ({"runtime_values": {"overload.x": 5}}, "runtimeValues.overload.x: 5 is no text, want it in quotes"),
        ({"proxyMetadata": "A=b"}, "proxyMetadata"),
        ({"envoyMetricsService": {"tlsSettings": {"mode": 9}}}, "envoyMetricsService.tlsSettings.mode"),
    ],
)
def test_errors_name_the_field(document: dict[str, Any], text: str) -> None:
    """Path of the field, value, and what was wanted."""
    with pytest.raises(ProxyConfigError, match=text):
        decode_proxy_config(document)
