from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.mesh import Mesh, MeshDirectory, Shape

SMALL = Mesh(services=3, endpoints=2, policies=1, elsewhere=1)


def documents(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """All objects by kind and name."""
    found = {}
    for path in sorted(root.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found[document["kind"], document["metadata"]["name"]] = document
    return found


def edited(root: Path, before: dict[tuple[str, str], dict[str, Any]]) -> list[tuple[str, str]]:
    """Objects that are new or different."""
    return [key for key, document in documents(root).items() if before.get(key) != document]


@pytest.fixture
def directory(tmp_path: Path) -> MeshDirectory:
    """A small mesh of Kubernetes objects, written."""
    directory = MeshDirectory(tmp_path, SMALL)
    directory.write()
    return directory


def test_every_service_has_an_address_and_its_endpoints(directory: MeshDirectory) -> None:
    """Kubernetes: a Service with a ClusterIP, and an EndpointSlice that belongs to it."""
    objects = documents(directory.root)
    vips, addresses = set(), set()
    for (kind, name), document in objects.items():
        if kind == "Service":
            part = objects["EndpointSlice", f"{name}-1"]
            assert part["metadata"]["labels"]["kubernetes.io/service-name"] == name
            vips.add(ip_address(document["spec"]["clusterIP"]))
            addresses |= {endpoint["addresses"][0] for endpoint in part["endpoints"]}
    assert (len(vips), len(addresses)) == (4, 8)


def test_service_entries_say_the_same(tmp_path: Path) -> None:
    """The other shape has the same hosts and addresses, for control planes that read only Istio's kinds."""
    MeshDirectory(tmp_path, Mesh(services=2, endpoints=2, policies=0, elsewhere=0, shape=Shape.SERVICE_ENTRY)).write()
    entry = documents(tmp_path)["ServiceEntry", "svc-00001"]["spec"]
    assert entry["hosts"] == ["svc-00001.bench.svc.cluster.local"]
    assert [endpoint["address"] for endpoint in entry["endpoints"]] == ["10.16.0.3", "10.16.0.4"]


@pytest.mark.parametrize(
    ("edit", "kinds"),
    [
        ("change_endpoint", ["EndpointSlice"]),
        ("change_virtual_service", ["VirtualService"]),
        ("add_service", ["EndpointSlice", "Service"]),
        ("change_elsewhere", ["EndpointSlice"]),
    ],
)
def test_an_edit_touches_only_what_it_names(directory: MeshDirectory, edit: str, kinds: list[str]) -> None:
    """Each edit changes one object (a new service brings its endpoints), every time it is made."""
    for _ in range(3):
        before = documents(directory.root)
        getattr(directory, edit)()
        assert [kind for kind, _ in edited(directory.root, before)] == kinds
    assert not list(directory.root.rglob("*.new"))


def test_elsewhere_is_out_of_sight(directory: MeshDirectory) -> None:
    """A change elsewhere is in a namespace that exports nothing."""
    before = documents(directory.root)
    directory.change_elsewhere()
    ((kind, name),) = edited(directory.root, before)
    service = documents(directory.root)["Service", name.removesuffix("-1")]
    assert (kind, service["metadata"]["namespace"]) == ("EndpointSlice", "elsewhere")
    assert service["metadata"]["annotations"] == {"networking.istio.io/exportTo": "."}
