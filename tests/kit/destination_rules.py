"""DestinationRules for tests, as YAML text."""

from __future__ import annotations

from typing import Final

from discovery.registry.service import ServiceRef

__all__ = ["REVIEWS", "document"]

REVIEWS: Final = ServiceRef("reviews.shop.svc.cluster.local", "shop")


def document(
    name: str, spec: str, *, namespace: str = "shop", host: str = REVIEWS.host, created: str = "2024-01-01T00:00:00Z"
) -> str:
    """A YAML document with that host, and the rest of its spec."""
    body = "\n".join("  " + line for line in spec.strip().splitlines())
    return (
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}'}}\n"
        f"spec:\n  host: '{host}'\n{body}\n"
    )
