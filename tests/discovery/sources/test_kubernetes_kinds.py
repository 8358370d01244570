"""Which resources are read for which kind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from discovery.kube.resources import Resource
from discovery.schema.kinds import GATEWAY_API, KINDS
from discovery.schema.meta import Kind
from discovery.sources.kubernetes_kinds import ResourceFilter, decode_definition, resources_of, unread
from tests.kit.kube_cluster import crds, gateway_api_crds


def raw(kind: str = "Sidecar", group: str = "networking.istio.io", **served: bool) -> bytes:
    """A CRD with some versions."""
    versions: list[dict[str, Any]] = [
        {"name": name, "served": is_served, "schema": {}} for name, is_served in served.items()
    ]
    names = {"plural": f"{kind.lower()}s", "kind": kind, "listKind": f"{kind}List"}
    return msgspec.json.encode({"spec": {"group": group, "names": names, "scope": "Namespaced", "versions": versions}})


def test_the_best_served_version_is_read() -> None:
    """Whatever order the CRD has them in."""
    found = decode_definition(raw(v1alpha3=True, v1beta1=True, v1=False))
    assert found is not None
    assert found.info is not None
    assert (found.info.kind, found.resource) == (
        Kind.SIDECAR,
        Resource("networking.istio.io", "v1beta1", "sidecars"),
    )


@pytest.mark.parametrize(
    "text",
    [
        raw("Other", "example.org", v1=True),
        raw(group="example.org", v1=True),
        raw(v1=False),
        raw("Service", "", v1=True),
    ],
)
def test_crds_that_are_none_of_our_business(text: bytes) -> None:
    """Other groups, whatever the kind, and what is not served; and nobody can replace Kubernetes' own kinds."""
    assert decode_definition(text) is None


def test_what_is_meant_for_a_mesh_and_not_read_is_told() -> None:
    """Kinds and versions that we do not know, by group; they are not read."""
    api = "gateway.networking.x-k8s.io"
    texts = (raw("XBackend", api, v1=True), raw("XMesh", api, v1=True), raw(v9=True), raw("Gateway", v1=True))
    found = [definition for text in texts if (definition := decode_definition(text)) is not None]
    assert list(resources_of(found, ResourceFilter())) == [Kind.GATEWAY]
    gateway_api, istio = unread(found)
    assert "XBackend, XMesh can be created" in str(gateway_api)
    assert "Sidecar can be created" in str(istio)


def test_every_kind_is_read_from_somewhere() -> None:
    """Kubernetes' own resources and the CRDs of the base chart cover all kinds of the mesh, at their best version."""
    definitions = [decode_definition(msgspec.json.encode(crd)) for crd in crds()]
    found = resources_of([definition for definition in definitions if definition], ResourceFilter())
    wanted = {info.kind: info for info in KINDS.values() if info.group.endswith("istio.io")}
    assert found.keys() == wanted.keys()
    assert all(resource.version == wanted[kind].versions[0] for kind, resource in found.items())


@pytest.mark.parametrize(
    ("ignored", "included", "wanted"),
    [
        ((), (), True),
        (("sidecars.networking.istio.io",), (), False),
        (("gateways.networking.istio.io",), (), True),
        (("*.istio.io",), (), False),
        (("*.networking.istio.io",), (), False),
        (("*.security.istio.io",), (), True),
        (("*.istio.io",), ("sidecars.networking.istio.io",), True),
    ],
)
def test_filters(ignored: tuple[str, ...], included: tuple[str, ...], *, wanted: bool) -> None:
    """Names and whole groups, with exceptions."""
    found = decode_definition(raw(v1=True))
    assert found is not None
    assert bool(resources_of([found], ResourceFilter(ignored, included))) is wanted


def test_kinds_of_the_gateway_api_are_read_where_they_are_installed() -> None:
    """Each by its own name and at its best version; Gateways of both groups."""
    installed = [decode_definition(msgspec.json.encode(crd)) for crd in (*gateway_api_crds(), *crds("gateways"))]
    definitions = [definition for definition in installed if definition is not None]
    found = resources_of(definitions, ResourceFilter())
    assert found.keys() == GATEWAY_API | {Kind.GATEWAY}
    assert str(found[Kind.KUBERNETES_GATEWAY]) == "gateways.gateway.networking.k8s.io"
    assert str(found[Kind.GATEWAY]) == "gateways.networking.istio.io"
    assert [kind for kind in GATEWAY_API if not found[kind].namespaced] == [Kind.GATEWAY_CLASS]
    assert all(found[kind].version == KINDS[kind].versions[0] for kind in GATEWAY_API)
    assert list(unread(definitions)) == []


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        (ResourceFilter(("httproutes.gateway.networking.k8s.io",)), GATEWAY_API - {Kind.HTTP_ROUTE}),
        (
            ResourceFilter(("*.gateway.networking.k8s.io",), ("httproutes.gateway.networking.k8s.io",)),
            {Kind.HTTP_ROUTE},
        ),
        (ResourceFilter(("*.istio.io",)), GATEWAY_API),
        (ResourceFilter((), ("*.k8s.io",), gateway_api=False), set()),
    ],
)
def test_which_of_the_gateway_api_are_read(wanted: ResourceFilter, read: set[Kind]) -> None:
    """By name, by group, or none at all (``PILOT_ENABLE_GATEWAY_API=false``)."""
    definitions = [decode_definition(msgspec.json.encode(crd)) for crd in gateway_api_crds()]
    assert resources_of([definition for definition in definitions if definition], wanted).keys() == read
