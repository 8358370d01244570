"""Annotations that users write by hand are checked before anything is made of them; all mistakes are told at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from discovery.inject.documents import go_bool
from discovery.inject.errors import PodError
from discovery.inject.names import INTERCEPTION_MODE, NATIVE_SIDECAR, REWRITE_PROBES, STATUS_PORT

__all__ = ["check_annotations"]

_TRAFFIC: Final = "traffic.sidecar.istio.io"
_SIDECAR: Final = "sidecar.istio.io"
_READINESS: Final = "readiness.status.sidecar.istio.io"
_QUANTITY: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")

Check = Callable[[str], str]  # what is wrong, empty if nothing is


def _ports(text: str) -> str:
    for part in filter(None, (part.strip() for part in text.split(","))) if text.strip() else ():
        if not _is_port(part):
            return f"{part!r} is no port, want a comma list of numbers from 0 to 65535"
    return ""


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= 65535


def _ports_or_all(text: str) -> str:
    problem = "" if text == "*" else _ports(text)
    return f"{problem}, or *" if problem else ""


def _cidrs(text: str) -> str:
    for part in text.split(",") if text else ():
        try:
            if "/" not in part:
                raise ValueError
            ip_network(part, strict=False)
        except ValueError:
            return f"{part!r} is no range of addresses, want a comma list such as 10.0.0.0/8,192.168.1.1/32"
    return ""


def _cidrs_or_all(text: str) -> str:
    problem = "" if text == "*" else _cidrs(text)
    return f"{problem}, or *" if problem else ""


def _one_of(*words: str) -> Check:
    return lambda text: "" if text in words else f"{text!r} is unknown, want one of {', '.join(words)}"


def _port(text: str) -> str:
    return "" if _is_port(text.strip()) else f"{text!r} is no port, want a number from 0 to 65535"


def _count(text: str) -> str:
    good = text.isascii() and text.isdecimal() and int(text) < 2**32
    return "" if good else f"{text!r} is no count, want a number from 0 on"


def _boolean(text: str) -> str:
    return f"{text!r} is no boolean, want true or false" if go_bool(text) is None else ""


def _quantity(text: str) -> str:
    return "" if _QUANTITY.fullmatch(text) else f"{text!r} is no quantity, want a form such as 100m, 0.5 or 128Mi"


def _objects(text: str) -> str:
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        return f"no valid JSON: {error}"
    good = isinstance(document, dict) and all(isinstance(member, dict) for member in document.values())
    return "" if good else 'want JSON of the form {"name": {...}}'


_CHECKS: Final[Mapping[str, tuple[str, Check]]] = {
    INTERCEPTION_MODE: ("interceptionMode", _one_of("REDIRECT", "TPROXY", "NONE")),
    STATUS_PORT: ("statusPort", _port),
    NATIVE_SIDECAR: ("nativeSidecar", _one_of("true", "false")),
    REWRITE_PROBES: ("rewriteAppHTTPProbers", _boolean),
    f"{_READINESS}/initialDelaySeconds": ("readinessInitialDelaySeconds", _count),
    f"{_READINESS}/periodSeconds": ("readinessPeriodSeconds", _count),
    f"{_READINESS}/failureThreshold": ("readinessFailureThreshold", _count),
    f"{_TRAFFIC}/includeOutboundIPRanges": ("includeIPRanges", _cidrs_or_all),
    f"{_TRAFFIC}/excludeOutboundIPRanges": ("excludeIPRanges", _cidrs),
    f"{_TRAFFIC}/includeInboundPorts": ("includeInboundPorts", _ports_or_all),
    f"{_TRAFFIC}/excludeInboundPorts": ("excludeInboundPorts", _ports),
    f"{_TRAFFIC}/includeOutboundPorts": ("includeOutboundPorts", _ports_or_all),
    f"{_TRAFFIC}/excludeOutboundPorts": ("excludeOutboundPorts", _ports),
    "prometheus.istio.io/merge-metrics": ("enablePrometheusMerge", _boolean),
    f"{_SIDECAR}/proxyCPU": ("resources.requests.cpu", _quantity),
    f"{_SIDECAR}/proxyCPULimit": ("resources.limits.cpu", _quantity),
    f"{_SIDECAR}/proxyMemory": ("resources.requests.memory", _quantity),
    f"{_SIDECAR}/proxyMemoryLimit": ("resources.limits.memory", _quantity),
    f"{_SIDECAR}/userVolume": ("userVolume", _objects),
    f"{_SIDECAR}/userVolumeMount": ("userVolumeMount", _objects),
}


def check_annotations(annotations: Mapping[str, str]) -> None:
    """Refuse values that cannot be meant.

    Raises:
        PodError: all that is wrong.
    """
    problems = list(_problems(annotations))
    if problems:
        raise PodError("; ".join(problems))


def _problems(annotations: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(annotations.keys() & _CHECKS.keys()):
        setting, check = _CHECKS[name]
        problem = check(annotations[name])
        if problem:
            yield f"annotation {name} ({setting}): {problem}"
