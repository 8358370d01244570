"""Client certificates, as our own front Envoy tells of them in `x-forwarded-client-cert`.

gRPC's Python server cannot ask for a client certificate without demanding it, so TLS ends in an Envoy of ours, which
replaces this header and forwards over a private Unix socket. On every other listener anybody could write the header:
there it is refused. Here, the chain is verified once more, with the roots of the trust domain that it claims: the
handshake in Envoy accepts the roots of all domains for any identity.

Spec: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from certs import pem
from certs.bundle import TrustBundles
from certs.errors import CertsError
from certs.path import Purpose
from certs.spiffe import parse_spiffe
from certs.verify import verify_peer
from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError
from discovery.runtime.clock import Clock

__all__ = ["MAX_XFCC_BYTES", "METADATA_OPTIONS", "XFCC", "ForwardedCertificate", "XfccAuthenticator", "parse_xfcc"]

XFCC: Final = "x-forwarded-client-cert"
MAX_XFCC_BYTES: Final = 64 * 1024
"""A chain takes kilobytes. Measured: a grpc client's metadata is refused at random from 8 KiB and always from 17 KiB on
with default options, while Envoy's passed with 37 KB. `METADATA_OPTIONS` make the limit this one, for both."""
METADATA_OPTIONS: Final = (
    ("grpc.max_metadata_size", 2 * MAX_XFCC_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * MAX_XFCC_BYTES),
)


class ForwardedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """One element of the header: one hop's client certificate.

    Attributes:
        by: URI names of the proxy's own certificate.
        hash: SHA-256 of the certificate, hexadecimal.
        subject: its distinguished name.
        uris: its URI names.
        dns_names: its DNS names.
        cert: its PEM text; empty where not forwarded.
        chain: PEM text of the whole chain, leaf first; empty where not forwarded.
    """

    by: tuple[str, ...] = ()
    hash: str = ""
    subject: str = ""
    uris: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    cert: bytes = b""
    chain: bytes = b""


def parse_xfcc(header: str) -> tuple[ForwardedCertificate, ...]:
    """The elements of the header, oldest hop first.

    Raises:
        UnauthenticatedError: it is not of the form that Envoy writes.
    """
    if len(header) > MAX_XFCC_BYTES:
        raise UnauthenticatedError(f"{XFCC} is {len(header)} characters long, want at most {MAX_XFCC_BYTES}")
    return tuple(_element(part) for part in _split(header, ","))


def _split(text: str, separator: str) -> list[str]:
    """Cut at separators outside of double quotes; a backslash in quotes takes the next character as it is."""
    parts, start, quoted, escaped = [], 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    if quoted:
        raise UnauthenticatedError(f"{XFCC} ends inside of quotes")
    return [*parts, text[start:]]


def _element(text: str) -> ForwardedCertificate:
    values: dict[str, list[str]] = {}
    for pair in _split(text, ";"):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UnauthenticatedError(f"{XFCC} has a part without '='")
        values.setdefault(key.strip().lower(), []).append(_unquote(value))
    for key in ("hash", "subject", "cert", "chain"):
        if len(values.get(key, ())) > 1:
            raise UnauthenticatedError(f"{XFCC} has {key} more than once in one element")
    return ForwardedCertificate(
        by=tuple(values.get("by", ())),
        hash=values.get("hash", [""])[0],
        subject=values.get("subject", [""])[0],
        uris=tuple(uri for uri in values.get("uri", ()) if uri),
        dns_names=tuple(values.get("dns", ())),
        cert=unquote_to_bytes(values.get("cert", [""])[0]),
        chain=unquote_to_bytes(values.get("chain", [""])[0]),
    )


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    characters, escaped = [], False
    for char in value[1:-1]:
        escaped = char == "\\" and not escaped
        if not escaped:
            characters.append(char)
    return "".join(characters)


class XfccAuthenticator:
    """Believes our front Envoy, and it alone.

    Args:
        bundles: the roots of each trust domain, as they are now.
        clock: to judge the certificates' time with.
    """

    def __init__(self, bundles: Callable[[], TrustBundles], clock: Clock) -> None:
        self._bundles = bundles
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        """The identity of the client certificate.

        Raises:
            UnauthenticatedError: the header came by another way, or does not prove an identity.
        """
        header = credentials.only(XFCC)
        if not header:
            return None
        if credentials.via is not Listener.FRONT:
            raise UnauthenticatedError(
                f"{XFCC} came through the {credentials.via} listener, where anybody can write it"
            )
        elements = parse_xfcc(header)
        if len(elements) != 1:  # our front replaces the header, it never appends
            raise UnauthenticatedError(f"{XFCC} has {len(elements)} elements, want the one that our front Envoy sets")
        return self._judge(elements[0], credentials.peer)

    def _judge(self, element: ForwardedCertificate, peer: str) -> Caller:
        if len(element.uris) != 1:
            raise UnauthenticatedError(f"the client certificate has {len(element.uris)} URI names, want one SPIFFE id")
        try:
            claimed = parse_spiffe(element.uris[0])
            proven = verify_peer(
                pem.load_certificates(element.chain or element.cert, where="client certificate"),
                self._bundles(),
                at=self._clock.now(),
                purpose=Purpose.CLIENT,
                where=f"client certificate of {peer}",
            )
        except CertsError as error:
            raise UnauthenticatedError(str(error)) from error
        if proven != claimed:
            raise UnauthenticatedError(f"the client certificate is {proven}, the header tells of {claimed}")
        return Caller(kind=CallerKind.CLIENT_CERTIFICATE, identities=(proven,))
