"""Rules of ProxyConfig; its numbers are bounded by their types."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.proto_json import Problem
from discovery.schema.workload_proxy_config import WorkloadProxyConfig
from discovery.validation.fields import check_selector, error

__all__ = ["check_proxy_config"]


def check_proxy_config(spec: WorkloadProxyConfig) -> Iterator[Problem]:
    """What is wrong with the settings."""
    yield from check_selector(spec.selector, "spec.selector")
    if "" in spec.environment_variables:
        yield error("spec.environmentVariables", "want the name of a variable, got none")
