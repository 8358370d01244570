"""Names of protocols as ports have them, in any case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.validation.fields import error

__all__ = ["HTTP_PROTOCOLS", "TLS_PROTOCOLS", "check_protocol", "is_protocol"]

HTTP_PROTOCOLS: Final = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})
TLS_PROTOCOLS: Final = frozenset({"HTTPS", "TLS"})
_KNOWN: Final = (
    HTTP_PROTOCOLS | TLS_PROTOCOLS | {"TCP", "UDP", "HTTP_PROXY", "MONGO", "REDIS", "MYSQL", "HBONE", "DOUBLEHBONE"}
)


def is_protocol(name: str) -> bool:
    """Whether that is the name of one."""
    return name.upper() in _KNOWN


def check_protocol(protocol: str, at: str) -> Iterator[Problem]:
    """A known one."""
    if not is_protocol(protocol):
        yield error(at, f"want a protocol such as HTTP, HTTPS, GRPC, TCP or TLS, got {protocol!r}")
