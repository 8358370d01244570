"""One scrape for all: Prometheus asks the agent, which adds the application's metrics to its own and Envoy's.

The pod's own annotations move into a variable for the agent; in their place come the agent's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.inject.documents import Json, annotations_of, find_proxy, go_bool
from discovery.inject.environment import take_env
from discovery.inject.errors import PodError
from discovery.inject.names import PROMETHEUS_ENV

__all__ = ["SCRAPE_TARGETS", "merge_prometheus", "parse_targets"]

SCRAPE_TARGETS: Final = "prometheus.istio.io/scrape-targets"
_MERGE: Final = "prometheus.istio.io/merge-metrics"
_PATH: Final = "/stats/prometheus"
# Prometheus sees annotations with all but letters and digits as underscores, so users write them in many ways.
_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9_]")
_OURS: Final = {"prometheus_io_scrape": "scrape", "prometheus_io_path": "path", "prometheus_io_port": "port"}
_RESERVED: Final = frozenset({15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090})


def merge_prometheus(pod: Json, *, enabled: bool, status_port: int) -> None:
    """Point the pod's annotations to the agent, in place; ``enabled`` is the mesh's setting.

    Raises:
        PodError: the annotation with several targets cannot be read.
    """
    proxy = find_proxy(pod)
    known = take_env(proxy, PROMETHEUS_ENV) if proxy is not None else None
    annotations = annotations_of(pod)
    written = {_OURS[key]: value for name, value in annotations.items() if (key := _UNSAFE.sub("_", name)) in _OURS}
    own = go_bool(annotations.get(_MERGE, ""))
    scraped = go_bool(written.get("scrape", "")) is not False
    if scraped and (enabled if own is None else own) and written.get("port") != str(status_port):
        scrape = _scrape(written, annotations.get(SCRAPE_TARGETS, ""), status_port)
        known = msgspec.json.encode(scrape).decode() if scrape else None
        _point_to_agent(pod, status_port)
    if proxy is not None and known is not None:
        proxy.setdefault("env", []).append({"name": PROMETHEUS_ENV, "value": known})


def _scrape(written: Mapping[str, str], targets: str, status_port: int) -> Json:
    """What the agent is told; ``port`` and ``path`` are the first target's, for agents that know only one."""
    found = parse_targets(targets, status_port)
    if not written and not found:
        return {}
    told: Json = {key: written.get(key, "") for key in ("scrape", "path", "port")}
    return {**told, "path": found[0]["path"], "port": found[0]["port"], "targets": found} if found else told


def parse_targets(text: str, status_port: int) -> list[dict[str, str]]:
    """Targets ``port:path,...``; a target without a path means ``/metrics``.

    Raises:
        PodError: a target has no port, or one that belongs to the mesh.
    """
    found: list[dict[str, str]] = []
    for target in filter(None, (part.strip() for part in text.split(","))):
        port, _, path = target.partition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise PodError(f"annotation {SCRAPE_TARGETS}: want port:path, got {target!r}")
        if int(port) in _RESERVED or int(port) == status_port:
            raise PodError(f"annotation {SCRAPE_TARGETS}: port {port} belongs to the mesh; give the application's")
        found.append({"port": port, "path": path or "/metrics"})
    return found


def _point_to_agent(pod: Json, status_port: int) -> None:
    metadata: dict[str, Any] = pod.setdefault("metadata", {})
    kept = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if _UNSAFE.sub("_", name) not in _OURS and name != SCRAPE_TARGETS
    }
    metadata["annotations"] = {
        **kept,
        "prometheus.io/path": _PATH,
        "prometheus.io/port": str(status_port),
        "prometheus.io/scrape": "true",
    }
