"""What a TLS endpoint presents: a certificate chain and the key of its leaf, known to belong together.

Files of a pair are replaced one after the other, so a reader may meet the new one of one and the old one of the other.
That is an error here like any other; the caller tries again a little later and goes on with what it has.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from cryptography import x509

from certs import pem
from certs.errors import KeyMaterialError
from certs.keys import KeyFormat, PrivateKey, dump_key, load_key, require_match

__all__ = ["KeyPair", "load_key_pair", "read_key_pair"]


class KeyPair(msgspec.Struct, frozen=True):
    """A chain, leaf first, and the leaf's private key. It prints without the key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    def __repr__(self) -> str:
        return f"KeyPair(leaf serial {self.leaf.serial_number:x})"

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.chain[0]

    def chain_pem(self) -> bytes:
        """The chain as PEM text, leaf first."""
        return pem.dump_certificates(self.chain)

    def key_pem(self, *, key_format: KeyFormat = KeyFormat.TRADITIONAL) -> bytes:
        """The key as unencrypted PEM text: for a private file or a private socket only."""
        return dump_key(self.key, key_format=key_format)


def load_key_pair(chain_pem: bytes, key_pem: bytes, *, where: str) -> KeyPair:
    """Read a pair from PEM texts.

    Raises:
        PemError: a text is not the PEM wanted.
        KeyMaterialError: the key cannot be used, or is not the one of the first certificate.
    """
    chain = pem.load_certificates(chain_pem, where=f"{where} certificate chain")
    key = load_key(key_pem, where=f"{where} key")
    require_match(key, chain[0], where=where)
    return KeyPair(chain, key)


def read_key_pair(chain_file: Path, key_file: Path) -> KeyPair:
    """Read a pair from two files.

    Raises:
        PemError, KeyMaterialError: as `load_key_pair`; also when a file cannot be read.
    """
    try:
        chain_pem, key_pem = chain_file.read_bytes(), key_file.read_bytes()
    except OSError as error:
        raise KeyMaterialError(str(error.filename), f"cannot be read: {error.strerror}") from error
    return load_key_pair(chain_pem, key_pem, where=f"{chain_file} with {key_file}")
