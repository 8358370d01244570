"""Trust anchors come off the stream, and the last ones are used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.sds.trust_anchors import TrustAnchors
from agent.xds_proxy.intercept import index_intercepts
from certs.errors import CertsError
from discovery.wire.protowire import string_field, uint_field
from discovery.wire.type_urls import PROXY_CONFIG
from tests.kit.eventually import eventually

ONE, TWO = (
    "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nREVG\n-----END CERTIFICATE-----\n",
)


def proxy_config(*pems: str) -> bytes:
    """With another field before them."""
    return uint_field(16, 2) + b"".join(string_field(34, text) for text in pems)


class Bench:
    """Anchors, and what became of them."""

    def __init__(self) -> None:
        self.used: list[bytes] = []
        self.refused = False
        self.anchors = TrustAnchors(self._use)

    async def _use(self, pem: bytes) -> None:
        self.used.append(pem)
        if self.refused:
            raise CertsError("no certificate", "anchors")

    async def until_used(self, count: int) -> None:
        """Return once something was used so often."""
        await eventually(lambda: len(self.used) == count)


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    bench = Bench()
    async with bench.anchors, asyncio.TaskGroup() as group:
        task = group.create_task(bench.anchors.run())
        yield bench
        task.cancel()


async def test_the_last_ones_are_used() -> None:
    """All of them together, and none once there are none; the same again changes nothing."""
    async with running() as bench:
        assert index_intercepts([bench.anchors]) == {PROXY_CONFIG: bench.anchors}
        bench.anchors.handle(proxy_config(ONE))
        bench.anchors.handle(proxy_config(ONE, TWO))
        await bench.until_used(1)
        assert bench.used[0].decode() == f"{ONE}\n{TWO.strip()}"
        bench.anchors.handle(proxy_config(ONE, TWO))
        bench.anchors.handle(b"")
        await bench.until_used(2)
        assert bench.used[1] == b""


@pytest.mark.parametrize("text", ["x", ONE.replace("QUJD", "QUJ"), ONE.partition("\n---")[0]])
async def test_what_is_no_certificate_is_refused(text: str) -> None:
    """With its place, for the control plane to tell; a good one beside it does not count either."""
    async with running() as bench:
        with pytest.raises(ValueError, match=r"caCertificatesPem\[1\]: want PEM certificates"):
            bench.anchors.handle(proxy_config(ONE, text))
        with pytest.raises(ValueError, match="truncated"):
            bench.anchors.handle(proxy_config(ONE)[:-1])
        bench.anchors.handle(proxy_config(TWO))
        await bench.until_used(1)
        assert bench.used == [TWO.strip().encode()]


async def test_what_cannot_be_used_is_tried_again() -> None:
    """When it comes again, and not before."""
    async with running() as bench:
        bench.refused = True
        bench.anchors.handle(proxy_config(ONE))
        await bench.until_used(1)
        bench.refused = False
        bench.anchors.handle(proxy_config(ONE))
        await bench.until_used(2)
