"""Streams to a real gRPC server: TLS, tokens, failures to connect."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import msgspec
import pytest

from agent.xds_proxy.dial import UpstreamOptions
from agent.xds_proxy.ends import explain_failure
from agent.xds_proxy.messages import Form
from agent.xds_proxy.upstream import EndOfStream, open_stream
from discovery.wire import type_urls
from discovery.wire.envoy import DiscoveryRequest
from tests.kit.fake_istiod import FakeIstiod, sotw_response
from tests.kit.inline_x509 import inline_x509
from tests.kit.mesh_ca import MeshCa

REQUEST = DiscoveryRequest(type_url=type_urls.CLUSTER).SerializeToString()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def ca() -> MeshCa:
    return MeshCa(now())


@pytest.fixture
def options(tmp_path: Path, ca: MeshCa) -> UpstreamOptions:
    """Of a workload with roots and token; the address is the test's to set."""
    (tmp_path / "root.pem").write_bytes(ca.root_pem)
    (tmp_path / "token").write_text("jwt-1")
    return UpstreamOptions(address="", roots=str(tmp_path / "root.pem"), token=str(tmp_path / "token"), cluster_id="c1")


def at(options: UpstreamOptions, istiod: FakeIstiod, **changes: object) -> UpstreamOptions:
    return msgspec.structs.replace(options, address=istiod.address, **changes)


async def test_tls_stream_carries_token_and_bytes(options: UpstreamOptions, ca: MeshCa) -> None:
    """Over TLS the control plane sees cluster and token, and bytes arrive as sent in both directions."""
    async with (
        FakeIstiod(credentials=ca.server_credentials()) as istiod,
        open_stream(at(options, istiod), Form.SOTW, x509=inline_x509(), now=now) as stream,
    ):
        await stream.write(REQUEST)
        seen = await istiod.accept()
        assert (seen.metadata["authorization"], seen.metadata["clusterid"]) == ("Bearer jwt-1", "c1")
        assert (await seen.read()).type_url == type_urls.CLUSTER
        response = sotw_response(type_urls.CLUSTER, b"x" * 6_000_000)  # larger than gRPC's default limit
        _, received = await asyncio.gather(seen.write(response), stream.read())
        assert received == response.SerializeToString()
        seen.end(grpc.StatusCode.UNAUTHENTICATED, "expired")
        with pytest.raises(EndOfStream) as over:
            await stream.read()
        assert (over.value.end.code, over.value.end.answered) == ("UNAUTHENTICATED", True)


async def test_refused_connection_is_not_connected(options: UpstreamOptions) -> None:
    """Nobody listens: told at opening, as a connection that was never made."""
    async with FakeIstiod() as gone:
        pass
    with pytest.raises(EndOfStream) as over:
        async with open_stream(at(options, gone, tls=False), Form.DELTA, x509=inline_x509(), now=now):
            pass
    assert (over.value.end.code, over.value.end.connected) == ("UNAVAILABLE", False)


async def test_wrong_root_is_told(options: UpstreamOptions) -> None:
    """A control plane of another mesh is refused, and the hint names the root file."""
    stranger = MeshCa(now())
    async with FakeIstiod(credentials=stranger.server_credentials()) as istiod:
        with pytest.raises(EndOfStream) as over:
            async with open_stream(at(options, istiod), Form.DELTA, x509=inline_x509(), now=now):
                pass
        end = over.value.end
        assert not end.connected
        assert istiod.accepted == 0
        hint = explain_failure(end.code, end.details, address=istiod.address, roots=options.roots, token="")
        assert f"not signed by a root in {options.roots}" in hint


async def test_wrong_server_name_is_told(options: UpstreamOptions, ca: MeshCa) -> None:
    """A certificate for another name is refused, and the hint names ISTIOD_SAN."""
    credentials = ca.server_credentials(ca.pair(dns="istiod.istio-system.svc"))
    async with FakeIstiod(credentials=credentials) as istiod:
        with pytest.raises(EndOfStream) as over:
            async with open_stream(at(options, istiod), Form.DELTA, x509=inline_x509(), now=now):
                pass
        end = over.value.end
        assert "ISTIOD_SAN" in explain_failure(end.code, end.details, address="a", roots="r", token="")
        right = at(options, istiod, server_name="istiod.istio-system.svc")
        async with open_stream(right, Form.DELTA, x509=inline_x509(), now=now):
            await istiod.accept()


async def test_client_certificate_is_shown(options: UpstreamOptions, ca: MeshCa, tmp_path: Path) -> None:
    """A server that demands a certificate gets ours; an expired one is not shown and the handshake fails."""
    ca.pair(uri="spiffe://cluster.local/ns/a/sa/b").write(tmp_path)
    pair = {"client_chain": str(tmp_path / "cert-chain.pem"), "client_key": str(tmp_path / "key.pem")}
    async with FakeIstiod(credentials=ca.server_credentials(require_client=True)) as istiod:
        async with open_stream(at(options, istiod, **pair), Form.DELTA, x509=inline_x509(), now=now) as stream:
            await stream.write(b"")
            await istiod.accept()
        with pytest.raises(EndOfStream):
            async with open_stream(
                at(options, istiod, **pair), Form.DELTA, x509=inline_x509(), now=lambda: now() + timedelta(days=2)
            ) as s:
                await s.read()


async def test_rotated_root_is_used_by_the_next_stream(options: UpstreamOptions, tmp_path: Path) -> None:
    """Roots are read for each connection: no restart after a rotation."""
    new = MeshCa(now())
    async with FakeIstiod(credentials=new.server_credentials()) as istiod:
        with pytest.raises(EndOfStream):
            async with open_stream(at(options, istiod), Form.DELTA, x509=inline_x509(), now=now):
                pass
        (tmp_path / "root.pem").write_bytes(new.root_pem)
        async with open_stream(at(options, istiod), Form.DELTA, x509=inline_x509(), now=now):
            await istiod.accept()


async def test_missing_roots_end_the_stream(options: UpstreamOptions, tmp_path: Path) -> None:
    """A root file that vanished later is told like any other failure to connect."""
    with pytest.raises(EndOfStream, match="nowhere"):
        async with open_stream(
            msgspec.structs.replace(options, address="127.0.0.1:1", roots=str(tmp_path / "nowhere")),
            Form.DELTA,
            x509=inline_x509(),
            now=now,
        ):
            pass
