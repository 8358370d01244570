"""What is counted about WorkloadEntries, under the names that operators of istiod know."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.runtime.metrics import PlainCounter

__all__ = ["WorkloadEntryMetrics"]


class WorkloadEntryMetrics:
    """On a registry passed in."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        def counter(name: str, text: str) -> PlainCounter:
            return PlainCounter(name, text, registry=registry)

        self.registrations = counter("auto_registration_success_total", "Proxies that were registered.")
        self.updates = counter("auto_registration_updates_total", "Writes to a WorkloadEntry that was there.")
        self.unregistrations = counter("auto_registration_unregister_total", "Registered proxies that left.")
        self.deletions = counter("auto_registration_deletes_total", "WorkloadEntries deleted after their proxy left.")
        self.errors = counter("auto_registration_errors_total", "Registrations refused, and writes that failed.")
