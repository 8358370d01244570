"""Roots that workloads trust besides those of their CA (PCDS): the mesh configuration's ``caCertificates``."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.store.cells import MESH
from discovery.translate.tables import Index, ResourceRef
from discovery.wire.protowire import fields, string_field
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import PROXY_CONFIG

__all__ = ["read_trust_anchors", "trust_anchor_index", "trust_anchors"]

_CA_CERTIFICATES_PEM = 34  # of istio.mesh.v1alpha1.ProxyConfig
_NAME = ""


@query
def trust_anchors(db: Database, _: None) -> Resource:
    """The same for all proxies; also when there are none, for only so do those that were told some hear of it.

    Roots for some trust domains or signers alone are left out: an agent trusts what it is told for all.
    """
    named = (root for root in MESH(db, None).ca_certificates if not root.trust_domains and not root.cert_signers)
    value = b"".join(string_field(_CA_CERTIFICATES_PEM, root.pem) for root in named if root.pem)
    return Resource(_NAME, content_version(value), PROXY_CONFIG, value)


@query
def trust_anchor_index(db: Database, _: None) -> Index:
    """One resource without a name."""
    del db
    return {_NAME: ResourceRef(trust_anchors, None)}


def read_trust_anchors(value: bytes) -> list[str]:
    """The roots of such a resource, for people. Raises: ValueError: the bytes are no message."""
    pems = (data for number, data in fields(value) if number == _CA_CERTIFICATES_PEM)
    return [str(data, "utf-8", "replace") for data in pems if not isinstance(data, int)]
