"""From a certificate over its intermediates to a trusted root: the search and every check on the way.

Python's `cryptography` has a verifier for the web's rules. It refuses version 1 roots and CAs without key identifiers,
both of which meshes with a plugged-in CA use and Envoy and Istio accept; hence these rules, which are Envoy's.

Spec: RFC 5280, section 6
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certs.constraints import broken_constraint
from certs.describe import extension, subject_of
from certs.errors import KeyMaterialError, VerifyError
from certs.keys import accept_public_key

__all__ = ["Purpose", "find_path", "is_self_signed", "may_not_sign"]

_MAX_DEPTH: Final = 8
_MAX_SIGNATURES: Final = 100  # bounds the work a hostile bundle can cause, as Go's verifier does
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)


class Purpose(Enum):
    """What the certificate at the start of the path is to be used for."""

    ANY = None
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def find_path(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    purpose: Purpose = Purpose.ANY,
    where: str,
) -> tuple[x509.Certificate, ...]:
    """The way from `certificate` (first) to one of `roots` (last), in signing order; intermediates may come unordered.

    Raises:
        VerifyError: there is no valid one; the text names the obstacle nearest to a root.
    """
    search = _Search(tuple(intermediates), tuple(roots), at, purpose)
    obstacle = _unfit(certificate, at) or _wrong_purpose((certificate,), purpose)
    if obstacle:
        raise VerifyError(where, obstacle)
    path = search.run((certificate,))
    if path is None:
        raise VerifyError(where, search.obstacle)
    return path


class _Search:
    """One depth-first search: roots before intermediates, so that the shortest way is found first."""

    def __init__(
        self,
        intermediates: tuple[x509.Certificate, ...],
        roots: tuple[x509.Certificate, ...],
        at: datetime,
        purpose: Purpose,
    ) -> None:
        self._intermediates = intermediates
        self._roots = roots
        self._at = at
        self._purpose = purpose
        self._signatures = 0
        self.obstacle = ""

    def run(self, path: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        if path[-1] in self._roots:
            return path
        issuer = path[-1].issuer.rfc4514_string()
        self.obstacle = self.obstacle or f"{subject_of(path[-1])!r} is signed by {issuer!r}, which is not trusted"
        for candidate in _named(self._roots, path[-1]):
            if self._fits((*path, candidate), is_root=True):
                return (*path, candidate)
        for candidate in _named(self._intermediates, path[-1]):
            if candidate in path or not self._fits((*path, candidate), is_root=False):
                continue
            found = self.run((*path, candidate))
            if found is not None:
                return found
        return None

    def _fits(self, path: tuple[x509.Certificate, ...], *, is_root: bool) -> bool:
        obstacle = (
            self._exhausted(path)
            or _unfit(path[-1], self._at)
            or may_not_sign(path[-1], is_root=is_root)
            or _beyond_limits(path)
            or _wrong_purpose(path, self._purpose)
            or _bad_signature(path[-2], path[-1])
        )
        self.obstacle = obstacle or self.obstacle
        return not obstacle

    def _exhausted(self, path: tuple[x509.Certificate, ...]) -> str:
        self._signatures += 1
        if len(path) > _MAX_DEPTH:
            return f"the chain is longer than {_MAX_DEPTH} certificates"
        if self._signatures > _MAX_SIGNATURES:
            return f"gave up after {_MAX_SIGNATURES} signatures; too many certificates share one subject"
        return ""


def _named(candidates: Iterable[x509.Certificate], child: x509.Certificate) -> Iterator[x509.Certificate]:
    return (candidate for candidate in candidates if candidate.subject == child.issuer)


def _unfit(certificate: x509.Certificate, at: datetime) -> str:
    """Why a certificate is of no use wherever it stands: outside its time, weak key, critical extension unknown."""
    name = repr(subject_of(certificate))
    if at < certificate.not_valid_before_utc:
        return f"{name} is not valid before {_instant(certificate.not_valid_before_utc)}, now is {_instant(at)}"
    if at > certificate.not_valid_after_utc:
        return f"{name} has expired at {_instant(certificate.not_valid_after_utc)}, now is {_instant(at)}"
    try:
        accept_public_key(certificate.public_key(), where=name)
    except KeyMaterialError as error:
        return str(error)
    for item in certificate.extensions:
        if item.critical and item.oid not in _UNDERSTOOD:
            return f"{name} has the critical extension {item.oid.dotted_string}, which is not understood"
    return ""


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def may_not_sign(issuer: x509.Certificate, *, is_root: bool) -> str:
    """Why a certificate cannot be an issuer at all; empty when it can."""
    name = repr(subject_of(issuer))
    constraints = extension(issuer, x509.BasicConstraints)
    # A version 1 certificate cannot say that it is a CA; as a root, being trusted says it.
    if not (is_root and issuer.version is x509.Version.v1) and (constraints is None or not constraints.ca):
        return f"{name} may not sign certificates: it is not a CA"
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return f"{name} may not sign certificates: its key usage lacks keyCertSign"
    return ""


def _beyond_limits(path: tuple[x509.Certificate, ...]) -> str:
    """Why the last of the path, a CA, allows no such path below it."""
    issuer = path[-1]
    constraints = extension(issuer, x509.BasicConstraints)
    if constraints is not None and constraints.path_length is not None:
        between = sum(1 for certificate in path[1:-1] if certificate.subject != certificate.issuer)
        if between > constraints.path_length:
            return f"{subject_of(issuer)!r} allows {constraints.path_length} CAs below it, there are {between}"
    limits = extension(issuer, x509.NameConstraints)
    if limits is not None:
        return next(filter(None, (broken_constraint(certificate, limits) for certificate in path[:-1])), "")
    return ""


def _wrong_purpose(path: tuple[x509.Certificate, ...], purpose: Purpose) -> str:
    usage = extension(path[-1], x509.ExtendedKeyUsage)
    if purpose.value is None or usage is None or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage:
        return ""
    if purpose.value not in usage:
        return f"{subject_of(path[-1])!r} is not meant for TLS {purpose.name.lower()}s (extended key usage)"
    return ""


def _bad_signature(child: x509.Certificate, issuer: x509.Certificate) -> str:
    if not isinstance(child.signature_hash_algorithm, SHA256 | SHA384 | SHA512):
        algorithm = child.signature_algorithm_oid.dotted_string
        return f"{subject_of(child)!r} is signed with algorithm {algorithm}, want RSA or ECDSA with SHA-256 or better"
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return f"{subject_of(child)!r} is not signed by the key of {subject_of(issuer)!r}"
    return ""


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate is signed with its own key, as roots are."""
    return certificate.subject == certificate.issuer and not _bad_signature(certificate, certificate)
