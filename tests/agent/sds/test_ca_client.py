"""Asking a real gRPC server for certificates: the contract, retries, credentials, what failures say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import grpc
import msgspec
import pytest
from google.protobuf.struct_pb2 import Struct

from agent.sds.ca_client import CaClient, encode_request, parse_response
from agent.sds.errors import SigningError
from agent.sds.metrics import CSR, SecretMetrics
from agent.xds_proxy.dial import UpstreamOptions
from certs.csr import build_csr
from certs.keys import KeyKind, generate_key
from certs.spiffe import parse_spiffe
from discovery.runtime.clock import SystemClock
from discovery.wire.protowire import fields, string_field
from tests.kit.fake_ca import FakeCaServer
from tests.kit.inline_x509 import inline_x509
from tests.kit.mesh_ca import MeshCa

CLOCK = SystemClock()
CSR_PEM = build_csr(generate_key(KeyKind.P256), parse_spiffe("spiffe://cluster.local/ns/default/sa/app"))


@pytest.fixture
def ca() -> MeshCa:
    return MeshCa(datetime.now(UTC))


class Waits:
    """Stands in for sleeping between attempts."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def client(options: UpstreamOptions, metrics: SecretMetrics | None = None, waits: Waits | None = None) -> CaClient:
    return CaClient(
        options,
        signer="issuer/a",
        x509=inline_x509(),
        clock=CLOCK,
        metrics=metrics or SecretMetrics(),
        sleep=waits or Waits(),
        chance=lambda: 0.5,
    )


def plain(server: FakeCaServer, **more: object) -> UpstreamOptions:
    return msgspec.structs.replace(UpstreamOptions(address=server.address, tls=False), **more)


@pytest.mark.parametrize("signer", ["", "issuer/a"])
def test_request_on_the_wire(signer: str) -> None:
    """CSR, seconds of validity, and a Struct with the signer's name, present even when empty."""
    parts = dict(fields(encode_request(b"csr", ttl_s=60, signer=signer)))
    metadata = parts[4]
    assert isinstance(metadata, memoryview)
    assert (bytes(parts[1]), parts[3]) == (b"csr", 60)
    assert dict(Struct.FromString(bytes(metadata))) == {"CertSigner": signer}


def test_garbage_is_a_signing_error() -> None:
    """An answer that is no message is told as the CA's failure."""
    assert parse_response(string_field(1, "leaf") + string_field(1, "root")) == ("leaf", "root")
    with pytest.raises(SigningError, match="answer of the CA"):
        parse_response(b"\xff")


async def test_chain_and_metadata(ca: MeshCa, tmp_path: Path) -> None:
    """The chain comes back in order; cluster, headers and token go along."""
    (tmp_path / "token").write_text("jwt-1\n")
    metrics = SecretMetrics()
    async with FakeCaServer(ca, CLOCK) as server:
        options = plain(server, token=str(tmp_path / "token"), cluster_id="c1", headers={"X-A": "b"})
        chain = await client(options, metrics).sign(CSR_PEM, ttl_s=3600)
        assert chain[-1] == ca.root_pem.decode()
        assert len(chain) == 2
        seen = server.metadata
        assert (seen["authorization"], seen["clusterid"], seen["x-a"]) == ("Bearer jwt-1", "c1", "b")
    assert (metrics.requests.count(CSR), metrics.failures.count(CSR)) == (1, 0)
    assert metrics.latency_ms.count(CSR) > 0


async def test_token_is_read_for_each_call(ca: MeshCa, tmp_path: Path) -> None:
    """A rotated token is used by the next call; the expired one is refused with a hint at its file."""
    token = tmp_path / "token"
    token.write_text("expired")

    def refuse(metadata: Mapping[str, str], _call: int) -> tuple[grpc.StatusCode, str] | None:
        fresh = metadata.get("authorization") == "Bearer fresh"
        return None if fresh else (grpc.StatusCode.UNAUTHENTICATED, "request authenticate failure")

    async with FakeCaServer(ca, CLOCK, refuse=refuse) as server:
        asking = client(plain(server, token=str(token)))
        with pytest.raises(SigningError, match=f"UNAUTHENTICATED after 1 attempt:.*token in {token}"):
            await asking.sign(CSR_PEM, ttl_s=3600)
        token.write_text("fresh")
        await asking.sign(CSR_PEM, ttl_s=3600)


async def test_passing_failures_are_retried(ca: MeshCa) -> None:
    """Codes that may pass are tried again with growing delays; the certificate comes in the end."""
    codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED]

    def refuse(_metadata: Mapping[str, str], call: int) -> tuple[grpc.StatusCode, str] | None:
        return (codes[call - 1], "later") if call <= len(codes) else None

    metrics, waits = SecretMetrics(), Waits()
    async with FakeCaServer(ca, CLOCK, refuse=refuse) as server:
        assert len(await client(plain(server), metrics, waits).sign(CSR_PEM, ttl_s=3600)) == 2
    assert waits.seconds == pytest.approx([0.1, 0.2, 0.4])
    assert (metrics.requests.count(CSR), metrics.failures.count(CSR), metrics.retries.count(CSR)) == (4, 3, 3)


async def test_five_attempts_and_no_more(ca: MeshCa) -> None:
    """A CA that stays away is given up for now, and the error says what to check."""
    async with FakeCaServer(ca, CLOCK) as gone:
        pass
    waits = Waits()
    with pytest.raises(SigningError, match=r"UNAVAILABLE after 5 attempts:.*reachable at 127\.0\.0\.1"):
        await client(plain(gone), waits=waits).sign(CSR_PEM, ttl_s=3600)
    assert len(waits.seconds) == 4


async def test_refusals_are_final(ca: MeshCa) -> None:
    """What will not pass (a bad CSR, a caller without rights) is not asked again."""
    async with FakeCaServer(
        ca, CLOCK, refuse=lambda _metadata, _call: (grpc.StatusCode.INVALID_ARGUMENT, "bad CSR")
    ) as server:
        with pytest.raises(SigningError, match="bad CSR"):
            await client(plain(server)).sign(CSR_PEM, ttl_s=3600)
        assert server.calls == 1


async def test_roots_and_certificate_are_read_for_each_call(ca: MeshCa, tmp_path: Path) -> None:
    """Over TLS: a wrong root is told with its file, a rotated one works at once, a certificate replaces the token."""
    root = tmp_path / "root.pem"
    root.write_bytes(MeshCa(datetime.now(UTC)).root_pem)
    ca.pair(uri="spiffe://cluster.local/ns/default/sa/app").write(tmp_path)
    async with FakeCaServer(ca, CLOCK, credentials=ca.server_credentials(require_client=True)) as server:
        options = UpstreamOptions(
            address=server.address,
            roots=str(root),
            client_chain=str(tmp_path / "cert-chain.pem"),
            client_key=str(tmp_path / "key.pem"),
        )
        with pytest.raises(SigningError, match=f"not signed by a root in {root}"):
            await client(options).sign(CSR_PEM, ttl_s=3600)
        root.write_bytes(ca.root_pem)
        await client(options).sign(CSR_PEM, ttl_s=3600)
        assert "authorization" not in server.metadata
        root.unlink()
        with pytest.raises(SigningError, match="CA_ROOT_CA"):
            await client(options).sign(CSR_PEM, ttl_s=3600)
