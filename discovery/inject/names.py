"""Names that users and other programs know: containers, labels, annotations, variables."""

from __future__ import annotations

from typing import Final

__all__ = [
    "APP_PROBERS_ENV",
    "CORE_DUMP_CONTAINER",
    "INIT_CONTAINER",
    "INJECT",
    "INTERCEPTION_MODE",
    "NATIVE_SIDECAR",
    "NETWORK_LABEL",
    "OVERRIDES",
    "PROMETHEUS_ENV",
    "PROXY_CONFIG",
    "PROXY_CONTAINER",
    "REWRITE_PROBES",
    "STATUS",
    "STATUS_PORT",
    "TEMPLATES",
    "VALIDATION_CONTAINER",
]

PROXY_CONTAINER: Final = "istio-proxy"
INIT_CONTAINER: Final = "istio-init"
VALIDATION_CONTAINER: Final = "istio-validation"
CORE_DUMP_CONTAINER: Final = "enable-core-dump"

INJECT: Final = "sidecar.istio.io/inject"  # a label, and an annotation of old
TEMPLATES: Final = "inject.istio.io/templates"
STATUS: Final = "sidecar.istio.io/status"
OVERRIDES: Final = "proxy.istio.io/overrides"
PROXY_CONFIG: Final = "proxy.istio.io/config"
INTERCEPTION_MODE: Final = "sidecar.istio.io/interceptionMode"
NATIVE_SIDECAR: Final = "sidecar.istio.io/nativeSidecar"
REWRITE_PROBES: Final = "sidecar.istio.io/rewriteAppHTTPProbers"
STATUS_PORT: Final = "status.sidecar.istio.io/port"
NETWORK_LABEL: Final = "topology.istio.io/network"

APP_PROBERS_ENV: Final = "ISTIO_KUBE_APP_PROBERS"
PROMETHEUS_ENV: Final = "ISTIO_PROMETHEUS_ANNOTATIONS"
