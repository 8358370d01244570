"""Where the application tells its own metrics: what the injector found in the pod's annotations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec

__all__ = ["RESERVED_PORTS", "ScrapeTarget", "ScrapeTargetError", "parse_scrape_targets"]

_VARIABLE: Final = "ISTIO_PROMETHEUS_ANNOTATIONS"

# Of the agent and its Envoy: scraping them would be going in circles.
RESERVED_PORTS: Final = frozenset({15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090})


class ScrapeTargetError(ValueError):
    """The application's metrics cannot be merged as told; the text says what is wrong."""


class ScrapeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the application, and the path of its metrics, a query included."""

    port: int
    path: str


def parse_scrape_targets(text: str, *, reserved: Collection[int]) -> tuple[ScrapeTarget, ...]:
    """The targets in order; none for an empty text, or if scraping was declined.

    Args:
        text: ``{"scrape", "path", "port", "targets": [{"port", "path"}]}``, all of them texts.
        reserved: ports that are the agent's own besides the usual ones.

    Raises:
        ScrapeTargetError: the text or a port is unusable.
    """
    if not text:
        return ()
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ScrapeTargetError(f"{_VARIABLE}: no JSON: {error}") from None
    if not isinstance(document, dict):
        raise ScrapeTargetError(f"{_VARIABLE}: want an object")
    fields = {key.lower(): value for key, value in document.items()}
    if str(fields.get("scrape", "")).lower() == "false":
        return ()
    listed = fields.get("targets") or ()
    if not isinstance(listed, list | tuple) or not all(isinstance(entry, dict) for entry in listed):
        raise ScrapeTargetError(f"{_VARIABLE}: targets: want a list of objects with port and path")
    entries = listed or ({"port": fields.get("port"), "path": fields.get("path")},)
    taken = RESERVED_PORTS | set(reserved)
    return tuple(dict.fromkeys(_target(entry, taken) for entry in entries))


def _target(entry: dict[str, Any], reserved: Collection[int]) -> ScrapeTarget:
    port_text, path = str(entry.get("port") or "80"), str(entry.get("path") or "/metrics")
    port = int(port_text) if port_text.isascii() and port_text.isdecimal() else 0
    if not 0 < port < 65536:
        raise ScrapeTargetError(f"{_VARIABLE}: port {port_text!r}, want a number from 1 to 65535")
    if port in reserved:
        raise ScrapeTargetError(
            f"{_VARIABLE}: port {port} is the agent's or its Envoy's; want the application's (prometheus.io/port)"
        )
    return ScrapeTarget(port=port, path=path if path.startswith("/") else f"/{path}")
