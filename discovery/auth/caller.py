"""Who is calling, what it presented to prove so, and whether it may be the node it claims to be.

Spec: SPIFFE ids of workloads, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from certs.spiffe import Spiffe
from discovery.auth.errors import ForbiddenError, UnauthenticatedError

__all__ = ["ANONYMOUS", "Caller", "CallerKind", "Credentials", "Listener", "PodReference", "authorize_node"]


class CallerKind(StrEnum):
    """What vouched for the caller."""

    ANONYMOUS = "anonymous"
    CLIENT_CERTIFICATE = "client certificate"
    TOKEN = "token"  # noqa: S105 - a word, not a secret


class Listener(StrEnum):
    """Through which door a request came; told by the server that bound it, never by the request."""

    PLAINTEXT = "plaintext"
    """A TCP port without TLS: nothing in the request's metadata but a token proves anything."""
    FRONT = "front"
    """The private Unix socket behind our own Envoy, which verified the client certificate and told whose it was."""


class PodReference(msgspec.Struct, frozen=True, kw_only=True):
    """The pod that a token is bound to, as the API server tells it.

    Attributes:
        node: where it runs; empty where the API server does not say (before Kubernetes 1.32).
    """

    namespace: str
    name: str
    uid: str
    node: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as it was authenticated.

    Attributes:
        identities: all it may act as, in the order the proof names them; empty if anonymous.
        pod: where it runs, if its proof is bound to a pod.
    """

    kind: CallerKind
    identities: tuple[Spiffe, ...] = ()
    pod: PodReference | None = None


ANONYMOUS: Final = Caller(kind=CallerKind.ANONYMOUS)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What one request presents. It prints without the metadata, which holds tokens.

    Attributes:
        via: the door it came through.
        peer: the address, for logs.
        metadata: names in lower case with their values, in order; from gRPC metadata or HTTP headers.
    """

    via: Listener
    peer: str
    metadata: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Credentials(via={self.via}, peer={self.peer!r})"

    @classmethod
    def read(cls, via: Listener, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> Credentials:
        """Take what is text out of a request's metadata.

        Behind the front every peer is the same socket; there the address is the one that our Envoy appended.
        """
        texts = tuple((name.lower(), value) for name, value in metadata if isinstance(value, str))
        if via is Listener.FRONT:
            forwarded = [value for name, value in texts if name == "x-forwarded-for"]
            peer = forwarded[-1].rpartition(",")[2].strip() if forwarded else peer
        return cls(via=via, peer=peer, metadata=texts)

    def only(self, name: str) -> str:
        """The value of a name; empty when it is absent.

        Raises:
            UnauthenticatedError: it is there more than once, so that two readers could see different callers.
        """
        values = [value for key, value in self.metadata if key == name]
        if len(values) > 1:
            raise UnauthenticatedError(f"{name} is given {len(values)} times")
        return values[0] if values else ""


def authorize_node(caller: Caller, *, namespace: str, service_account: str) -> Spiffe | None:
    """The verified identity of a proxy: the one of the caller's that its node metadata claims.

    None means that there is nothing to verify, for the caller is anonymous; such a proxy gets no secrets.

    Args:
        namespace: the proxy's config namespace; empty matches any.
        service_account: the proxy's `SERVICE_ACCOUNT`; empty matches any.

    Raises:
        ForbiddenError: the caller is somebody, but not who the node claims to be.
    """
    if caller.kind is CallerKind.ANONYMOUS:
        return None
    for identity in caller.identities:
        if namespace in {"", identity.namespace} and service_account in {"", identity.service_account}:
            return identity
    known = ", ".join(map(str, caller.identities)) or "nobody"
    raise ForbiddenError(
        f"the node claims namespace {namespace!r} and service account {service_account!r}, the caller is {known}"
    )
