"""How much there is, under the names that dashboards of istiod know; counted when metrics are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric

from discovery.engine import Database
from discovery.schema.meta import Kind
from discovery.store.cells import NAMES, NAMESPACES, InNamespace

__all__ = ["StoreGauges"]


class StoreGauges:
    """A collector on a registry passed in. It walks namespaces, not objects."""

    def __init__(self, db: Database, registry: CollectorRegistry) -> None:
        self._db = db
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        for name, text, kinds in (
            ("pilot_services", "Services and ServiceEntries.", (Kind.SERVICE, Kind.SERVICE_ENTRY)),
            ("pilot_virt_services", "VirtualServices.", (Kind.VIRTUAL_SERVICE,)),
        ):
            metric = Metric(name, text, "gauge")
            metric.add_sample(name, {}, sum(map(self._count, kinds)))
            yield metric

    def _count(self, kind: Kind) -> int:
        return sum(len(NAMES(self._db, InNamespace(kind, place))) for place in NAMESPACES(self._db, kind))
