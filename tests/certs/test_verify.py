from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from certs.bundle import TrustBundles
from certs.errors import KeyMaterialError, VerifyError
from certs.keys import dump_key
from certs.path import Purpose
from certs.verify import identity_of, verify_key_pair, verify_peer
from tests.kit.certs import NOW, TRUST_DOMAIN, issue, key, leaf, root_ca, spiffe

CA = root_ca()
OTHER = root_ca("root-2", trust_domain="other.test")
BUNDLES = TrustBundles().with_roots(TRUST_DOMAIN, CA.roots).with_roots("other.test", OTHER.roots)


def test_peer_is_who_its_certificate_proves() -> None:
    """A leaf of a trusted CA gives its identity."""
    pair = leaf(CA)
    assert verify_peer(pair.chain, BUNDLES, at=NOW, purpose=Purpose.CLIENT, where="peer") == spiffe()


def test_a_domain_cannot_vouch_for_another() -> None:
    """A certificate for our domain signed by another domain's CA is refused, although both roots are trusted."""
    forged = leaf(OTHER, str(spiffe()))
    with pytest.raises(VerifyError, match="not trusted"):
        verify_peer(forged.chain, BUNDLES, at=NOW, purpose=Purpose.CLIENT, where="peer")


def test_unknown_domain_is_told_with_a_cure() -> None:
    """A peer from a domain without roots is refused; the error says what to add."""
    stranger = leaf(CA, str(spiffe(trust_domain="new.test")))
    with pytest.raises(VerifyError, match="add its root"):
        verify_peer(stranger.chain, BUNDLES, at=NOW, purpose=Purpose.CLIENT, where="peer")


def test_no_certificate_is_nobody() -> None:
    """An empty chain proves nothing."""
    with pytest.raises(VerifyError, match="no certificate"):
        verify_peer((), BUNDLES, at=NOW, purpose=Purpose.CLIENT, where="peer")


def test_expired_peer_is_refused() -> None:
    """Time is checked with the instant given."""
    with pytest.raises(VerifyError, match="expired"):
        verify_peer(leaf(CA).chain, BUNDLES, at=NOW + timedelta(days=2), purpose=Purpose.CLIENT, where="peer")


def _sans(*uris: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])


@pytest.mark.parametrize(
    ("extensions", "says"),
    [
        ([], "0 URI names"),
        ([(_sans(str(spiffe()), str(spiffe("shop", "admin"))), True)], "2 URI names"),
        ([(_sans("https://example.test/"), True)], "no SPIFFE id"),
        ([(_sans(str(spiffe())), True), (x509.BasicConstraints(ca=True, path_length=None), True)], "is a CA's"),
    ],
)
def test_ambiguous_identity_is_none(extensions: list[tuple[x509.ExtensionType, bool]], says: str) -> None:
    """A leaf bears exactly one SPIFFE id and is no CA (X.509-SVID)."""
    with pytest.raises(VerifyError, match=says):
        identity_of(issue("leaf", ("root", key("root")), extensions), where="peer")


def test_key_pair_is_proven_whole() -> None:
    """Chain, key and roots must fit together before they are used."""
    pair = leaf(CA)
    chain, own = pair.chain_pem(), pair.key_pem()
    assert verify_key_pair(chain, own, CA.roots, at=NOW, where="x").leaf == pair.leaf
    with pytest.raises(VerifyError, match="not trusted"):
        verify_key_pair(chain, own, OTHER.roots, at=NOW, where="x")
    with pytest.raises(KeyMaterialError, match="not the one"):
        verify_key_pair(chain, dump_key(key("other")), CA.roots, at=NOW, where="x")
