from __future__ import annotations

from datetime import timedelta

from discovery.schema.proto_json import read
from discovery.schema.proxy_config import ProxyConfig


def test_defaults_are_istios() -> None:
    """Those that sidecars run with when nobody says anything."""
    config = ProxyConfig()
    assert (config.proxy_admin_port, config.status_port, config.stat_name_length) == (15000, 15020, 189)
    assert config.drain_duration == timedelta(seconds=45)
    assert config.service_cluster == "istio-proxy"


def test_metadata_and_matchers_are_read() -> None:
    """Maps of texts, lists of texts, and small numbers."""
    document = {"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}, "concurrency": 0, "proxyStatsMatcher": {}}
    config, problems = read(ProxyConfig, document)
    assert problems == ()
    assert config is not None
    assert config.proxy_metadata == {"ISTIO_META_DNS_CAPTURE": "true"}
    assert config.concurrency == 0
    assert config.proxy_stats_matcher is not None
