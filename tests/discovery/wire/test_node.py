"""What a proxy says of itself."""

from __future__ import annotations

import pytest

from discovery.wire.node import InterceptionMode, NodeError, NodeId, NodeType, parse_metadata, parse_node_id


def test_a_node_id_has_four_parts() -> None:
    """Type, address, name and domain; it is written as it was read."""
    text = "sidecar~10.1.1.7~web-0.shop~shop.svc.cluster.local"
    assert parse_node_id(text) == NodeId(NodeType.SIDECAR, "10.1.1.7", "web-0.shop", "shop.svc.cluster.local")
    assert str(parse_node_id(text)) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "1 parts"),
        ("sidecar~1.1.1.1~a", "3 parts"),
        ("car~1.1.1.1~a~b", "unknown type 'car'"),
        ("sidecar~here~a~b", "'here' is no IP address"),
    ],
)
def test_a_wrong_node_id_is_told_with_what_was_wanted(text: str, complaint: str) -> None:
    """Which part, and what it holds."""
    with pytest.raises(NodeError, match=complaint):
        parse_node_id(text)


def test_metadata_is_read_under_istios_keys() -> None:
    """Booleans are strings, addresses one joined string, labels may come from two places."""
    found = parse_metadata(
        {
            "NAMESPACE": "shop",
            "LABELS": {"app": "web", "x": "new"},
            "STATIC_LABELS": {"x": "old", "y": "1"},
            "INSTANCE_IPS": "10.1.1.7,fd00::7,",
            "INTERCEPTION_MODE": "none",
            "DNS_CAPTURE": "true",
            "UNPRIVILEGED_POD": True,
            "ENVOY_STATUS_PORT": 15021.0,
            "UNKNOWN": {"a": 1},
        }
    )
    assert found.namespace == "shop"
    assert dict(found.labels) == {"app": "web", "x": "new", "y": "1"}
    assert found.instance_ips == ("10.1.1.7", "fd00::7")
    assert found.interception_mode is InterceptionMode.NONE
    assert (found.dns_capture, found.unprivileged_pod, found.http10) == (True, True, False)
    assert found.envoy_status_port == 15021


def test_a_number_that_is_none_is_told() -> None:
    """By its key."""
    with pytest.raises(NodeError, match="ENVOY_STATUS_PORT: 'x' is no number"):
        parse_metadata({"ENVOY_STATUS_PORT": "x"})


def test_an_unknown_interception_mode_is_the_default() -> None:
    """A newer agent's word does not stop its proxy."""
    assert parse_metadata({"INTERCEPTION_MODE": "MAGIC"}).interception_mode is InterceptionMode.REDIRECT


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"tracing": {"zipkin": {"address": "z:1"}, "sampling": 5}}, '{"sampling":5,"zipkin":{"address":"z:1"}}'),
        ({"tracing": {"sampling": 5}}, ""),
        ({"tracing": "x"}, ""),
        ({}, ""),
        ("x", ""),
    ],
)
def test_tracing_counts_where_the_bootstrap_has_a_tracer(config: object, expected: str) -> None:
    """Without one there is nobody to report to."""
    assert parse_metadata({"PROXY_CONFIG": config}).tracing == expected
