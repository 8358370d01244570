"""Roots of other authorities, as agents are told."""

from __future__ import annotations

from discovery.schema.mesh_config import CertificateData, MeshConfig
from discovery.translate.trust_anchors import read_trust_anchors, trust_anchor_index, trust_anchors
from discovery.wire.protowire import fields
from discovery.wire.type_urls import PROXY_CONFIG
from tests.kit.mesh_db import MeshDb


def told(*roots: CertificateData) -> list[tuple[int, bytes]]:
    """Fields of the ProxyConfig."""
    db = MeshDb(mesh=MeshConfig(ca_certificates=roots)).db
    ((name, ref),) = trust_anchor_index(db, None).items()
    resource = ref.query(db, ref.key)
    assert resource is not None
    assert (name, resource.name, resource.type_url) == ("", "", PROXY_CONFIG)
    return [(number, bytes(value)) for number, value in fields(resource.value) if not isinstance(value, int)]


def test_roots_are_told() -> None:
    """In their order; those by address, and those for some trust domains, are not for everybody."""
    roots = (
        CertificateData(pem="one"),
        CertificateData(spiffe_bundle_url="https://x"),
        CertificateData(pem="other", trust_domains=("other.example",)),
        CertificateData(pem="two"),
    )
    assert told(*roots) == [(34, b"one"), (34, b"two")]
    assert read_trust_anchors(trust_anchors(MeshDb(mesh=MeshConfig(ca_certificates=roots)).db, None).value) == [
        "one",
        "two",
    ]


def test_none_is_an_answer() -> None:
    """An empty message: who was told some before, forgets them."""
    assert told() == []
    db = MeshDb().db
    assert trust_anchors(db, None).value == b""
