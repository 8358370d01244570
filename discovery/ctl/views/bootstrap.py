"""Which versions a proxy runs."""

from __future__ import annotations

from discovery.ctl.dump import Dump

__all__ = ["version_summary"]


def version_summary(dump: Dump) -> str:
    """Three lines: Istio, its proxy build, Envoy."""
    node = dump.bootstrap.get("node", {})
    metadata = node.get("metadata", {})
    build = node.get("userAgentBuildVersion", {})
    facts = build.get("metadata", {})
    sha = str(metadata.get("ISTIO_PROXY_SHA", "")).rpartition(":")[2]
    return (
        f"Istio Version:       {metadata.get('ISTIO_VERSION', '')}\n"
        f"Istio Proxy Version: {sha}\n"
        f"Envoy Version:       {_envoy(build.get('version', {}), facts)}\n"
    )


def _envoy(version: dict[str, int], facts: dict[str, str]) -> str:
    number = ".".join(str(version.get(part, 0)) for part in ("majorNumber", "minorNumber", "patch"))
    words = (facts.get(key, "") for key in ("revision.status", "build.type", "ssl.version"))
    return "/".join(filter(None, (number, *words)))
