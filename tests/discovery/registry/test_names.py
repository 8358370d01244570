from __future__ import annotations

from discovery.registry.names import addresses_of, hosts_of
from discovery.schema.decode import decode
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, one, slice_document


def test_hosts() -> None:
    """Services and ServiceEntries declare host names, in lower case; other kinds none."""
    service = one("{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}")
    assert hosts_of(service, "d.local") == {"web.shop.svc.d.local"}
    assert hosts_of(istio(Kind.SERVICE_ENTRY, "{hosts: [A.b, '*.C']}"), "d") == {"a.b", "*.c"}
    assert hosts_of(istio(Kind.VIRTUAL_SERVICE, "{hosts: [a]}"), "d") == frozenset()


def test_addresses() -> None:
    """Slices, pods, workload entries and inline endpoints put something at an address."""
    document = slice_document("web", endpoints=2)
    pod = one("{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}}")
    assert addresses_of(decode(document).objects[0]) == {"10.0.0.1", "10.0.0.2"}
    assert addresses_of(decode({**document, "addressType": "FQDN"}).objects[0]) == frozenset()
    assert addresses_of(pod) == {"10.0.0.1"}
    assert addresses_of(istio(Kind.WORKLOAD_ENTRY, "{address: 10.0.0.3}")) == {"10.0.0.3"}
    assert addresses_of(istio(Kind.SERVICE_ENTRY, "{hosts: [a], endpoints: [{address: x.y}]}")) == {"x.y"}
    assert addresses_of(istio(Kind.VIRTUAL_SERVICE, "{hosts: [a]}")) == frozenset()
