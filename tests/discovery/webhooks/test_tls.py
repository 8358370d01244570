"""The certificate of the webhooks."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from discovery.front.service import ServingCertificate
from discovery.webhooks.tls import ServingTls
from tests.kit.webhooks import WebhookCa


async def presented(tls: ServingTls, roots: str) -> int:
    """The serial number of what a client sees."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        client = ssl.create_default_context(cadata=roots)
        _, writer = await asyncio.open_connection(host, port, ssl=client, server_hostname="istiod.istio-system.svc")
        certificate = writer.get_extra_info("peercert")
        writer.close()
        return int(certificate["serialNumber"], 16)


async def test_a_renewed_certificate_is_presented() -> None:
    """To the next connection; its key is in no file afterwards."""
    ca = WebhookCa()
    tls = ServingTls(ca.certificate)
    first = await presented(tls, ca.roots_pem)
    assert await presented(tls, ca.roots_pem) == first
    tls.renew()
    assert await presented(tls, ca.roots_pem) != first


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """At once."""
    ca = WebhookCa()
    mixed = ServingCertificate(ca.certificate().chain_pem, ca.certificate().key_pem, "")
    with pytest.raises(ssl.SSLError, match=r"(?i)mismatch"):
        ServingTls(lambda: mixed)
