"""Settings and launch plans of an agent, from the little that a test wants to say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.launch import Host, Launch, plan_launch
from agent.settings import Flags, Settings, load_settings

__all__ = ["launch", "settings", "write_podinfo"]


def write_podinfo(directory: Path, name: str, values: Mapping[str, str]) -> None:
    """A downward API file: ``labels`` or ``annotations``."""
    folder = directory / "etc/istio/pod"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{key}={json.dumps(value)}\n" for key, value in values.items()))


def settings(
    directory: Path,
    *,
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of an agent whose working directory is ``directory``."""
    if labels is not None:
        write_podinfo(directory, "labels", labels)
    if annotations is not None:
        write_podinfo(directory, "annotations", annotations)
    return load_settings(Flags(**(flags or {})), env or {}, directory=directory)


def launch(told: Settings, *, ips: Sequence[str] = ("10.1.1.7",), host: Mapping[str, Any] | None = None) -> Launch:
    """What that agent would start; statsd stands for itself."""
    facts = {"statsd_address": told.config.statsd_udp_address, **(host or {})}
    return plan_launch(told, Host(ips=tuple(ips), **facts))
