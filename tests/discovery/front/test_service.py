"""A live front: who gets in, what the server is told, and that it comes back when it falls."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from discovery.front.service import Front, FrontError, ServingCertificate
from discovery.runtime.envoy_binary import find_envoy
from tests.kit.mesh_ca import MeshCa

pytestmark = pytest.mark.envoy
IDENTITY = "spiffe://cluster.local/ns/shop/sa/vm"


async def tell_caller(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    """Answer with the header that says whose certificate it was."""
    metadata = dict(context.invocation_metadata() or ())
    return str(metadata.get("x-forwarded-client-cert", "")).encode()


@asynccontextmanager
async def front(tmp_path: Path, ca: MeshCa, *, binary: str = "") -> AsyncIterator[Front]:
    path = str(tmp_path / "server.sock")
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(tell_caller)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Tell": method}),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    serving = ca.pair()

    def certificate() -> ServingCertificate:
        return ServingCertificate(serving.chain.decode(), serving.key.decode(), ca.root_pem.decode())

    service = Front(
        binary=binary or str(find_envoy()), host="127.0.0.1", port=0, upstream_path=path, certificate=certificate
    )
    try:
        async with service:
            yield service
    finally:
        await server.stop(None)


async def tell(port: int, ca: MeshCa, *, uri: str = "", header: str = "", own_ca: MeshCa | None = None) -> str:
    """What the server was told of a caller with a certificate for ``uri``, or none."""
    pair = (own_ca or ca).pair(uri=uri) if uri else None
    credentials = grpc.ssl_channel_credentials(
        root_certificates=ca.root_pem,
        private_key=pair.key if pair else None,
        certificate_chain=pair.chain if pair else None,
    )
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        call = channel.unary_unary("/test.Echo/Tell", None, None)
        metadata = (("x-forwarded-client-cert", header),) if header else ()
        async with asyncio.timeout(20):
            answer: bytes = await call(b"", metadata=metadata)
    return answer.decode()


@pytest.fixture(scope="module")
def ca() -> MeshCa:
    return MeshCa(datetime.now(UTC))


async def test_a_certificate_is_asked_for_but_not_demanded(tmp_path: Path, ca: MeshCa) -> None:
    """With one the server learns whose, without one it learns nothing, and a forged header is gone."""
    async with front(tmp_path, ca) as service:
        assert f"URI={IDENTITY}" in await tell(service.port, ca, uri=IDENTITY)
        assert await tell(service.port, ca) == ""
        assert await tell(service.port, ca, header="URI=spiffe://cluster.local/ns/a/sa/admin") == ""


async def test_a_certificate_of_an_unknown_root_breaks_the_handshake(tmp_path: Path, ca: MeshCa) -> None:
    """Security fails closed: not even as an anonymous caller."""
    async with front(tmp_path, ca) as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await tell(service.port, ca, uri=IDENTITY, own_ca=MeshCa(datetime.now(UTC)))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_fallen_front_is_started_again_on_its_port(tmp_path: Path, ca: MeshCa) -> None:
    """Callers find the same port."""
    async with front(tmp_path, ca) as service:
        port, process = service.port, service._process
        assert process is not None
        assert process.pid is not None
        running = asyncio.ensure_future(service.run())
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        credentials = grpc.ssl_channel_credentials(root_certificates=ca.root_pem)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel, asyncio.timeout(30):
            await channel.unary_unary("/test.Echo/Tell", None, None)(b"", wait_for_ready=True)
        assert service.port == port
        running.cancel()


async def test_an_envoy_that_cannot_start_says_why(tmp_path: Path, ca: MeshCa) -> None:
    """The error names what the process said or how it ended."""
    with pytest.raises(FrontError, match="front Envoy"):
        async with front(tmp_path, ca, binary="/bin/false"):
            pass


async def test_nothing_is_left_behind(tmp_path: Path, ca: MeshCa) -> None:
    """Neither process nor private files."""
    async with front(tmp_path, ca) as service:
        process, directory = service._process, service._directory
        assert directory.exists()
    assert process is not None
    assert process.exit is not None
    assert not directory.exists()
