"""The certificate that the webhooks present: made by our own authority, or the user's; renewed without a restart."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

__all__ = ["ServingTls"]

_PRIVATE: Final = 0o600


class _Certificate(Protocol):
    @property
    def chain_pem(self) -> str:
        """The leaf, then what it chains by."""

    @property
    def key_pem(self) -> str:
        """Its private key."""


class ServingTls:
    """A TLS context whose certificate can be replaced; connections that are open keep theirs."""

    def __init__(self, certificate: Callable[[], _Certificate]) -> None:
        """``certificate`` is asked now and at every renewal.

        Raises:
            ssl.SSLError: key and certificate do not fit each other.
        """
        self._certificate = certificate
        self.context: Final = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.renew()

    def renew(self) -> None:
        """Present the newest certificate from the next connection on.

        Raises:
            ssl.SSLError: key and certificate do not fit each other; the present one stays.
        """
        made = self._certificate()
        # OpenSSL reads keys from files only. This one is ours alone, and gone before anybody connects.
        with tempfile.TemporaryDirectory(prefix="pilot-webhooks-") as directory:
            path = Path(directory, "serving.pem")
            path.touch(mode=_PRIVATE)
            path.write_text(made.key_pem + made.chain_pem, encoding="ascii")
            self.context.load_cert_chain(path)
