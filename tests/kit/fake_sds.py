"""The agent's SDS socket without the agent: secrets of one workload, for an Envoy of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio

from discovery.wire.envoy import DiscoveryRequest, DiscoveryResponse
from discovery.wire.reflection import load_type
from tests.kit.mesh_ca import MeshCa, Pair

__all__ = ["secrets_at"]

_SERVICE = "envoy.service.secret.v3.SecretDiscoveryService"
_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

_Context = grpc.aio.ServicerContext[bytes, bytes]


class _Secrets:
    """By name: the workload's own, or whatever file is meant."""

    def __init__(self, ca: MeshCa, pair: Pair) -> None:
        self._ca = ca
        self._pair = pair

    def __call__(self, name: str) -> bytes:
        secret = load_type("envoy.extensions.transport_sockets.tls.v3.Secret")(name=name)
        if name == "ROOTCA" or name.startswith("file-root:"):
            secret.validation_context.trusted_ca.inline_bytes = self._ca.root_pem
        else:
            secret.tls_certificate.certificate_chain.inline_bytes = self._pair.chain
            secret.tls_certificate.private_key.inline_bytes = self._pair.key
        data: bytes = secret.SerializeToString()
        return data


@asynccontextmanager
async def secrets_at(socket: Path, ca: MeshCa, pair: Pair) -> AsyncIterator[None]:
    """Serve secrets of any name over a Unix socket while the block runs: roots by their names, else the pair."""
    secret = _Secrets(ca, pair)

    async def stream(_requests: object, context: _Context) -> None:
        while isinstance(data := await context.read(), bytes):
            request = DiscoveryRequest.FromString(data)
            if request.response_nonce:
                continue
            resources = [{"type_url": _TYPE, "value": secret(name)} for name in request.resource_names]
            answer = DiscoveryResponse(version_info="1", nonce="1", type_url=_TYPE, resources=resources)
            await context.write(answer.SerializeToString())

    server = grpc.aio.server()
    handlers = {"StreamSecrets": grpc.stream_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await asyncio.shield(server.stop(0))
