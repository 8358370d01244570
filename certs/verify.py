"""Who a peer is, proven: from the chain it presented to its SPIFFE identity.

The trust domain a certificate claims picks the roots it is verified with, so that the CA of one domain cannot vouch for
the workloads of another, although a TLS handshake accepts the roots of all.

Spec: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from certs.bundle import TrustBundle, TrustBundles
from certs.describe import extension, uris_of
from certs.errors import SpiffeError, VerifyError
from certs.path import Purpose, find_path
from certs.spiffe import Spiffe, parse_spiffe
from certs.tls import KeyPair, load_key_pair

__all__ = ["identity_of", "verify_key_pair", "verify_peer"]


def identity_of(certificate: x509.Certificate, *, where: str) -> Spiffe:
    """The identity a leaf claims. Claims: verify the chain before believing it.

    Raises:
        VerifyError: it has not exactly one URI name, or that is no SPIFFE identity, or the certificate is a CA's.
    """
    uris = uris_of(certificate)
    if len(uris) != 1:
        raise VerifyError(where, f"the certificate has {len(uris)} URI names, want one SPIFFE id")
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise VerifyError(where, "the certificate is a CA's, want one of a workload")
    try:
        return parse_spiffe(uris[0])
    except SpiffeError as error:
        raise VerifyError(where, str(error)) from error


def verify_peer(
    chain: Sequence[x509.Certificate], bundles: TrustBundles, *, at: datetime, purpose: Purpose, where: str
) -> Spiffe:
    """The proven identity of a peer that presented `chain`, leaf first.

    Raises:
        VerifyError: the chain is empty, claims no identity, or does not lead to a root of the claimed trust domain.
    """
    if not chain:
        raise VerifyError(where, "presented no certificate")
    identity = identity_of(chain[0], where=where)
    bundle = bundles.of(identity.trust_domain)
    if not bundle:
        raise VerifyError(
            where,
            f"trust domain {identity.trust_domain!r} has no roots here",
            hint="add its root to the mesh's CA certificates",
        )
    find_path(chain[0], chain[1:], bundle.roots, at=at, purpose=purpose, where=where)
    return identity


def verify_key_pair(chain_pem: bytes, key_pem: bytes, roots: TrustBundle, *, at: datetime, where: str) -> KeyPair:
    """The chain and its key, once they are known to belong together and to lead to one of the roots.

    Raises:
        PemError, KeyMaterialError: a text cannot be read, or the key is not the certificate's.
        VerifyError: the chain does not verify.
    """
    pair = load_key_pair(chain_pem, key_pem, where=where)
    find_path(pair.leaf, pair.chain[1:], roots.roots, at=at, where=where)
    return pair
