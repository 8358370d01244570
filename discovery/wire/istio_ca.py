"""The four messages of `istio.v1.auth.IstioCertificateService`, by hand.

Both sides need them, the agent without generated classes, and they have five fields in all; a compiled proto would cost
each agent the protobuf runtime to no use.

Spec: istio/api security/v1alpha1/ca.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from discovery.wire.protowire import bytes_field, fields, string_field, uint_field

__all__ = [
    "CREATE_CERTIFICATE",
    "SERVICE",
    "CertificateRequest",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]

SERVICE: Final = "istio.v1.auth.IstioCertificateService"
CREATE_CERTIFICATE: Final = f"/{SERVICE}/CreateCertificate"

_INT64: Final = 1 << 64


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`IstioCertificateRequest`.

    Attributes:
        csr: PEM text.
        validity_s: wanted lifetime in seconds; 0 or less leaves it to the CA.
        metadata: the string values of the `metadata` struct, by key; `CertSigner` and `ImpersonatedIdentity` are known.
    """

    csr: str
    validity_s: int = 0
    metadata: Mapping[str, str] = {}


def encode_request(request: CertificateRequest) -> bytes:
    """The request's bytes; metadata is written even for empty values, as Istio's agents do."""
    entries = (
        bytes_field(1, string_field(1, key) + bytes_field(2, bytes_field(3, value.encode())))
        for key, value in request.metadata.items()
    )
    return b"".join(
        (
            string_field(1, request.csr),
            uint_field(3, request.validity_s % _INT64),
            bytes_field(4, b"".join(entries)) if request.metadata else b"",
        )
    )


def decode_request(data: bytes) -> CertificateRequest:
    """Read a request; unknown fields are skipped, of metadata only strings are kept.

    Raises:
        ValueError: the bytes are no such message.
    """
    csr, validity_s, metadata = "", 0, dict[str, str]()
    for number, value in fields(data):
        match number, value:
            case 1, memoryview():
                csr = str(value, "utf-8")
            case 3, int():
                validity_s = value - _INT64 if value >= _INT64 // 2 else value
            case 4, memoryview():
                metadata.update(_strings(value))
            case _:
                continue
    return CertificateRequest(csr=csr, validity_s=validity_s, metadata=metadata)


def _strings(struct: memoryview) -> Iterable[tuple[str, str]]:
    """The entries of a `google.protobuf.Struct` whose value is a string."""
    for number, entry in fields(struct):
        if number != 1 or not isinstance(entry, memoryview):
            continue
        parts = dict(fields(entry))
        key, value = parts.get(1, b""), parts.get(2, b"")
        if isinstance(key, int) or isinstance(value, int):
            raise ValueError("malformed protobuf: a metadata entry is not a key with a value")
        text = dict(fields(value)).get(3)
        if isinstance(text, memoryview):
            yield str(key, "utf-8"), str(text, "utf-8")


def encode_response(cert_chain: Iterable[str]) -> bytes:
    """`IstioCertificateResponse`: leaf, intermediates one by one, and the whole root bundle as the last element."""
    return b"".join(bytes_field(1, part.encode()) for part in cert_chain)


def decode_response(data: bytes) -> tuple[str, ...]:
    """The elements of `cert_chain` in order.

    Raises:
        ValueError: the bytes are no such message.
    """
    return tuple(str(value, "utf-8") for number, value in fields(data) if number == 1 and isinstance(value, memoryview))
