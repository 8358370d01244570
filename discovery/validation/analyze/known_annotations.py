"""Istio's annotations on Kubernetes' own objects: unknown, misplaced, of old, or with a value that cannot be read."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import World

__all__ = ["misused_annotations"]

_KINDS: Final = ("Namespace", "Service", "Pod", "Deployment")
_ANY: Final = ("Any",)
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"  # of Kubernetes, but the mesh's ingress reads it


class _Annotation(NamedTuple):
    """Where an annotation has an effect, and what it may say."""

    kinds: tuple[str, ...] = ("Pod",)
    fault: Callable[[str], str] | None = None  # what was wanted instead of a value; empty if it is fine
    old: bool = False


def _number(value: str) -> str:
    return "" if value.isascii() and value.isdecimal() else "a whole number"


def _boolean(value: str) -> str:
    return (
        ""
        if value in ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")
        else "a boolean"
    )


def _port(value: str) -> str:
    return "" if not _number(value) and 0 <= int(value[:6]) < 65536 else "a port"


def _ports(value: str) -> str:
    good = value in ("", "*") or all(not _port(part.strip()) for part in value.split(","))
    return "" if good else "ports, separated by commas"


def _ranges(value: str) -> str:
    if value in ("", "*"):
        return ""
    try:
        for part in value.split(","):
            ipaddress.ip_network(part.strip(), strict=False)
    except ValueError:
        return "CIDR ranges, separated by commas"
    return ""


def _interception(value: str) -> str:
    return "" if value in ("REDIRECT", "TPROXY", "NONE") else "REDIRECT, TPROXY or NONE"


_KNOWN: Final[Mapping[str, _Annotation]] = {
    **dict.fromkeys(
        (
            "galley.istio.io/analyze-suppress", "install.operator.istio.io/chart-owner",
            "install.operator.istio.io/owner-generation", "install.operator.istio.io/version",
            "operator.istio.io/managed", "gateway.istio.io/controller-version",
        ),
        _Annotation(_ANY),
    ),
    **dict.fromkeys(
        (
            "ambient.istio.io/redirection", "ambient.istio.io/bypass-inbound-capture", "ambient.istio.io/dns-capture",
            "inject.istio.io/templates", "istio.io/rev", "istio.io/reroute-virtual-interfaces",
            "prometheus.istio.io/merge-metrics", "proxy.istio.io/config", "proxy.istio.io/overrides",
            "security.istio.io/tlsMode", "sidecar.istio.io/agentLogLevel", "sidecar.istio.io/bootstrapOverride",
            "sidecar.istio.io/componentLogLevel", "sidecar.istio.io/extraStatTags", "sidecar.istio.io/logLevel",
            "sidecar.istio.io/proxyCPU", "sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyImage",
            "sidecar.istio.io/proxyImageType", "sidecar.istio.io/proxyMemory", "sidecar.istio.io/proxyMemoryLimit",
            "sidecar.istio.io/statsCompression", "sidecar.istio.io/statsHistogramBuckets", "sidecar.istio.io/status",
            "sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount",
            "traffic.sidecar.istio.io/excludeInterfaces",
        ),
        _Annotation(),
    ),
    **dict.fromkeys(
        (
            "sidecar.istio.io/enableCoreDump", "sidecar.istio.io/inject", "sidecar.istio.io/nativeSidecar",
            "sidecar.istio.io/rewriteAppHTTPProbers",
        ),
        _Annotation(fault=_boolean),
    ),
    **dict.fromkeys(
        (
            "readiness.status.sidecar.istio.io/failureThreshold",
            "readiness.status.sidecar.istio.io/initialDelaySeconds",
            "readiness.status.sidecar.istio.io/periodSeconds",
        ),
        _Annotation(fault=_number),
    ),
    **dict.fromkeys(
        (
            "readiness.status.sidecar.istio.io/applicationPorts", "traffic.sidecar.istio.io/excludeInboundPorts",
            "traffic.sidecar.istio.io/excludeOutboundPorts", "traffic.sidecar.istio.io/includeInboundPorts",
            "traffic.sidecar.istio.io/includeOutboundPorts",
        ),
        _Annotation(fault=_ports),
    ),
    **dict.fromkeys(
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "traffic.sidecar.istio.io/includeOutboundIPRanges"),
        _Annotation(fault=_ranges),
    ),
    **dict.fromkeys(
        (
            "alpha.istio.io/identity", "sidecar.istio.io/controlPlaneAuthPolicy", "sidecar.istio.io/discoveryAddress",
            "sidecar.istio.io/statsInclusionPrefixes", "sidecar.istio.io/statsInclusionRegexps",
            "sidecar.istio.io/statsInclusionSuffixes", "traffic.sidecar.istio.io/kubevirtInterfaces",
        ),
        _Annotation(old=True),
    ),
    **dict.fromkeys(
        (
            "policy.istio.io/check", "policy.istio.io/checkBaseRetryWaitTime", "policy.istio.io/checkMaxRetryWaitTime",
            "policy.istio.io/checkRetries", "policy.istio.io/lang",
        ),
        _Annotation(old=True),
    ),
    "status.sidecar.istio.io/port": _Annotation(fault=_port),
    "sidecar.istio.io/interceptionMode": _Annotation(fault=_interception),
    "alpha.istio.io/kubernetes-serviceaccounts": _Annotation(("Service",)),
    "alpha.istio.io/canonical-serviceaccounts": _Annotation(("Service",)),
    "networking.istio.io/exportTo": _Annotation(("Service",)),
    "networking.istio.io/traffic-distribution": _Annotation(("Service", "Namespace")),
    "traffic.istio.io/nodeSelector": _Annotation(("Service",)),
    "topology.istio.io/controlPlaneClusters": _Annotation(("Namespace",)),
    "istio.io/autoRegistrationGroup": _Annotation(("WorkloadEntry",)),
    "istio.io/connectedAt": _Annotation(("WorkloadEntry",)),
    "istio.io/disconnectedAt": _Annotation(("WorkloadEntry",)),
    "istio.io/workloadController": _Annotation(("WorkloadEntry",)),
    "proxy.istio.io/health-checks-enabled": _Annotation(("WorkloadEntry",)),
    "istio.io/dry-run": _Annotation(("AuthorizationPolicy",)),
    "networking.istio.io/address-type": _Annotation(("Gateway",)),
    "networking.istio.io/service-type": _Annotation(("Gateway",)),
    "gateway.istio.io/name-override": _Annotation(("Gateway",)),
    "gateway.istio.io/service-account": _Annotation(("Gateway",)),
    _INGRESS_CLASS: _Annotation(("Ingress",)),
}  # fmt: skip


def misused_annotations(world: World) -> Iterator[Message]:
    """Annotations of the mesh have an effect where they stand."""
    for kind in _KINDS:
        for resource in world.of(kind):
            for name, value in resource.annotations.items():
                yield from _annotation(resource, name, value)


def _annotation(resource: Resource, name: str, value: str) -> Iterator[Message]:
    prefix = name.partition("/")[0]
    if name != _INGRESS_CLASS and not (prefix == "istio.io" or prefix.endswith(".istio.io")):
        return
    known = _KNOWN.get(name)
    if known is None:
        if not prefix.startswith("internal."):
            yield about(Code.UNKNOWN_ANNOTATION, resource, f"nobody reads the annotation {name!r}", "correct its name")
        return
    if known.old:
        yield about(Code.DEPRECATED_ANNOTATION, resource, f"the annotation {name!r} is deprecated")
    if known.kinds != _ANY and resource.kind not in known.kinds:
        text = f"the annotation {name!r} has an effect on {' and '.join(known.kinds)} only"
        hint = (
            "annotate spec.template.metadata" if "Pod" in known.kinds and resource.kind == "Deployment" else "move it"
        )
        yield about(Code.MISPLACED_ANNOTATION, resource, text, hint)
    elif known.fault is not None and (wanted := known.fault(value)):
        yield about(Code.INVALID_ANNOTATION, resource, f"the annotation {name!r} wants {wanted}, got {value!r}")
