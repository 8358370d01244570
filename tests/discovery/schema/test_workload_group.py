"""WorkloadGroup as users write it."""

from __future__ import annotations

from typing import Any

from discovery.schema.decode import decode
from discovery.schema.meta import Kind
from discovery.schema.workload_group import HttpProbe, ReadinessProbe, WorkloadGroup


def _decoded(spec: dict[str, Any]) -> Any:
    head = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup"}
    return decode({**head, "metadata": {"name": "vm", "namespace": "shop"}, "spec": spec})


def test_a_group_is_read_with_template_and_probe() -> None:
    """All parts, typed."""
    spec = {
        "metadata": {"labels": {"app": "vm"}},
        "template": {"serviceAccount": "vm", "ports": {"http": 8080}},
        "probe": {"periodSeconds": 5, "httpGet": {"port": 8080}},
    }
    (group,) = _decoded(spec).objects
    assert group.key.kind is Kind.WORKLOAD_GROUP
    assert isinstance(group.spec, WorkloadGroup)
    assert group.spec.template is not None
    assert group.spec.template.ports == {"http": 8080}
    assert group.spec.probe == ReadinessProbe(period_seconds=5, http_get=HttpProbe(port=8080))


def test_a_probe_has_one_way_to_look() -> None:
    """Two are a mistake that is told."""
    decoded = _decoded({"probe": {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}}})
    assert not decoded.objects
    assert "spec.probe" in str(decoded.findings[0])
