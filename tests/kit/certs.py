"""A small public key infrastructure for tests: fast keys, a fixed instant, CAs and leaves with any fault wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from certs.ca import LeafRequest, SigningCa, create_root, sign_leaf
from certs.keys import KeyKind, PrivateKey, generate_key
from certs.spiffe import Spiffe
from certs.tls import KeyPair

__all__ = ["NOW", "TRUST_DOMAIN", "issue", "key", "leaf", "name", "root_ca", "spiffe"]

NOW: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
TRUST_DOMAIN: Final = "cluster.local"


@cache
def key(label: str = "leaf", kind: KeyKind = KeyKind.P256) -> PrivateKey:
    """The key of a label, made once per run."""
    return generate_key(kind)


def spiffe(namespace: str = "shop", service_account: str = "reviews", *, trust_domain: str = TRUST_DOMAIN) -> Spiffe:
    """An identity with good defaults."""
    return Spiffe(trust_domain=trust_domain, namespace=namespace, service_account=service_account)


@cache
def root_ca(label: str = "root", *, trust_domain: str = TRUST_DOMAIN, now: datetime = NOW) -> SigningCa:
    """A self-signed CA with the key of its label, the same certificate for the same arguments."""
    return create_root(key(label), trust_domain=trust_domain, now=now, serial=1)


def leaf(ca: SigningCa, *uris: str, lifetime: timedelta = timedelta(hours=24), now: datetime = NOW) -> KeyPair:
    """A workload's certificate with the key labelled `leaf`."""
    request = LeafRequest(public_key=key().public_key(), uris=uris or (str(spiffe()),), lifetime=lifetime)
    return KeyPair((sign_leaf(ca, request, now=now, serial=2), *ca.intermediates), key())


def name(common_name: str) -> x509.Name:
    """A distinguished name of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def issue(
    subject: str,
    issuer: tuple[str, PrivateKey],
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    *,
    days: tuple[int, int] = (-1, 365),
    own: PrivateKey | None = None,
) -> x509.Certificate:
    """A certificate exactly as asked for, valid or not: subject and issuer are common names, days count from `NOW`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer[0]))
        .public_key((own or key(subject)).public_key())
        .serial_number(7)
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer[1], SHA256())
