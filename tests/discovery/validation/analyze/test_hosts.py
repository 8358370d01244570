from __future__ import annotations

from discovery.validation.analyze.hosts import KnownHosts, scopes
from tests.kit.analysis import world

TEXT = """
apiVersion: v1
kind: Service
metadata: {name: a, annotations: {networking.istio.io/exportTo: "b, ."}}
spec: {ports: [{port: 80}, {port: 81}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wide}
spec: {hosts: ["*.example.com"], ports: [{number: 443, name: https}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own, namespace: b}
spec: {hosts: [api.example.com], exportTo: ["."]}
"""


def test_hosts_as_namespaces_see_them() -> None:
    """Exports are kept to; an exact name goes before a wildcard."""
    known = KnownHosts(world(TEXT))
    service = known.find("a.shop.svc.cluster.local", "b")
    assert service is not None
    assert service.ports == (80, 81)
    assert known.find("a.shop.svc.cluster.local", "shop") is not None
    assert known.find("a.shop.svc.cluster.local", "c") is None
    for namespace, name in (("b", "own"), ("c", "wide")):
        found = known.find("api.example.com", namespace)
        assert found is not None
        assert found.resource.name == name
    assert known.find("example.org") is None
    assert len(list(known)) == 3


def test_export_to() -> None:
    """Nothing written is everywhere, a dot is the own namespace."""
    assert scopes((), "n") == {"*"}
    assert scopes((".", "m"), "n") == {"n", "m"}
