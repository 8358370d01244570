"""The table of the application's probes: what kubelet asks the agent, and what the agent asks the application for it.

The injector moves each container's probe to the agent, for kubelet has no certificate to pass the sidecar with, and
leaves the original in ``ISTIO_KUBE_APP_PROBERS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

__all__ = ["GrpcProbe", "HttpProbe", "Probe", "ProbeTableError", "TcpProbe", "is_probe_path", "parse_probes"]

_PATH: Final = re.compile(r"/(app-health|app-lifecycle)/[^/]+/(livez|readyz|startupz|prestopz|poststartz)\Z")
_PREFIXES: Final = ("/app-health/", "/app-lifecycle/")
_IN_REQUESTS: Final = "".join(map(chr, range(0x21, 0x7F)))
_VARIABLE: Final = "ISTIO_KUBE_APP_PROBERS"


class ProbeTableError(ValueError):
    """The table cannot be used; the text says which entry and what was wanted."""


class HttpProbe(msgspec.Struct, frozen=True, kw_only=True):
    """GET this; ``timeout_s`` 0 means no limit of its own."""

    port: int
    path: str = "/"
    tls: bool = False
    timeout_s: float = 0.0


class TcpProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Connect to this."""

    port: int
    timeout_s: float = 0.0


class GrpcProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Ask ``grpc.health.v1.Health`` for a service, in plaintext."""

    port: int
    service: str = ""
    timeout_s: float = 0.0


Probe = HttpProbe | TcpProbe | GrpcProbe


def is_probe_path(path: str) -> bool:
    """Whether a path of the status server belongs to the application's probes."""
    return path.startswith(_PREFIXES)


def parse_probes(text: str) -> Mapping[str, Probe]:
    """The probes by the path that they are asked under; none for an empty text.

    Raises:
        ProbeTableError: the text is no table, or an entry is unusable.
    """
    if not text:
        return {}
    try:
        table = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ProbeTableError(f"{_VARIABLE}: no JSON: {error}") from None
    if not isinstance(table, dict):
        raise ProbeTableError(f"{_VARIABLE}: want an object of probes by path")
    return {path: _probe(path, entry) for path, entry in table.items()}


def _probe(path: str, entry: Any) -> Probe:
    where = f"{_VARIABLE}: {path}"
    if not _PATH.match(path):
        raise ProbeTableError(f"{where}: want /app-health/<container>/<livez, readyz or startupz>")
    fields = _folded(entry, where)
    kinds = [kind for kind in ("httpget", "tcpsocket", "grpc") if fields.get(kind) is not None]
    if len(kinds) != 1:
        raise ProbeTableError(f"{where}: want exactly one of httpGet, tcpSocket and grpc, found {len(kinds)}")
    target = _folded(fields[kinds[0]], where)
    port, timeout_s = _port(target.get("port"), where), _seconds(fields.get("timeoutseconds"), where)
    if kinds[0] == "tcpsocket":
        return TcpProbe(port=port, timeout_s=timeout_s)
    if kinds[0] == "grpc":
        return GrpcProbe(port=port, service=str(target.get("service") or ""), timeout_s=timeout_s)
    scheme = str(target.get("scheme") or "HTTP").upper()
    if scheme not in ("HTTP", "HTTPS"):
        raise ProbeTableError(f"{where}: scheme {scheme!r}, want HTTP or HTTPS")
    return HttpProbe(port=port, path=_request_path(target.get("path")), tls=scheme == "HTTPS", timeout_s=timeout_s)


def _request_path(value: Any) -> str:
    """As it is asked for: paths of probes are for people, with spaces and letters of all scripts."""
    path = str(value or "/").partition("#")[0]
    return quote(path if path.startswith("/") else f"/{path}", safe=_IN_REQUESTS)


def _folded(value: Any, where: str) -> dict[str, Any]:
    """An object by lower-case keys: injectors of all ages wrote ``grpc`` and ``gRPC``, and Go never minded."""
    if not isinstance(value, dict):
        raise ProbeTableError(f"{where}: want an object, found {type(value).__name__}")
    return {key.lower(): inner for key, inner in value.items()}


def _port(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise ProbeTableError(f"{where}: port {value!r}, want a number from 1 to 65535 (the injector resolves names)")
    return value


def _seconds(value: Any, where: str) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ProbeTableError(f"{where}: timeoutSeconds {value!r}, want no negative number")
    return float(value)
