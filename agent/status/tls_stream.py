"""TLS to an application that is probed: nothing is verified, as kubelet verifies nothing.

By hand over a plain stream, because the agent's asyncio goes without OpenSSL (see ``agent.lean``): ``ssl`` is loaded
with the first HTTPS probe, so that only those pods pay for it which have one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

__all__ = ["TlsError", "TlsStream"]

_CHUNK: Final = 64 * 1024


class TlsError(OSError):
    """The handshake failed, or what came is no TLS."""


class TlsStream:
    """A client's end. ``reader`` gives what was decrypted while ``pump`` runs.

    ``protocols``: what to offer, liked best first.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        limit: int,
        protocols: Sequence[str] = ("http/1.1",),
    ) -> None:
        import ssl

        self.reader = asyncio.StreamReader(limit=limit)
        self._raw_reader = reader
        self._raw_writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._errors: tuple[type[OSError], ...] = (ssl.SSLError,)
        self._wants_read: type[OSError] = ssl.SSLWantReadError
        self._closed: type[OSError] = ssl.SSLZeroReturnError

    @property
    def protocol(self) -> str:
        """What the server chose, after the handshake; empty if it does not choose."""
        return self._tls.selected_alpn_protocol() or ""

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            TlsError: the other side does not.
        """
        try:
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except self._wants_read:
                    await self._flush()
                    await self._receive()
        except self._errors as error:
            raise TlsError(f"TLS handshake failed: {error}") from error
        await self._flush()

    async def write(self, data: bytes) -> None:
        """Send it all."""
        self._tls.write(data)  # into memory, which takes everything
        await self._flush()

    async def pump(self) -> None:
        """Decrypt into ``reader`` until the other side ends."""
        try:
            while True:
                try:
                    data = self._tls.read(_CHUNK)
                except self._wants_read:
                    await self._flush()
                    await self._receive()
                    continue
                if not data:
                    break
                self.reader.feed_data(data)
        except self._closed:
            pass
        except self._errors as error:
            self.reader.set_exception(TlsError(f"TLS failed: {error}"))
            return
        except OSError as error:
            self.reader.set_exception(error)
            return
        self.reader.feed_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            self._raw_writer.write(data)
            await self._raw_writer.drain()

    async def _receive(self) -> None:
        data = await self._raw_reader.read(_CHUNK)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
