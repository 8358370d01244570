"""ServiceEntries: addresses that plain ports need, and ports that two of them declare differently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from discovery.schema.service_entry import ServiceEntry
from discovery.validation.analyze.hosts import scopes
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import World

__all__ = ["addresses", "protocols"]

_PLAIN: Final = ("", "TCP")


def addresses(world: World) -> Iterator[Message]:
    """A port of plain TCP is told from others by its address, which somebody has to give."""
    metadata = world.mesh.default_config.proxy_metadata
    captured = metadata.get("ISTIO_META_DNS_CAPTURE") == "true"
    if captured and metadata.get("ISTIO_META_DNS_AUTO_ALLOCATE") == "true":
        return
    for entry in world.of("ServiceEntry"):
        spec: ServiceEntry = entry.spec
        status = entry.raw.get("status")
        allocated = captured and isinstance(status, dict) and bool(status.get("addresses"))
        if spec.addresses or allocated:
            continue
        for port in spec.ports:
            if port.protocol.upper() in _PLAIN:
                text = f"port {port.number} is plain TCP, which needs spec.addresses to be told from other services"
                yield about(Code.SERVICE_ENTRY_ADDRESSES_REQUIRED, entry, text, "write addresses, or the protocol")


def protocols(world: World) -> Iterator[Message]:
    """A port of a host speaks one protocol, whoever declares it."""
    declared: defaultdict[tuple[str, int], list[tuple[Resource, str]]] = defaultdict(list)
    for entry in world.of("ServiceEntry"):
        spec: ServiceEntry = entry.spec
        for host in dict.fromkeys(spec.hosts):
            for port in spec.ports:
                declared[host, port.number].append((entry, port.protocol.upper() or "TCP"))
    for (host, number), claims in declared.items():
        for entry, protocol in claims:
            rivals = [(r, p) for r, p in claims if r is not entry and p != protocol and _meet(entry, r)]
            if rivals:
                others = ", ".join(f"{rival.full_name} ({theirs})" for rival, theirs in rivals)
                text = f"port {number} of {host} is {protocol} here, and otherwise in {others}"
                yield about(Code.CONFLICTING_SERVICE_ENTRY_PROTOCOL, entry, text, "give it one protocol")


def _meet(one: Resource, other: Resource) -> bool:
    """Whether some namespace sees both."""
    mine, theirs = scopes(one.spec.export_to, one.namespace), scopes(other.spec.export_to, other.namespace)
    return "*" in mine or "*" in theirs or bool(mine & theirs)
