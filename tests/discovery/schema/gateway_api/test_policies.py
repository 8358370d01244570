from __future__ import annotations

import pytest

from discovery.schema.gateway_api.policies import BackendTLSPolicy, ReferenceGrant, ReferenceGrantFrom, ReferenceGrantTo
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places


def test_who_may_refer_to_what() -> None:
    """The core group is an empty text; no name means every object of the kind."""
    spec = istio(
        Kind.REFERENCE_GRANT,
        """
        from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: edge}]
        to: [{group: "", kind: Secret}]
        """,
    ).spec
    assert spec == ReferenceGrant(
        from_=(ReferenceGrantFrom(group="gateway.networking.k8s.io", kind="Gateway", namespace="edge"),),
        to=(ReferenceGrantTo(group="", kind="Secret", name=""),),
    )


def test_how_a_backend_is_trusted() -> None:
    """By authorities in ConfigMaps or by the system's, for a name."""
    own = istio(
        Kind.BACKEND_TLS_POLICY,
        """
        targetRefs: [{group: "", kind: Service, name: db, sectionName: tls}]
        validation:
          caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]
          hostname: db.example.com
          subjectAltNames: [{type: URI, uri: "spiffe://a/b"}]
        """,
    ).spec
    assert isinstance(own, BackendTLSPolicy)
    assert (own.target_refs[0].name, own.target_refs[0].section_name) == ("db", "tls")
    assert own.validation.ca_certificate_refs[0].kind == "ConfigMap"
    assert own.validation.subject_alt_names[0].uri == "spiffe://a/b"
    system = istio(
        Kind.BACKEND_TLS_POLICY,
        "{targetRefs: [{group: '', kind: Service, name: db}], "
        "validation: {wellKnownCACertificates: System, hostname: db}}",
    ).spec
    assert system.validation.well_known_ca_certificates == "System"


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        (Kind.REFERENCE_GRANT, "{from: [{kind: Gateway}]}", ["from[0].group", "from[0].namespace", "to"]),
        (Kind.BACKEND_TLS_POLICY, "{targetRefs: [], validation: {}}", ["targetRefs", "validation.hostname"]),
    ],
)
def test_what_they_cannot_do_without(kind: Kind, spec: str, told: list[str]) -> None:
    """A grant that says less would grant more, a policy without name would trust anybody."""
    assert places(kind, spec) == told
