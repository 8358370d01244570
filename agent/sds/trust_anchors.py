"""Roots of other authorities of the mesh: told by the control plane in a ``ProxyConfig``, trusted besides the CA's.

They come by xDS, whose consumers must not wait, and are judged by a process of its own; so what comes is looked at for
its form at once, and the last that came is put to use by a task.

Spec: ``istio.mesh.v1alpha1.ProxyConfig``, field ``ca_certificates_pem``
"""

from __future__ import annotations

import asyncio
import binascii
import re
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from certs.errors import CertsError
from discovery.runtime.logs import get_logger
from discovery.wire import type_urls
from discovery.wire.protowire import fields

__all__ = ["TrustAnchors"]

_LOG: Final = get_logger("cache")
_CA_CERTIFICATES_PEM: Final = 34
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class TrustAnchors:
    """Takes trust anchors off the stream, and is the service (``discovery.runtime.supervise.Service``) that uses them.

    ``use``: trusts these PEM roots from now on, instead of those before; raises ``CertsError`` if it cannot.
    """

    name = "trust anchors"
    type_url = type_urls.PROXY_CONFIG

    def __init__(self, use: Callable[[bytes], Awaitable[None]]) -> None:
        self._use = use
        self._latest = b""
        self._news = asyncio.Event()

    def handle(self, resource: bytes) -> None:
        """Take the roots of a ProxyConfig, none included; its other fields are none of ours.

        Raises:
            ValueError: the bytes are no message, or an entry holds no certificate; the anchors before stay.
        """
        entries = [bytes(value) for number, value in fields(resource) if number == _CA_CERTIFICATES_PEM and value]
        for position, entry in enumerate(entries):
            if not _holds_certificate(entry):
                raise ValueError(f"caCertificatesPem[{position}]: want PEM certificates")
        self._latest = b"\n".join(entry.strip() for entry in entries)
        self._news.set()

    async def __aenter__(self) -> Self:
        """Nothing is bound."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Put what comes to use, the last of several, until cancelled."""
        used = b""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._latest == used:
                continue
            latest = self._latest
            try:
                await self._use(latest)
            except CertsError as error:
                _LOG.error("trust anchors of the control plane are not used; those before stay", reason=str(error))
            else:
                used = latest
                _LOG.info("trust anchors of the control plane", certificates=latest.count(b"BEGIN CERTIFICATE"))


def _holds_certificate(entry: bytes) -> bool:
    blocks = _BLOCK.findall(entry)
    try:
        return bool(blocks) and all(binascii.a2b_base64(block) for block in blocks)
    except binascii.Error:
        return False
