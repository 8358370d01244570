"""Whether the cluster's nodes run native sidecars: init containers that are restarted and end after the others.

Stable since Kubernetes 1.33: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from discovery.inject.names import NATIVE_SIDECAR

__all__ = ["NativeSidecars", "nodes_run_them", "wanted"]

_MIN_VERSION: Final = (1, 33)
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


class NativeSidecars(StrEnum):
    """The setting ``ENABLE_NATIVE_SIDECARS``."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"


def nodes_run_them(setting: NativeSidecars, kubelets: Mapping[str, str], *, node: str = "") -> bool:
    """Whether the proxy may be a native sidecar; ``kubelets`` are versions by node, ``node`` is the pod's, if known.

    ``auto`` asks that node, else every node: a pod may come to the oldest one.
    """
    if setting is not NativeSidecars.AUTO:
        return setting is NativeSidecars.TRUE
    if node in kubelets:
        return _new_enough(kubelets[node])
    return bool(kubelets) and all(_new_enough(version) for version in kubelets.values())


def wanted(annotations: Mapping[str, str], *, default: bool) -> bool:
    """The pod's own wish wins."""
    return {"true": True, "false": False}.get(annotations.get(NATIVE_SIDECAR, ""), default)


def _new_enough(version: str) -> bool:
    found = _VERSION.match(version)
    return found is not None and (int(found[1]), int(found[2])) >= _MIN_VERSION
