"""The name table as the control plane sends it.

Spec: ``istio.networking.nds.v1.NameTable``, a map of host names to ``NameInfo``; ports: ``discovery.wire.name_table``
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from discovery.wire.name_table import PORTS, NamedPort, parse_port
from discovery.wire.protowire import fields

__all__ = ["NameInfo", "parse_name_table"]


class NameInfo(NamedTuple):
    """One host name and what is known of it."""

    host: str
    ips: tuple[str, ...] = ()
    registry: str = ""
    short_name: str = ""
    namespace: str = ""
    alt_hosts: tuple[str, ...] = ()
    ports: tuple[NamedPort, ...] = ()


# Most hosts have the ports of many others; each set is held once.
_PortSets = dict[bytes, tuple[NamedPort, ...]]


def parse_name_table(data: bytes) -> Iterator[NameInfo]:
    """The entries, one by one as they are read.

    Raises:
        ValueError: the bytes are no name table; what was given before it is then void.
    """
    port_sets: _PortSets = {}
    for number, value in fields(data):
        if number == 1:
            yield _entry(_bytes(value, "table"), port_sets)


def _entry(data: memoryview, port_sets: _PortSets) -> NameInfo:
    host, info = "", NameInfo("")
    for number, value in fields(data):
        if number == 1:
            host = _text(value, "host name")
        elif number == 2:
            info = _info(_bytes(value, "NameInfo"), port_sets)
    return info._replace(host=host)


def _info(data: memoryview, port_sets: _PortSets) -> NameInfo:
    ips: list[str] = []
    others: list[str] = []
    ports: list[memoryview] = []
    texts = {2: "", 3: "", 4: ""}
    for number, value in fields(data):
        if number == 1:
            ips.append(_text(value, "ips"))
        elif number == 5:
            others.append(_text(value, "alt_hosts"))
        elif number in texts:
            texts[number] = _text(value, "NameInfo")
        elif number == PORTS:
            ports.append(_bytes(value, "ports"))
    found = _ports(ports, port_sets) if ports else ()
    return NameInfo("", tuple(ips), texts[2], texts[3], texts[4], tuple(others), found)


def _ports(parts: list[memoryview], port_sets: _PortSets) -> tuple[NamedPort, ...]:
    key = b"".join(len(part).to_bytes(4) + part for part in parts)
    found = port_sets.get(key)
    if found is None:
        found = port_sets[key] = tuple(map(parse_port, parts))
    return found


def _text(value: int | memoryview, what: str) -> str:
    return str(_bytes(value, what), "utf-8")


def _bytes(value: int | memoryview, what: str) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"malformed name table: {what} is a number, want a string or message")
    return value
