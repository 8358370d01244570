from __future__ import annotations

from typing import Any

import msgspec

from discovery.registry.from_kubernetes import service_from_kubernetes
from discovery.registry.service import Port, Protocol, Registry, Resolution, Service, ServiceRef
from discovery.schema.decode import decode
from discovery.schema.meta import Object


def kubernetes(spec: dict[str, Any], **metadata: Any) -> Object:
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": {"ports": [{"name": "http", "port": 80}], **spec},
    }
    return decode(document).objects[0]


def convert(spec: dict[str, Any], **metadata: Any) -> Service:
    return service_from_kubernetes(kubernetes(spec, **metadata), domain="cluster.local")


def test_a_plain_service() -> None:
    """Host, address, ports, selector and export; the object it came from is named."""
    service = convert({"clusterIP": "10.1.1.1", "selector": {"app": "web"}}, labels={"team": "a"})
    assert service.ref == ServiceRef("web.shop.svc.cluster.local", "shop")
    assert service.registry is Registry.KUBERNETES
    assert service.ports == (Port("http", 80, Protocol.HTTP),)
    assert service.resolution is Resolution.CLIENT_SIDE_LB
    assert service.addresses == ("10.1.1.1",)
    assert (service.selector, service.labels) == ({"app": "web"}, {"team": "a"})
    assert service.export_to == frozenset()
    assert str(service.source) == "Service shop/web"
    assert not service.external


def test_dual_stack_has_all_addresses() -> None:
    """clusterIPs count, clusterIP is its first."""
    assert convert({"clusterIP": "10.1.1.1", "clusterIPs": ["10.1.1.1", "fd00::1"]}).addresses == (
        "10.1.1.1",
        "fd00::1",
    )


def test_headless_goes_where_the_client_says() -> None:
    """clusterIP None: no virtual address, original destination."""
    for spec in ({"clusterIP": "None"}, {"clusterIP": "None", "clusterIPs": ["None"]}):
        service = convert(spec)
        assert (service.headless, service.addresses, service.resolution) == (True, (), Resolution.PASSTHROUGH)


def test_service_from_a_file_has_no_address() -> None:
    """Nobody allocates one; it is still balanced over its endpoints."""
    service = convert({})
    assert (service.headless, service.addresses, service.resolution) == (False, (), Resolution.CLIENT_SIDE_LB)


def test_external_name_is_an_alias() -> None:
    """It stands for another host, outside unless the mesh knows it."""
    service = convert({"type": "ExternalName", "externalName": "Example.ORG."})
    assert (service.resolution, service.alias_of, service.external) == (Resolution.ALIAS, "example.org", True)


def test_annotations_and_switches() -> None:
    """exportTo, declared identities, local traffic and distribution."""
    service = convert(
        {"internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose", "publishNotReadyAddresses": True},
        annotations={
            "networking.istio.io/exportTo": "., bank",
            "alpha.istio.io/canonical-serviceaccounts": "spiffe://x/y",
            "alpha.istio.io/kubernetes-serviceaccounts": "web",
        },
    )
    assert service.export_to == {".", "bank"}
    assert service.service_accounts == ("spiffe://x/y", "spiffe://cluster.local/ns/shop/sa/web")
    assert service.node_local
    assert service.publish_not_ready
    assert service.traffic_distribution == "PreferSameZone"


def test_traffic_distribution_of_the_namespace() -> None:
    """The service's own annotation wins over its namespace's."""
    key = "networking.istio.io/traffic-distribution"
    given = {key: "PreferSameNode"}
    inherited = service_from_kubernetes(kubernetes({}), domain="d", namespace_annotations=given)
    own = service_from_kubernetes(
        kubernetes({}, annotations={key: "PreferClose"}), domain="d", namespace_annotations=given
    )
    assert (inherited.traffic_distribution, own.traffic_distribution) == ("PreferSameNode", "PreferSameZone")


def test_conversion_leaves_its_input_alone() -> None:
    """What goes in is equal to its copy afterwards."""
    obj = kubernetes({"clusterIP": "10.1.1.1"}, labels={"a": "b"})
    copy = msgspec.convert(msgspec.to_builtins(obj.spec), type(obj.spec))
    service_from_kubernetes(obj, domain="cluster.local")
    assert obj.spec == copy
