"""The name table (NDS) as data. It is the one type we serve that has no generated class.

Spec: istio/istio pkg/dns/proto/nds.proto
"""

from __future__ import annotations

from typing import Any, Final

from discovery.wire.name_table import PORTS, NamedPort, parse_port
from discovery.wire.protowire import fields

__all__ = ["read_name_table"]

_IPS: Final = 1
_TEXTS: Final = {2: "registry", 3: "shortname", 4: "namespace"}


def read_name_table(value: bytes) -> dict[str, Any]:
    """``{"table": {host: {ips, registry, shortname, namespace, ports}}}``, empty fields left out.

    Raises:
        ValueError: the bytes are no message.
    """
    table: dict[str, Any] = {}
    for number, entry in fields(value):
        if number == 1 and not isinstance(entry, int):
            parts = {n: v for n, v in fields(entry) if not isinstance(v, int)}
            table[_text(parts.get(1, memoryview(b"")))] = _info(parts.get(2, memoryview(b"")))
    return {"table": table}


def _info(value: memoryview) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for number, item in fields(value):
        if isinstance(item, int):
            continue
        if number == _IPS:
            info.setdefault("ips", []).append(_text(item))
        elif number in _TEXTS:
            info[_TEXTS[number]] = _text(item)
        elif number == PORTS:
            info.setdefault("ports", []).append(_port(parse_port(item)))
    return info


def _port(port: NamedPort) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": port.name, "number": port.number, "protocol": "UDP" if port.udp else "TCP"}
    return {**shown, "targets": list(port.targets)} if port.targets else shown


def _text(value: memoryview) -> str:
    return str(value, "utf-8")
