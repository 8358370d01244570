"""An operator's own CA, from the files of a `cacerts` secret, checked before the first signature.

Everything an operator can get wrong is found at load time and named: a file missing, a key of another certificate, a
chain that does not reach the root, a certificate that has expired or is no CA, revocation lists that do not cover it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from certs import pem
from certs.bundle import load_bundle
from certs.ca import SigningCa
from certs.describe import subject_of
from certs.errors import CaError, CertsError
from certs.keys import load_key, require_match
from certs.path import find_path, is_self_signed, may_not_sign

__all__ = ["CaTexts", "find_ca_files", "load_signing_ca", "read_ca_directory"]


class CaTexts(msgspec.Struct, frozen=True, kw_only=True):
    """The PEM texts of a CA. It prints without them.

    Attributes:
        certificate: of the signing key; a TLS secret holds its chain behind it.
        key: the signing key.
        chain: intermediates in any order; the certificate itself and roots may be among them; may be empty.
        roots: the trust bundle.
        crl: revocation lists; empty when there are none.
        where: what to call it in errors.
    """

    certificate: bytes
    key: bytes
    chain: bytes = b""
    roots: bytes
    crl: bytes = b""
    where: str

    def __repr__(self) -> str:
        return f"CaTexts({self.where!r})"


class CaFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The file names of one layout; only `chain` and `crl` may be absent."""

    certificate: str
    key: str
    chain: str
    roots: str
    crl: str


_LAYOUTS: Final = (
    CaFiles(
        certificate="ca-cert.pem", key="ca-key.pem", chain="cert-chain.pem", roots="root-cert.pem", crl="ca-crl.pem"
    ),
    CaFiles(certificate="tls.crt", key="tls.key", chain="", roots="ca.crt", crl="ca-crl.pem"),
)


def find_ca_files(directory: Path) -> CaFiles | None:
    """Which layout the directory holds; None when there is no trace of either.

    Raises:
        CaError: a layout is there in part.
    """
    for layout in _LAYOUTS:
        required = (layout.certificate, layout.key, layout.roots)
        missing = [name for name in required if not (directory / name).is_file()]
        if not missing:
            return layout
        if len(missing) < len(required):
            raise CaError(
                str(directory),
                f"holds a part of a CA, {', '.join(missing)} missing",
                hint="add the missing files, or remove all to use a self-signed CA",
            )
    return None


def read_ca_directory(directory: Path, *, at: datetime) -> SigningCa | None:
    """The CA of a directory (`cacerts` or TLS secret layout); None when the directory holds none.

    Raises:
        CaError: it is there, and cannot be used; the text says which file and why.
    """
    layout = find_ca_files(directory)
    if layout is None:
        return None

    def read(name: str) -> bytes:
        path = directory / name
        return path.read_bytes() if name and path.is_file() else b""

    try:
        texts = CaTexts(
            certificate=read(layout.certificate),
            key=read(layout.key),
            chain=read(layout.chain),
            roots=read(layout.roots),
            crl=read(layout.crl),
            where=str(directory),
        )
    except OSError as error:
        raise CaError(str(error.filename), f"cannot be read: {error.strerror}") from error
    return load_signing_ca(texts, at=at)


def load_signing_ca(texts: CaTexts, *, at: datetime) -> SigningCa:
    """Turn the texts into a CA that can sign at this instant.

    Raises:
        CaError: a text cannot be read, key and certificate differ, the certificate is no CA, the chain does not reach
            a root or has expired, or the revocation lists do not cover the chain.
    """
    try:
        return _load(texts, at=at)
    except CaError:
        raise
    except CertsError as error:
        raise CaError(error.where, error.what, hint=error.hint) from error


def _load(texts: CaTexts, *, at: datetime) -> SigningCa:
    certificates = pem.load_certificates(texts.certificate, where=f"{texts.where}: CA certificate")
    own, rest = certificates[0], certificates[1:]
    key = load_key(texts.key, where=f"{texts.where}: CA key")
    chain = pem.load_certificates(texts.chain, where=f"{texts.where}: chain") if texts.chain.strip() else ()
    roots, _ = load_bundle(texts.roots, where=f"{texts.where}: root certificates")
    require_match(key, own, where=f"{texts.where}: CA certificate and key")
    given = (*rest, *chain)
    path = find_path(own, given, roots.roots, at=at, where=f"{texts.where}: CA certificate")
    obstacle = may_not_sign(own, is_root=own in roots.roots)
    if obstacle:  # a leaf signs what nobody accepts; better to stop at the start than to hand that out
        raise CaError(f"{texts.where}: CA certificate", obstacle, hint="issue it with basicConstraints CA:TRUE")
    if texts.crl.strip():
        _require_crls(texts.crl, path, where=f"{texts.where}: revocation lists")
    return SigningCa(
        key=key,
        certificate=own,
        intermediates=_intermediates(path, given),
        roots=roots,
        valid_until=min(certificate.not_valid_after_utc for certificate in path),
    )


def _intermediates(
    path: tuple[x509.Certificate, ...], given: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """What peers need besides their roots: the way up, then cross-signed extras as the operator put them; no roots."""
    upward = path if len(path) == 1 and not is_self_signed(path[0]) else path[:-1]
    extras = [certificate for certificate in given if certificate not in path and not is_self_signed(certificate)]
    return tuple(dict.fromkeys((*upward, *extras)))


def _require_crls(data: bytes, path: tuple[x509.Certificate, ...], *, where: str) -> None:
    """Every CA of the path has a list of its own, signed by it: Envoy refuses chains with a list for some CAs only."""
    try:
        lists = [x509.load_der_x509_crl(block.der) for block in pem.split(data, where=where)]
    except pem.PARSE_ERRORS as error:
        raise CaError(where, f"a list does not parse ({type(error).__name__}: {error})") from error
    for certificate in path:
        own = [crl for crl in lists if crl.issuer == certificate.subject]
        if not any(_signed_by(crl, certificate) for crl in own):
            raise CaError(where, f"none is signed by {subject_of(certificate)!r}; want one of each CA up to the root")


def _signed_by(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    try:
        return crl.is_signature_valid(key)  # type: ignore[arg-type]  # raises TypeError for keys that cannot sign
    except TypeError:
        return False
