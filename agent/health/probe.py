"""The probe of a WorkloadGroup, as ``readinessProbe`` of the ProxyConfig brings it to the machine. Pure.

Spec: https://istio.io/latest/docs/reference/config/networking/workload-group/#ReadinessProbe
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["Check", "ExecCheck", "GrpcCheck", "HttpCheck", "Probe", "ProbeError", "TcpCheck", "Verdicts", "parse_probe"]


class ProbeError(ValueError):
    """The probe cannot be used; the text says which field and what was wanted."""


class HttpCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Well when the answer's status is 200 to 399. ``host`` is empty for the workload's own address."""

    port: int
    path: str = "/"
    host: str = ""
    tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class TcpCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Well when a connection is taken."""

    port: int
    host: str = ""


class GrpcCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Well when ``grpc.health.v1.Health`` says SERVING."""

    port: int
    service: str = ""


class ExecCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Well when the command ends with status 0; it is no shell's."""

    command: tuple[str, ...]


Check = HttpCheck | TcpCheck | GrpcCheck | ExecCheck


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and how often. Times are seconds."""

    check: Check
    initial_delay_s: float = 0.0
    timeout_s: float = 1.0
    period_s: float = 10.0
    success_threshold: int = 1
    failure_threshold: int = 1


class Verdicts:
    """Turns outcomes into changes of state: thresholds count outcomes of one kind that follow each other."""

    def __init__(self, probe: Probe) -> None:
        self._needed = {True: probe.success_threshold, False: probe.failure_threshold}
        self._state: bool | None = None  # nothing is known before the first threshold is reached
        self._last: bool | None = None
        self._count = 0

    def take(self, *, well: bool) -> bool:
        """Take an outcome; whether the state is another one now."""
        self._count = self._count + 1 if well is self._last else 1
        self._last = well
        if well is self._state or self._count < self._needed[well]:
            return False
        self._state = well
        return True


_KINDS = ("httpGet", "tcpSocket", "grpc", "exec")


def parse_probe(document: Mapping[str, Any]) -> Probe:
    """The probe; a time or threshold that is 0 or not there has its default.

    Raises:
        ProbeError: it cannot be used.
    """
    fields = _camel(document, "readinessProbe")
    kinds = [kind for kind in _KINDS if fields.get(kind) is not None]
    if len(kinds) != 1:
        found = ", ".join(kinds) or "none"
        raise ProbeError(f"readinessProbe: want exactly one of {', '.join(_KINDS)}, found {found}")
    where = f"readinessProbe.{kinds[0]}"
    probe = Probe(check=_PARSERS[kinds[0]](_camel(fields[kinds[0]], where), where))
    given = {
        name: number
        for name, number in (
            ("initial_delay_s", _number(fields, "initialDelaySeconds")),
            ("timeout_s", _number(fields, "timeoutSeconds")),
            ("period_s", _number(fields, "periodSeconds")),
            ("success_threshold", _number(fields, "successThreshold")),
            ("failure_threshold", _number(fields, "failureThreshold")),
        )
        if number
    }
    return msgspec.structs.replace(probe, **given)


def _http(fields: Mapping[str, Any], where: str) -> HttpCheck:
    scheme = str(fields.get("scheme") or "http").lower()
    if scheme not in ("http", "https"):
        raise ProbeError(f"{where}.scheme is {scheme!r}, want HTTP or HTTPS")
    path = str(fields.get("path") or "/")
    headers = fields.get("httpHeaders") or []
    if not isinstance(headers, list) or not all(isinstance(header, dict) and header.get("name") for header in headers):
        raise ProbeError(f"{where}.httpHeaders: want a list of name and value")
    return HttpCheck(
        port=_port(fields, where),
        path=path if path.startswith("/") else f"/{path}",
        host=str(fields.get("host") or ""),
        tls=scheme == "https",
        headers=tuple((str(header["name"]).lower(), str(header.get("value", ""))) for header in headers),
    )


def _tcp(fields: Mapping[str, Any], where: str) -> TcpCheck:
    return TcpCheck(port=_port(fields, where), host=str(fields.get("host") or ""))


def _grpc(fields: Mapping[str, Any], where: str) -> GrpcCheck:
    return GrpcCheck(port=_port(fields, where), service=str(fields.get("service") or ""))


def _exec(fields: Mapping[str, Any], where: str) -> ExecCheck:
    command = fields.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise ProbeError(f"{where}.command is {command!r}, want a list of words, the program first")
    return ExecCheck(command=tuple(command))


_PARSERS: Mapping[str, Callable[[Mapping[str, Any], str], Check]] = {
    "httpGet": _http,
    "tcpSocket": _tcp,
    "grpc": _grpc,
    "exec": _exec,
}


def _camel(value: Any, where: str) -> dict[str, Any]:
    """An object under its JSON names; those of the proto file are read too."""
    if not isinstance(value, Mapping):
        raise ProbeError(f"{where}: want an object, found {type(value).__name__}")
    found = {}
    for key, inner in value.items():
        first, *others = str(key).split("_")
        found[first + "".join(part.capitalize() for part in others)] = inner
    return found


def _port(fields: Mapping[str, Any], where: str) -> int:
    port = fields.get("port")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ProbeError(f"{where}.port is {port!r}, want a number from 1 to 65535")
    return port


def _number(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProbeError(f"readinessProbe.{name} is {value!r}, want a whole number that is not negative")
    return value
