from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.workload_entry import WorkloadEntry
from tests.kit.manifests import istio


def test_a_workload_at_an_address() -> None:
    """All of its fields."""
    text = "{address: a, ports: {http: 1}, labels: {app: x}, network: n, locality: r, weight: 2, serviceAccount: s}"
    assert istio(Kind.WORKLOAD_ENTRY, text).spec == WorkloadEntry(
        address="a", ports={"http": 1}, labels={"app": "x"}, network="n", locality="r", weight=2, service_account="s"
    )
