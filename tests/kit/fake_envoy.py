"""The downstream end as the test speaks it: a gRPC client on the agent's Unix sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

import grpc.aio

from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse
from tests.kit.fake_istiod import ADS

__all__ = ["SDS", "DownstreamClient"]

SDS = "envoy.service.secret.v3.SecretDiscoveryService"


class DownstreamClient:
    """One connection with one stream: ``async with DownstreamClient(socket) as envoy``.

    Args:
        socket: of the agent's server.
        rpc: of the stream.
        service: ADS or SDS.
        epoch: how many Envoys there were before this one; 0 is not told.
    """

    def __init__(
        self, socket: Path, *, rpc: str = "StreamAggregatedResources", service: str = ADS, epoch: int = 0
    ) -> None:
        self._metadata = (("x-envoy-epoch", str(epoch)),) if epoch else None
        self._target = f"unix:{socket}"
        self._method = f"/{service}/{rpc}"
        self._delta = rpc.startswith("Delta")

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(
            self._target, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        )
        self._call = self._channel.stream_stream(self._method, None, None)(None, metadata=self._metadata)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close(None)

    async def send(self, request: DiscoveryRequest | DeltaDiscoveryRequest) -> None:
        """Send a request."""
        await self._call.write(request.SerializeToString())

    async def ask(self, type_url: str, *names: str, nonce: str = "", node: str = "") -> None:
        """Send a request made of the usual parts."""
        node_field = {"node": {"id": node}} if node else {}
        if self._delta:
            request = DeltaDiscoveryRequest(
                type_url=type_url, resource_names_subscribe=names, response_nonce=nonce, **node_field
            )
        else:
            request = DiscoveryRequest(type_url=type_url, resource_names=names, response_nonce=nonce, **node_field)
        await self.send(request)

    async def read(self) -> DiscoveryResponse | DeltaDiscoveryResponse:
        """The next response, decoded by the generated classes; fails when the stream ended."""
        async with asyncio.timeout(5):
            data = await self._call.read()
        if not isinstance(data, bytes):
            raise EOFError("the stream ended")
        return (DeltaDiscoveryResponse if self._delta else DiscoveryResponse).FromString(data)

    async def nothing_comes(self, within_s: float = 0.05) -> bool:
        """Whether the server stays silent that long. Spoils the stream: use it last."""
        try:
            async with asyncio.timeout(within_s):
                await self._call.read()
        except TimeoutError:
            return True
        return False

    async def half_close(self) -> None:
        """Say that no more requests come."""
        await self._call.done_writing()

    async def status(self) -> tuple[str, str]:
        """Code and details once the stream has ended."""
        async with asyncio.timeout(5):
            return (await self._call.code()).name, await self._call.details()
