"""A certificate authority for tests: roots, serving certificates and workload certificates in files and texts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import grpc
import msgspec

from certs import pem
from certs.ca import LeafRequest, SigningCa, create_root, new_serial, sign_leaf
from certs.csr import parse_csr
from certs.keys import KeyKind, dump_key, generate_key

__all__ = ["MeshCa", "Pair"]


class Pair(msgspec.Struct, frozen=True):
    """PEM texts of a chain and its key."""

    chain: bytes
    key: bytes

    def write(self, directory: Path) -> None:
        """Put them where pre-provisioned certificates lie."""
        (directory / "cert-chain.pem").write_bytes(self.chain)
        (directory / "key.pem").write_bytes(self.key)


class MeshCa:
    """A self-signed root that signs what it is asked."""

    def __init__(self, now: datetime, trust_domain: str = "cluster.local") -> None:
        self._now = now
        self._ca: SigningCa = create_root(
            generate_key(KeyKind.P256), trust_domain=trust_domain, now=now, serial=new_serial()
        )

    @property
    def root_pem(self) -> bytes:
        """The root as PEM."""
        return self._ca.roots.to_pem()

    def pair(self, *, lifetime: timedelta = timedelta(days=1), uri: str = "", dns: str = "") -> Pair:
        """A key and its certificate; for 127.0.0.1 unless it has another name."""
        key = generate_key(KeyKind.P256)
        request = LeafRequest(
            public_key=key.public_key(),
            uris=(uri,) if uri else (),
            dns_names=(dns,) if dns else (),
            ip_addresses=() if uri or dns else ("127.0.0.1",),
            lifetime=lifetime,
        )
        leaf = sign_leaf(self._ca, request, now=self._now, serial=new_serial())
        return Pair(pem.dump_certificate(leaf), dump_key(key))

    def sign(self, csr: bytes, *, now: datetime, lifetime: timedelta) -> list[str]:
        """The answer of a CA to a CSR: leaf, root. The names are those asked for; a real CA asks the caller's token."""
        wanted = parse_csr(csr)
        request = LeafRequest(public_key=wanted.public_key, uris=wanted.wanted_uris, lifetime=lifetime)
        leaf = sign_leaf(self._ca, request, now=now, serial=new_serial())
        return [pem.dump_certificate(leaf).decode(), self.root_pem.decode()]

    def server_credentials(self, pair: Pair | None = None, *, require_client: bool = False) -> grpc.ServerCredentials:
        """TLS for a test server that this CA vouches for."""
        pair = pair or self.pair()
        return grpc.ssl_server_credentials(
            [(pair.key, pair.chain)],
            root_certificates=self.root_pem if require_client else None,
            require_client_auth=require_client,
        )
