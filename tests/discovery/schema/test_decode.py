from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from discovery.schema.decode import decode, decode_json
from discovery.schema.findings import Severity
from discovery.schema.kubernetes import EndpointSlice, Service
from discovery.schema.meta import EPOCH, Kind, ObjectKey, Origin
from discovery.schema.virtual_service import VirtualService
from tests.kit.manifests import decoded, one, slice_document

VIRTUAL_SERVICE = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec: {hosts: [reviews]}
"""


def test_object_has_key_defaults_and_raw() -> None:
    """Namespace, creation time and the text as written are there."""
    obj = one(VIRTUAL_SERVICE)
    assert obj.key == ObjectKey(Kind.VIRTUAL_SERVICE, "default", "reviews")
    assert obj.meta.creation_timestamp == EPOCH
    assert obj.spec == VirtualService(hosts=("reviews",))
    assert obj.raw["spec"] == {"hosts": ["reviews"]}


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_every_served_version_is_read(version: str) -> None:
    """The versions of a kind have one schema."""
    assert one(VIRTUAL_SERVICE.replace("/v1", f"/{version}")).key.kind is Kind.VIRTUAL_SERVICE


def test_other_versions_are_refused_with_the_ones_wanted() -> None:
    """An apiVersion that does not exist names those that do."""
    (finding,) = decoded(VIRTUAL_SERVICE.replace("/v1", "/v9")).findings
    assert finding.path == "apiVersion"
    assert "want networking.istio.io/v1 or" in finding.problem


def test_lists_expand() -> None:
    """Items of a List count like documents, broken ones apart from the good."""
    good = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    bad = {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": "s"}, "spec": {"egress": 1}}
    result = decode({"apiVersion": "v1", "kind": "List", "items": [good, bad]})
    assert [str(obj.key) for obj in result.objects] == ["Namespace shop"]
    assert result.broken == (ObjectKey(Kind.SIDECAR, "default", "s"),)


def test_namespace_has_its_name_label() -> None:
    """The API server adds it; files do without."""
    obj = one("{apiVersion: v1, kind: Namespace, metadata: {name: shop, namespace: odd}}")
    assert obj.key == ObjectKey(Kind.NAMESPACE, "", "shop")
    assert obj.meta.labels == {"kubernetes.io/metadata.name": "shop"}


def test_unserved_mesh_kind_is_a_warning() -> None:
    """Silently ignoring a policy would be dangerous."""
    result = decoded("{apiVersion: security.istio.io/v1, kind: FirewallPolicy, metadata: {name: deny}}")
    assert [finding.severity for finding in result.findings] == [Severity.WARNING]
    assert result.ignored == ("security.istio.io/v1 FirewallPolicy deny",)


def test_foreign_kind_is_none_of_our_business() -> None:
    """A Deployment beside its Service is no finding."""
    result = decoded("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: n}}")
    assert (result.objects, result.findings) == ((), ())
    assert result.ignored == ("apps/v1 Deployment n/d",)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{kind: Service}", "apiVersion"),
        ("{apiVersion: v1}", "kind"),
        ("[]", ""),
        ("{apiVersion: v1, kind: Service, metadata: {}}", "metadata.name"),
        ("{apiVersion: v1, kind: Service, metadata: {name: 7}}", "metadata.name"),
    ],
)
def test_documents_without_identity_are_findings(text: str, path: str) -> None:
    """Whatever lacks kind, apiVersion or name is told, not dropped."""
    (finding,) = decoded(text, origin=Origin(path="a.yaml", line=3)).findings
    assert finding.path == path
    assert str(finding).startswith("a.yaml:3: ")


def test_other_yaml_is_a_warning() -> None:
    """An OpenAPI file beside the manifests is told and ignored."""
    (finding,) = decoded("{swagger: '2.0'}").findings
    assert finding.severity is Severity.WARNING


def test_empty_document_is_nothing() -> None:
    """Two document separators in a row are legal."""
    assert decode(None).objects == ()


def test_kubernetes_errors_are_all_told() -> None:
    """The fast way stops at the first error; the slow way then finds all."""
    result = decoded("""
        apiVersion: v1
        kind: Service
        metadata: {name: web, labels: {version: 1.0}}
        spec: {ports: [{port: http}], clusterIP: 10}
    """)
    assert [finding.path for finding in result.findings] == [
        "metadata.labels.version",
        "spec.ports[0].port",
        "spec.clusterIP",
    ]
    assert result.findings[0].hint == "put it in quotes"


def test_nulls_of_kubectl_are_defaults() -> None:
    """``creationTimestamp: null`` and empty maps written as null are common."""
    obj = one("""
        apiVersion: v1
        kind: Service
        metadata: {name: web, creationTimestamp: null, labels: null}
        spec: {selector: null, ports: [{port: 80, targetPort: http, appProtocol: null}]}
    """)
    assert isinstance(obj.spec, Service)
    assert obj.spec.spec.ports[0].target_port == "http"
    assert obj.meta.creation_timestamp == EPOCH


def test_slice_from_bytes_equals_slice_from_document() -> None:
    """The fast way over JSON bytes gives the same object as the way over parsed data."""
    document = slice_document("web", endpoints=100)
    (fast,) = decode_json(Kind.ENDPOINT_SLICE, msgspec.json.encode(document)).objects
    (slow,) = decode(document).objects
    assert fast == slow
    assert isinstance(fast.spec, EndpointSlice)
    assert len(fast.spec.endpoints) == 100
    assert fast.meta.creation_timestamp == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_bytes_that_are_no_json_are_a_finding() -> None:
    """A truncated answer is reported, not raised."""
    for kind in (Kind.ENDPOINT_SLICE, Kind.SIDECAR):
        assert "want" in decode_json(kind, b'{"metadata": {').findings[0].problem


def test_broken_bytes_of_a_slice_tell_the_path() -> None:
    """A type error on the fast way is told like one on the slow way."""
    document = slice_document("web")
    document["endpoints"][0]["addresses"] = "10.0.0.1"
    (finding,) = decode_json(Kind.ENDPOINT_SLICE, msgspec.json.encode(document)).findings
    assert (finding.object, finding.path) == ("EndpointSlice shop/web-1", "endpoints[0].addresses")
