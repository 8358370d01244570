from __future__ import annotations

from datetime import timedelta

from discovery.schema.destination_rule import ClientTLSMode, DestinationRule, H2UpgradePolicy, HTTPCookie
from discovery.schema.meta import Kind
from tests.kit.manifests import istio


def test_policies_of_host_port_and_subset() -> None:
    """Each level has a policy of the same form."""
    rule = istio(
        Kind.DESTINATION_RULE,
        """
        host: reviews
        trafficPolicy:
          connectionPool:
            tcp: {maxConnections: 100, connectTimeout: 30ms}
            http: {http2MaxRequests: 9, h2UpgradePolicy: UPGRADE}
          outlierDetection: {consecutive5xxErrors: 7, consecutiveGatewayErrors: 0, interval: 5m}
          tls: {mode: ISTIO_MUTUAL}
          portLevelSettings: [{port: {number: 80}, loadBalancer: {consistentHash: {httpCookie: {name: u, ttl: 0s}}}}]
        subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {retryBudget: {percent: 20}}}]
        workloadSelector: {matchLabels: {app: web}}
        """,
    ).spec
    assert isinstance(rule, DestinationRule)
    policy = rule.traffic_policy
    assert policy is not None
    assert policy.connection_pool is not None
    assert policy.connection_pool.tcp is not None
    assert policy.connection_pool.tcp.connect_timeout == timedelta(milliseconds=30)
    assert policy.connection_pool.http is not None
    assert policy.connection_pool.http.h2_upgrade_policy is H2UpgradePolicy.UPGRADE
    assert policy.outlier_detection is not None
    assert policy.outlier_detection.consecutive_gateway_errors == 0  # zero turns it off, None leaves the default
    assert policy.tls is not None
    assert policy.tls.mode is ClientTLSMode.ISTIO_MUTUAL
    balancer = policy.port_level_settings[0].load_balancer
    assert balancer is not None
    assert balancer.consistent_hash is not None
    assert balancer.consistent_hash.http_cookie == HTTPCookie(name="u", ttl=timedelta(0))
    assert rule.subsets[0].labels == {"version": "v1"}
    assert rule.workload_selector is not None
    assert rule.workload_selector.wanted == {"app": "web"}
