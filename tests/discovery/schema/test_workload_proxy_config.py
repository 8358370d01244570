from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.workload_proxy_config import WorkloadProxyConfig
from tests.kit.manifests import istio, places


def test_settings_of_proxies() -> None:
    """Zero threads is a choice of its own (one per CPU), so it is not the same as none written."""
    spec = istio(Kind.PROXY_CONFIG, "{concurrency: 0, environmentVariables: {A: b}, image: {imageType: debug}}").spec
    assert isinstance(spec, WorkloadProxyConfig)
    assert (spec.concurrency, spec.environment_variables) == (0, {"A": "b"})
    assert spec.image is not None
    assert WorkloadProxyConfig().concurrency is None


def test_a_negative_number_of_threads() -> None:
    """The CRD refuses it, so do we."""
    assert places(Kind.PROXY_CONFIG, "{concurrency: -1}") == ["concurrency"]
