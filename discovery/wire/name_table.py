"""What a name table says of ports: our own field of it, for agents that answer SRV by themselves.

Istio's table (``istio.networking.nds.v1.NameTable``) has names and addresses only. An agent says by its node metadata
``DNS_SRV`` that it wants ports too; nobody else is sent them, so that other agents get the very bytes they know. Of the
message, as protobuf would write it::

    message NameInfo {                  // Istio's fields are 1 to 5
      repeated NamedPort ports = 1500;
    }
    message NamedPort {
      string name = 1;                  // as the Service has it, in lower case; ports without a name are left out
      uint32 number = 2;
      bool udp = 3;                     // else TCP
      repeated string targets = 4;      // hosts of the table that serve it there; none: the host itself
    }
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from discovery.wire.protowire import bytes_field, fields, string_field, uint_field

__all__ = ["PORTS", "NamedPort", "encode_ports", "parse_port"]

PORTS: Final = 1500


class NamedPort(NamedTuple):
    """Where one named port of a host is served."""

    name: str
    number: int
    udp: bool = False
    targets: tuple[str, ...] = ()


def encode_ports(ports: Iterable[NamedPort]) -> bytes:
    """The field ``ports`` of a ``NameInfo``; empty for none."""
    return b"".join(bytes_field(PORTS, _encode(port)) for port in ports)


def _encode(port: NamedPort) -> bytes:
    targets: Sequence[bytes] = [bytes_field(4, target.encode()) for target in port.targets]
    return string_field(1, port.name) + uint_field(2, port.number) + uint_field(3, port.udp) + b"".join(targets)


def parse_port(data: bytes | memoryview) -> NamedPort:
    """One ``NamedPort``.

    Raises:
        ValueError: the bytes are none.
    """
    name, number, udp = "", 0, False
    targets = []
    for field, value in fields(data):
        if isinstance(value, int):
            number, udp = (value if field == 2 else number), (bool(value) if field == 3 else udp)
        elif field == 1:
            name = str(value, "utf-8")
        elif field == 4:
            targets.append(str(value, "utf-8"))
    if not 0 < number < 1 << 16:
        raise ValueError(f"malformed name table: port {number}, want 1 to 65535")
    return NamedPort(name, number, udp, tuple(targets))
