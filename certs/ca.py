"""A certificate authority: makes a self-signed root, signs leaves. It knows no caller; who may have what is policy.

Spec: RFC 5280 for the fields, SPIFFE X.509-SVID for the leaf.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import pem
from certs.bundle import TrustBundle
from certs.describe import extension, subject_of
from certs.errors import CaError
from certs.keys import PrivateKey, PublicKey, dump_key, signing_hash
from certs.spiffe import parse_trust_domain

__all__ = [
    "BACKDATE",
    "ROOT_LIFETIME",
    "LeafRequest",
    "SigningCa",
    "create_root",
    "new_serial",
    "sign_leaf",
]

BACKDATE: Final = timedelta(minutes=2)
"""How far NotBefore lies in the past: forgives peers whose clocks are slow."""
ROOT_LIFETIME: Final = timedelta(days=3650)

_SIGN_ONLY: Final = {"key_cert_sign", "crl_sign"}
_LEAF_USES: Final = {"digital_signature", "key_encipherment"}
_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class SigningCa(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to sign, and to tell peers how to verify what was signed. It prints without the key.

    Attributes:
        certificate: the certificate of the signing key.
        intermediates: what follows a leaf in its chain, in signing order: none if a root signs. No roots.
        roots: the trust bundle that is handed out; the root of `certificate` is in it.
        valid_until: the earliest end in the chain up to the root; nothing that is signed lives longer.
    """

    key: PrivateKey
    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    roots: TrustBundle
    valid_until: datetime

    def __repr__(self) -> str:
        return f"SigningCa({subject_of(self.certificate)!r}, valid until {self.valid_until:%Y-%m-%dT%H:%M:%SZ})"

    def key_pem(self) -> bytes:
        """The signing key as unencrypted PEM text: for a private file only."""
        return dump_key(self.key)

    def certificate_pem(self) -> bytes:
        """The signing certificate as PEM text."""
        return pem.dump_certificate(self.certificate)


class LeafRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf as policy has allowed it.

    Attributes:
        public_key: the key to certify.
        uris: SPIFFE ids; at least one name of any kind is needed.
        dns_names: for serving certificates.
        ip_addresses: for serving certificates.
        lifetime: counted from now; cut where the signer ends.
    """

    public_key: PublicKey
    uris: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    lifetime: timedelta


def new_serial(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> int:
    """A serial number of 128 random bits; never zero, which RFC 5280 forbids."""
    return int.from_bytes(random_bytes(16), "big") or 1


def create_root(
    key: PrivateKey, *, trust_domain: str, now: datetime, serial: int, lifetime: timedelta = ROOT_LIFETIME
) -> SigningCa:
    """A self-signed root for a trust domain, ready to sign.

    Raises:
        SpiffeError: the trust domain is none.
    """
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, parse_trust_domain(trust_domain))])
    public_key = key.public_key()
    certificate = (
        _builder(name, name, public_key, serial=serial)
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(_SIGN_ONLY), critical=True)
        .sign(key, signing_hash(key))
    )
    return SigningCa(
        key=key,
        certificate=certificate,
        intermediates=(),
        roots=TrustBundle((certificate,)),
        valid_until=certificate.not_valid_after_utc,
    )


def sign_leaf(ca: SigningCa, request: LeafRequest, *, now: datetime, serial: int) -> x509.Certificate:
    """A leaf for TLS clients and servers: empty subject, critical names, cut to the life of the signer.

    Raises:
        CaError: the signer has expired or is not valid yet, the lifetime is not positive, or there is no name.
    """
    where = subject_of(ca.certificate)
    names = _names(request)
    if not names:
        raise CaError(where, "asked to sign a certificate without a name")
    if request.lifetime <= timedelta():
        raise CaError(where, f"asked to sign for {request.lifetime}, want a positive time")
    if not ca.certificate.not_valid_before_utc <= now < ca.valid_until:
        raise CaError(
            where,
            f"cannot sign now: valid until {ca.valid_until:%Y-%m-%dT%H:%M:%SZ}",
            hint="renew the CA's certificate",
        )
    builder = (
        _builder(x509.Name([]), ca.certificate.subject, request.public_key, serial=serial)
        .not_valid_before(max(now - BACKDATE, ca.certificate.not_valid_before_utc))
        .not_valid_after(min(now + request.lifetime, ca.valid_until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(_LEAF_USES), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(_authority(ca.certificate), critical=False)
    )
    return builder.sign(ca.key, signing_hash(ca.key))


def _builder(subject: x509.Name, issuer: x509.Name, public_key: PublicKey, *, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _names(request: LeafRequest) -> list[x509.GeneralName]:
    return [
        *(x509.UniformResourceIdentifier(uri) for uri in request.uris),
        *(x509.DNSName(name) for name in request.dns_names),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in request.ip_addresses),
    ]


def _key_usage(uses: set[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USES})


def _authority(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Names the issuer's key the way the issuer itself does, or, where it does not, by the hash of its key."""
    identifier = extension(issuer, x509.SubjectKeyIdentifier)
    if identifier is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return x509.AuthorityKeyIdentifier(
        x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest, None, None
    )
