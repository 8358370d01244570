from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import BACKDATE, LeafRequest, create_root, new_serial, sign_leaf
from certs.describe import describe
from certs.errors import CaError, SpiffeError
from certs.keys import KeyKind
from certs.path import find_path
from tests.kit.certs import NOW, TRUST_DOMAIN, key, leaf, root_ca, spiffe

CA = root_ca()


def _request(**changes: object) -> LeafRequest:
    request = LeafRequest(public_key=key().public_key(), uris=(str(spiffe()),), lifetime=timedelta(hours=24))
    return msgspec.structs.replace(request, **changes)


def test_root_is_a_ca_for_ten_years() -> None:
    """A self-signed root says that it is a CA, signs only, and lives ten years from now."""
    facts = describe(CA.certificate)
    assert facts.is_ca
    assert facts.key_usage == ("key_cert_sign", "crl_sign")
    assert (facts.organization, facts.not_before) == (TRUST_DOMAIN, NOW - BACKDATE)
    assert facts.not_after == NOW + timedelta(days=3650)
    assert CA.roots.roots == (CA.certificate,)


def test_leaf_has_the_fields_of_the_reference() -> None:
    """Two minutes of backdating, both TLS purposes, names critical, not a CA, empty subject."""
    certificate = leaf(CA).leaf
    facts = describe(certificate)
    assert (facts.not_before, facts.not_after) == (NOW - timedelta(minutes=2), NOW + timedelta(hours=24))
    assert facts.key_usage == ("digital_signature", "key_encipherment")
    assert facts.extended_key_usage == ("server_auth", "client_auth")
    assert (facts.names, facts.subject, facts.is_ca) == ((str(spiffe()),), "", False)
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert find_path(certificate, (), CA.roots.roots, at=NOW, where="leaf") == (certificate, CA.certificate)


def test_leaf_never_outlives_its_signer() -> None:
    """NotAfter is cut where the chain ends."""
    late = CA.valid_until - timedelta(hours=1)
    assert leaf(CA, now=late).leaf.not_valid_after_utc == CA.valid_until


@pytest.mark.parametrize("now", [NOW - timedelta(days=1), CA.valid_until, CA.valid_until + timedelta(seconds=1)])
def test_signer_out_of_its_time_signs_nothing(now: object) -> None:
    """An expired CA, or one from the future, is an error instead of a certificate nobody accepts."""
    with pytest.raises(CaError, match="cannot sign now"):
        sign_leaf(CA, _request(), now=now, serial=1)  # type: ignore[arg-type]  # a parameter


def test_nameless_leaf_is_refused() -> None:
    """A certificate without a name identifies nobody."""
    with pytest.raises(CaError, match="without a name"):
        sign_leaf(CA, _request(uris=()), now=NOW, serial=1)


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(seconds=-1)])
def test_lifetime_must_be_positive(lifetime: timedelta) -> None:
    """Zero or less is a mistake of the caller."""
    with pytest.raises(CaError, match="want a positive time"):
        sign_leaf(CA, _request(lifetime=lifetime), now=NOW, serial=1)


def test_serving_certificate_has_dns_and_addresses() -> None:
    """A control plane's own certificate is reached by DNS name or address."""
    request = _request(uris=(), dns_names=("istiod.istio-system.svc",), ip_addresses=("127.0.0.1", "::1"))
    names = describe(sign_leaf(CA, request, now=NOW, serial=1)).names
    assert names == ("istiod.istio-system.svc", "127.0.0.1", "::1")


@pytest.mark.parametrize("kind", [KeyKind.P384, KeyKind.RSA])
def test_every_kind_of_key_signs(kind: KeyKind) -> None:
    """The CA's key decides the signature, not the leaf's."""
    ca = create_root(key(f"root-{kind}", kind), trust_domain=TRUST_DOMAIN, now=NOW, serial=1)
    certificate = leaf(ca).leaf
    assert find_path(certificate, (), ca.roots.roots, at=NOW, where="leaf")


def test_root_needs_a_trust_domain() -> None:
    """The name of the root is checked like every trust domain."""
    with pytest.raises(SpiffeError):
        create_root(key(), trust_domain="Not A Domain", now=NOW, serial=1)


@given(st.binary(min_size=16, max_size=16))
def test_serial_is_positive_and_128_bits(chance: bytes) -> None:
    """Whatever chance says, the number is one RFC 5280 allows."""
    assert 0 < new_serial(lambda size: chance[:size]) < 1 << 128


def test_signing_key_is_not_printed() -> None:
    """A CA in a log line or a traceback shows no key."""
    assert "PRIVATE" not in repr(CA)
    assert "key=" not in repr(CA)
