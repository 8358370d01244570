"""What a certificate says, as plain values: for checks, logs, debug pages and people.

The only place that digs in X.509 extensions; an extension that is absent gives the value that means so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import VerifyError

__all__ = ["CertificateFacts", "describe", "extension", "is_expired", "subject_of", "uris_of"]

_KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_EXTENDED_KEY_USAGES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "server_auth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client_auth",
}
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class CertificateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a certificate that an operator asks for.

    Attributes:
        serial: hexadecimal, as openssl prints it.
        names: all subject alternative names, URIs, DNS names, then IP addresses.
        key_usage: names of the bits set, in the order of the standard.
        extended_key_usage: purposes in the certificate's order; unknown ones by their OID.
        rsa_bits: 0 for other kinds of key.
        has_sans: whether there is a SAN extension at all.
    """

    subject: str
    issuer: str
    organization: str
    issuer_organization: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    has_sans: bool
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    is_ca: bool
    rsa_bits: int

    @property
    def lifetime(self) -> timedelta:
        """From the first to the last instant of validity."""
        return self.not_after - self.not_before

    def only_name(self, *, where: str) -> str:
        """The one subject alternative name.

        Raises:
            VerifyError: there is none, or more than one.
        """
        if not self.has_sans:
            raise VerifyError(where, "the certificate has no SAN extension")
        if len(self.names) != 1:
            raise VerifyError(where, f"the certificate has {len(self.names)} names, want 1: {', '.join(self.names)}")
        return self.names[0]


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The value of an extension, or None where the certificate lacks it."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def subject_of(certificate: x509.Certificate) -> str:
    """How to name the certificate to people: its subject, or its names where the subject is empty."""
    return (
        certificate.subject.rfc4514_string()
        or ", ".join(_names(certificate))
        or f"serial {certificate.serial_number:x}"
    )


def uris_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The URI names, in order."""
    names = extension(certificate, x509.SubjectAlternativeName)
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else ()


def is_expired(certificate: x509.Certificate, *, at: datetime) -> bool:
    """Whether `at` is after the last instant of validity."""
    return at > certificate.not_valid_after_utc


def describe(certificate: x509.Certificate) -> CertificateFacts:
    """Read everything out of a certificate."""
    constraints = extension(certificate, x509.BasicConstraints)
    key = certificate.public_key()
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        organization=_organization(certificate.subject),
        issuer_organization=_organization(certificate.issuer),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        names=_names(certificate),
        has_sans=extension(certificate, x509.SubjectAlternativeName) is not None,
        key_usage=_key_usage(certificate),
        extended_key_usage=_extended_key_usage(certificate),
        is_ca=constraints is not None and constraints.ca,
        rsa_bits=key.key_size if isinstance(key, rsa.RSAPublicKey) else 0,
    )


def _organization(name: x509.Name) -> str:
    attributes = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(attributes[0].value) if attributes else ""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return ()
    return (
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )


def _key_usage(certificate: x509.Certificate) -> tuple[str, ...]:
    usage = extension(certificate, x509.KeyUsage)
    return tuple(name for name in _KEY_USAGES if getattr(usage, name)) if usage else ()


def _extended_key_usage(certificate: x509.Certificate) -> tuple[str, ...]:
    usage = extension(certificate, x509.ExtendedKeyUsage)
    return tuple(_EXTENDED_KEY_USAGES.get(oid, oid.dotted_string) for oid in usage) if usage else ()
