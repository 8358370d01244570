"""The server's certificates: its CA, what it serves with, and client certificates as kubeconfigs hold them.

They are valid around the machine's own time, whatever the server's clock has jumped to.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from certs.ca import LeafRequest, SigningCa, create_root, new_serial, sign_leaf
from certs.keys import generate_key
from certs.tls import KeyPair

__all__ = ["ClusterCa", "load_pair"]

_DNS_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
_ADDRESSES: Final = ("127.0.0.1", "::1", "10.96.0.1")
_LIFETIME: Final = timedelta(days=30)


class ClusterCa:
    """Signs for the server and for its clients; one CA for both, as kubeadm does not, but many clusters do."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ca: SigningCa = create_root(generate_key(), trust_domain="kubernetes", now=now, serial=new_serial())

    @property
    def pem(self) -> bytes:
        """The root certificate."""
        return self._ca.certificate_pem()

    def server_context(self) -> ssl.SSLContext:
        """TLS that asks for a client certificate of this CA without insisting on one."""
        key = generate_key()
        request = LeafRequest(
            public_key=key.public_key(), dns_names=_DNS_NAMES, ip_addresses=_ADDRESSES, lifetime=_LIFETIME
        )
        pair = KeyPair((sign_leaf(self._ca, request, now=self._now, serial=new_serial()),), key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        load_pair(context, pair)
        return context

    def client(self, user: str, *groups: str) -> KeyPair:
        """A client certificate: the common name is the user, organizations are groups."""
        key = generate_key()
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, user),
            ]
        )
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca.certificate.subject)
            .public_key(key.public_key())
            .serial_number(new_serial())
            .not_valid_before(self._now - timedelta(minutes=5))
            .not_valid_after(self._now + _LIFETIME)
            .add_extension(usage, critical=False)
            .sign(self._ca.key, SHA256())
        )
        return KeyPair((certificate,), key)


def load_pair(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Let a TLS endpoint present a key pair."""
    with tempfile.TemporaryDirectory() as folder:  # the ssl module reads keys from files only
        chain_file, key_file = Path(folder) / "chain.pem", Path(folder) / "key.pem"
        chain_file.write_bytes(pair.chain_pem())
        key_file.touch(mode=0o600)
        key_file.write_bytes(pair.key_pem())
        context.load_cert_chain(chain_file, key_file)
