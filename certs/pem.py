"""PEM text: taken apart, put together, and turned into certificates.

Two readers, on purpose. `split` is strict, for what we sign with or present: a broken block is an error. `scan` is
lenient, for trust bundles collected by others: a broken block is a finding and the good ones count.

Spec: RFC 7468
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from certs.errors import Finding, PemError

__all__ = [
    "PARSE_ERRORS",
    "Block",
    "dump_certificate",
    "dump_certificates",
    "join",
    "load_certificates",
    "parse_der",
    "scan",
    "split",
]

PARSE_ERRORS: Final = (
    ValueError,
    TypeError,
    IndexError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading a certificate or request that a stranger chose may raise."""

_BEGIN: Final = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*$", re.MULTILINE)
_CERTIFICATE: Final = "CERTIFICATE"


class Block(msgspec.Struct, frozen=True):
    """One PEM block.

    Attributes:
        label: what stands after BEGIN, for example `CERTIFICATE`.
        der: the decoded bytes.
        text: the block as it was, from its BEGIN line to its END line, ending in one newline.
    """

    label: str
    der: bytes
    text: bytes


def scan(data: bytes, *, where: str) -> tuple[tuple[Block, ...], tuple[Finding, ...]]:
    """All readable blocks in order, and a finding for each that is not. Text between blocks is skipped."""
    blocks: list[Block] = []
    findings: list[Finding] = []
    starts = [*_BEGIN.finditer(data)]
    for number, start in enumerate(starts, 1):
        limit = starts[number].start() if number < len(starts) else len(data)
        try:
            blocks.append(_read_block(data, start, limit))
        except ValueError as error:
            findings.append(Finding(f"{where}, PEM block {number}", str(error)))
    return tuple(blocks), tuple(findings)


def _read_block(data: bytes, start: re.Match[bytes], limit: int) -> Block:
    label = start[1]
    end_line = b"-----END " + label + b"-----"
    end = data.find(end_line, start.end(), limit)
    if end < 0:
        raise ValueError(f"the line {end_line.decode()!r} is missing")
    body = data[start.end() : end]
    if b":" in body:  # RFC 1421 headers, as in encrypted keys; they end with an empty line
        body = body.replace(b"\r", b"").partition(b"\n\n")[2]
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if not der:
        raise ValueError("empty")
    return Block(label.decode(), der, data[start.start() : end + len(end_line)] + b"\n")


def split(data: bytes, *, where: str) -> tuple[Block, ...]:
    """All blocks in order, at least one.

    Raises:
        PemError: there is none, or one of them is broken.
    """
    blocks, findings = scan(data, where=where)
    if findings:
        raise PemError(findings[0].where, findings[0].what)
    if not blocks:
        raise PemError(where, "no PEM block found, want text that starts with '-----BEGIN ...-----'")
    return blocks


def join(parts: Iterable[bytes]) -> bytes:
    """PEM texts after one another, each beginning on its own line; empty parts vanish."""
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts if part.strip())


def load_certificates(data: bytes, *, where: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a chain in order, at least one.

    Raises:
        PemError: a block is broken, or is no certificate.
    """
    certificates = []
    for number, block in enumerate(split(data, where=where), 1):
        place = f"{where}, PEM block {number}"
        if block.label != _CERTIFICATE:
            raise PemError(place, f"is a {block.label}, want a {_CERTIFICATE}")
        certificates.append(parse_der(block.der, where=place))
    return tuple(certificates)


def parse_der(der: bytes, *, where: str) -> x509.Certificate:
    """One certificate from its DER bytes, its extensions checked to be readable.

    Raises:
        PemError: it does not parse, or its serial number is not positive (RFC 5280, 4.1.2.2).
    """
    try:
        # Looked at before cryptography does: that only warns of it, and raises in a later release.
        positive = _has_positive_serial(der)
        certificate = x509.load_der_x509_certificate(der) if positive else None
        if certificate is not None:
            certificate.extensions  # noqa: B018 - parsed lazily; a broken one must show here, not at its first use
            certificate.public_key()
    except PARSE_ERRORS as error:
        raise PemError(where, f"the certificate does not parse ({type(error).__name__}: {error})") from error
    if certificate is None:
        raise PemError(where, "the certificate's serial number is not positive")
    return certificate


def _has_positive_serial(der: bytes) -> bool:
    """Whether the first integer after the optional version is above zero.

    Certificate ::= SEQUENCE { SEQUENCE { [0] version OPTIONAL, INTEGER serial, ... } ... }
    """
    at = _body(der, _body(der, 0))
    if der[at] == 0xA0:
        at += 2 + der[at + 1]  # the version is three bytes: the short form always
    start = _body(der, at)
    serial = der[start : start + der[at + 1]]
    return int.from_bytes(serial, "big", signed=True) > 0


def _body(der: bytes, at: int) -> int:
    """Where the content begins of the element that begins at `at`."""
    length = der[at + 1]
    return at + 2 + (length & 0x7F if length & 0x80 else 0)


def dump_certificate(certificate: x509.Certificate) -> bytes:
    """PEM text, ending in a newline."""
    return certificate.public_bytes(Encoding.PEM)


def dump_certificates(certificates: Iterable[x509.Certificate]) -> bytes:
    """PEM texts in the given order, each ending in a newline."""
    return b"".join(map(dump_certificate, certificates))
