"""Rules that fields of many kinds share: ports, durations, percentages, host names, labels.

Each check gives problems, so that all that is wrong with an object is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from discovery.schema.addresses import is_address
from discovery.schema.findings import Severity
from discovery.schema.proto_json import Problem
from discovery.schema.selector import PolicySelector, WorkloadSelector

__all__ = [
    "check_address",
    "check_duration",
    "check_export_to",
    "check_host",
    "check_labels",
    "check_one_line",
    "check_percent",
    "check_port",
    "check_selector",
    "error",
    "is_label",
    "warning",
]

_MILLISECOND: Final = timedelta(milliseconds=1)
_LONGEST: Final = timedelta(seconds=2**63 // 10**9)  # Envoy counts nanoseconds in 64 bits
_LABEL: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?\Z")
_BREAKS: Final = re.compile(r"[\x00\r\n]")
_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_PART: Final = r"[A-Za-z0-9_](?:[-A-Za-z0-9_]*[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"(?:\*\.?)?{_PART}(?:\.{_PART})*\.?\Z")
_ADDRESS: Final = re.compile(r"[0-9a-fA-F:.%]+\Z")


def error(path: str, text: str, hint: str = "") -> Problem:
    """A reason not to use the object."""
    return Problem(path, text, hint)


def warning(path: str, text: str, hint: str = "") -> Problem:
    """The object is used, though perhaps not as meant."""
    return Problem(path, text, hint, Severity.WARNING)


def is_label(text: str) -> bool:
    """Whether ``text`` is a DNS label (RFC 1123), in any case."""
    return _LABEL.match(text) is not None


def check_host(host: str, at: str, *, wildcard: bool = True) -> Iterator[Problem]:
    """A host name of at most 255 characters, ``*`` or one that begins with ``*``, or an IP address."""
    if host == "*" and not wildcard:
        yield error(at, "want the name of a host, got the wildcard '*'", "name the host")
    elif host.startswith("*") and not wildcard:
        yield error(at, f"want a host without wildcard, got {host!r}")
    elif host != "*" and (len(host) > 255 or not (_HOST.match(host) or (":" in host and _ADDRESS.match(host)))):
        yield error(at, f"want a host name such as reviews.shop.svc.cluster.local, got {host!r}")


def check_port(number: int, at: str) -> Iterator[Problem]:
    """1 to 65535."""
    if not 0 < number < 65536:
        yield error(at, f"want a port from 1 to 65535, got {number}")


def check_duration(value: timedelta | None, at: str) -> Iterator[Problem]:
    """At least a millisecond and no part of one, where one is given."""
    if value is None:
        return
    if value < _MILLISECOND:
        yield error(at, f"want at least 1ms, got {value.total_seconds():g}s")
    elif value % _MILLISECOND:
        yield error(at, f"want whole milliseconds, got {value.total_seconds():.9g}s")
    elif value > _LONGEST:
        yield error(at, f"want at most {_LONGEST.total_seconds():.0f}s, got {value.total_seconds():.0f}s")


def check_percent(value: float | None, at: str) -> Iterator[Problem]:
    """From 0 to 100, where one is given; 0.0001 is the least that Envoy can tell from 0."""
    if value is not None and value != 0 and not 0.0001 <= value <= 100:
        yield error(at, f"want a percentage of 0 or from 0.0001 to 100, got {value:g}")


def check_export_to(values: Sequence[str], at: str, *, none_allowed: bool = False) -> Iterator[Problem]:
    """``.``, ``*``, ``~`` or namespaces, each once; ``*`` and ``~`` only by themselves."""
    if len(set(values)) < len(values):
        yield error(at, "the same namespace is there twice", "keep one of them")
    alone = "*" if "*" in values else "~" if "~" in values else ""
    if alone and len(values) > 1:
        yield error(at, f"{alone!r} does not go with other namespaces", "remove it or the others")
    if "~" in values and not none_allowed:
        yield error(at, "'~' (nobody) is not possible for this kind")
    for i, value in enumerate(values):
        if value not in (".", "*", "~") and not is_label(value):
            yield error(f"{at}[{i}]", f"want a namespace, '.' or '*', got {value!r}")


def check_labels(labels: Mapping[str, str], at: str) -> Iterator[Problem]:
    """Names and values as Kubernetes has them: 63 letters, digits, ``-``, ``_`` and ``.``, names perhaps with a domain.

    Spec: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    for key, value in labels.items():
        domain, slash, name = key.rpartition("/")
        if not _LABEL_NAME.match(name) or (slash and not _HOST.match(domain)):
            yield error(at, f"want the name of a label, got {key!r}")
        if value and not _LABEL_NAME.match(value):
            yield error(at, f"want the value of a label for {key}, got {value!r}")


def check_address(address: str, at: str) -> Iterator[Problem]:
    """An IP address."""
    if not is_address(address):
        yield error(at, f"want an IP address, got {address!r}")


def check_one_line(text: str, at: str) -> Iterator[Problem]:
    """Nothing that ends a line of a message: Envoy would refuse all routes of the port for it."""
    if _BREAKS.search(text):
        yield error(at, f"want a text without line breaks, got {text[:40]!r}")


def check_selector(selector: WorkloadSelector | PolicySelector | None, at: str) -> Iterator[Problem]:
    """Labels are compared as they are: no wildcards, no empty names."""
    if selector is None:
        return
    wanted: Mapping[str, str] = selector.wanted
    for key, value in wanted.items():
        if not key:
            yield error(at, "a label has an empty name")
        if "*" in key or "*" in value:
            yield error(at, f"want a label as it is, got the wildcard {key}={value}")
