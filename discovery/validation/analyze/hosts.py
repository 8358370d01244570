"""Services by host name as namespaces see them: of Kubernetes and of ServiceEntries, with what they export to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from discovery.schema.service_entry import ServiceEntry
from discovery.validation.analyze.resource import Resource
from discovery.validation.analyze.world import World, matches_host

__all__ = ["KnownHost", "KnownHosts", "scopes"]

_EXPORT_TO = "networking.istio.io/exportTo"


class KnownHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that something serves."""

    host: str
    ports: tuple[int, ...]
    resource: Resource
    visible_in: frozenset[str]  # namespaces, or "*"

    def seen_from(self, namespace: str) -> bool:
        """Whether workloads of the namespace can call it."""
        return "*" in self.visible_in or namespace in self.visible_in


def scopes(export_to: Sequence[str], namespace: str) -> frozenset[str]:
    """``exportTo`` as namespaces; empty is everywhere."""
    return frozenset(namespace if target == "." else target for target in export_to or ("*",))


class KnownHosts:
    """All hosts of a world."""

    def __init__(self, world: World) -> None:
        self._exact: dict[str, list[KnownHost]] = {}
        self._wild: list[KnownHost] = []
        for known in (*_services(world), *_entries(world)):
            if known.host.startswith("*"):
                self._wild.append(known)
            self._exact.setdefault(known.host, []).append(known)

    def __iter__(self) -> Iterator[KnownHost]:
        return (known for found in self._exact.values() for known in found)

    def find(self, host: str, namespace: str | None = None) -> KnownHost | None:
        """The service of a host, as seen from a namespace (None: from anywhere); wildcards are asked last."""
        exact = self._exact.get(host, [])
        wild = (known for known in self._wild if matches_host(known.host, host))
        return next((k for k in (*exact, *wild) if namespace is None or k.seen_from(namespace)), None)


def _services(world: World) -> Iterator[KnownHost]:
    for service in world.of("Service"):
        annotations: Mapping[str, str] = service.annotations
        exported = [part.strip() for part in annotations.get(_EXPORT_TO, "").split(",") if part.strip()]
        yield KnownHost(
            host=f"{service.name}.{service.namespace}.svc.{world.domain}",
            ports=tuple(port.port for port in service.spec.spec.ports),
            resource=service,
            visible_in=scopes(exported, service.namespace),
        )


def _entries(world: World) -> Iterator[KnownHost]:
    for entry in world.of("ServiceEntry"):
        spec: ServiceEntry = entry.spec
        for host in spec.hosts:
            yield KnownHost(
                host=host,
                ports=tuple(port.number for port in spec.ports),
                resource=entry,
                visible_in=scopes(spec.export_to, entry.namespace),
            )
