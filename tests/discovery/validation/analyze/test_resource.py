from __future__ import annotations

from discovery.schema.findings import Finding
from discovery.schema.gateway import Gateway
from discovery.schema.gateway_api.gateway import KubernetesGateway
from discovery.schema.meta import Origin
from discovery.schema.virtual_service import VirtualService
from discovery.validation.analyze.resource import Resource, read_resources

HERE = Origin("d", "f.yaml", 1)


def _read(document: object, namespace: str = "") -> list[Resource | Finding]:
    return list(read_resources(document, origin=HERE, namespace=namespace))


def test_an_object_that_breaks_rules_is_read_all_the_same() -> None:
    """What can be read is there; defaults stand for the rest."""
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a", "labels": None},
        "spec": {"hosts": ["a"], "http": [{"route": [{}, {"destination": {"host": 1}}], "timeout": "soon"}]},
    }
    (resource,) = _read(document, namespace="shop")
    assert isinstance(resource, Resource)
    assert str(resource) == "VirtualService shop/a"
    assert isinstance(resource.spec, VirtualService)
    assert [target.destination and target.destination.host for target in resource.spec.http[0].route] == [None, ""]


def test_two_kinds_of_gateway_and_kinds_of_no_use() -> None:
    """The group tells them apart; what nobody looks into keeps its text only."""
    items = [
        {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "a", "namespace": "n"}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "a", "namespace": "n"}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}},
    ]
    found = [
        entry for entry in _read({"kind": "List", "items": items}, namespace="shop") if isinstance(entry, Resource)
    ]
    assert [type(resource.spec) for resource in found] == [Gateway, KubernetesGateway, type(None), type(None)]
    assert [resource.full_name for resource in found] == ["n/a", "n/a", "shop/a", "a"]


def test_what_is_no_object_is_told() -> None:
    """An empty document is nothing, a list of texts is a finding."""
    assert _read(None) == []
    (finding,) = _read(["a"])
    assert isinstance(finding, Finding)
