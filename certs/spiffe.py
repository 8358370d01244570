"""Who a workload is: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.

Parsing is strict, for an identity decides what a caller may do: what another reader could understand differently (other
case, empty or dotted segments, escapes, queries, ports) is refused instead of being repaired.

Spec: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from certs.errors import SpiffeError

__all__ = ["SCHEME", "Spiffe", "parse_spiffe", "parse_trust_domain"]

SCHEME: Final = "spiffe://"
_MAX_URI_BYTES: Final = 2048
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")
_FORM: Final = "spiffe://<trust domain>/ns/<namespace>/sa/<service account>"


class Spiffe(msgspec.Struct, frozen=True, order=True, cache_hash=True, kw_only=True):
    """The identity of a workload. Made by `parse_spiffe`, or from parts, which are then checked.

    Raises:
        SpiffeError: a part cannot stand in a SPIFFE id.
    """

    trust_domain: str
    namespace: str
    service_account: str

    def __post_init__(self) -> None:
        uri = str(self)
        parse_trust_domain(self.trust_domain, where=uri)
        _check_segment(self.namespace, "namespace", where=uri)
        _check_segment(self.service_account, "service account", where=uri)
        if len(uri) > _MAX_URI_BYTES:
            raise SpiffeError(f"{uri[:60]}...", f"{len(uri)} bytes long, want at most {_MAX_URI_BYTES}")

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


def parse_spiffe(uri: str) -> Spiffe:
    """Read the identity out of its URI.

    Raises:
        SpiffeError: the text is anything but the exact form; nothing is normalised.
    """
    if len(uri) > _MAX_URI_BYTES:
        raise SpiffeError(f"{uri[:60]}...", f"{len(uri)} bytes long, want at most {_MAX_URI_BYTES}")
    if not uri.startswith(SCHEME):
        raise SpiffeError(repr(uri), f"is no SPIFFE id, want {_FORM}")
    parts = uri[len(SCHEME) :].split("/")
    if len(parts) != 5 or parts[1] != "ns" or parts[3] != "sa":
        raise SpiffeError(repr(uri), f"is no workload identity, want {_FORM}")
    return Spiffe(trust_domain=parts[0], namespace=parts[2], service_account=parts[4])


def parse_trust_domain(text: str, *, where: str = "trust domain") -> str:
    """The same text, once it is known to be a trust domain.

    Raises:
        SpiffeError: it is not 1-255 of lower-case letters, digits, dots, dashes and underscores.
    """
    if not _TRUST_DOMAIN.fullmatch(text):
        raise SpiffeError(where, f"trust domain {text[:260]!r} is not 1-255 of a-z, 0-9, '.', '-', '_'")
    return text


def _check_segment(text: str, part: str, *, where: str) -> None:
    if not _SEGMENT.fullmatch(text) or text in {".", ".."}:
        raise SpiffeError(where, f"{part} {text!r} is not one or more of a-z, A-Z, 0-9, '.', '-', '_'")
