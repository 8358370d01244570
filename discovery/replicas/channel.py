"""The connection to another replica: both sides show certificates of the mesh's own authority."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import grpc
import grpc.aio
import msgspec

from certs import pem
from certs.ca import LeafRequest, SigningCa, new_serial, sign_leaf
from certs.keys import dump_key, generate_key
from certs.spiffe import Spiffe

__all__ = ["ReplicaCredentials", "member_identity", "open_channel", "replica_credentials", "target_of"]

_LIFETIME: Final = timedelta(hours=24)
_ACCOUNT: Final = "pilot-discovery"
_KEEPALIVE_MS: Final = 20_000


class ReplicaCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica shows, and what it verifies the other with. PEM texts."""

    roots_pem: bytes
    chain_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "ReplicaCredentials()"


def member_identity(trust_domain: str, namespace: str) -> Spiffe:
    """Who replicas are to each other.

    No workload has it unless somebody makes a service account of that name in the control plane's own namespace, and
    who may do that may read the authority's key there too.
    """
    return Spiffe(trust_domain=trust_domain, namespace=namespace, service_account=_ACCOUNT)


def replica_credentials(ca: SigningCa, member: Spiffe, *, roots_pem: str, now: datetime) -> ReplicaCredentials:
    """A certificate of our own authority, for one connection.

    Raises:
        CaError: the authority cannot sign.
    """
    key = generate_key()
    request = LeafRequest(public_key=key.public_key(), uris=(str(member),), lifetime=_LIFETIME)
    leaf = sign_leaf(ca, request, now=now, serial=new_serial())
    chain = pem.dump_certificates((leaf, *ca.intermediates))
    return ReplicaCredentials(roots_pem=roots_pem.encode(), chain_pem=chain, key_pem=dump_key(key))


def target_of(address: str, port: int) -> str:
    """The address of a pod as gRPC takes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def open_channel(target: str, server: str, mine: ReplicaCredentials) -> grpc.aio.Channel:
    """A channel to a replica that shows a certificate for `server`. It connects when it is used."""
    options = [
        ("grpc.ssl_target_name_override", server),  # a pod's address is in no certificate
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.use_local_subchannel_pool", 1),  # else a new certificate would meet the old connection
    ]
    return grpc.aio.secure_channel(
        target, grpc.ssl_channel_credentials(mine.roots_pem, mine.key_pem, mine.chain_pem), options
    )
