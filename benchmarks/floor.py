"""The floor: a bare ``grpc.aio`` server that answers every stream with ready bytes and knows nothing.

It takes the flags of ``pilot-discovery discovery`` that the runner gives, reads only the file names of the directory,
and pushes one ready resource per file that changes. What it costs is the price of gRPC in Python; whatever a
control plane costs above it is the control plane's own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import grpc.aio
from watchfiles import awatch

from discovery.wire.envoy import DeltaDiscoveryRequest
from discovery.wire.names import outbound_cluster, virtual_host_resource
from discovery.wire.protowire import bytes_field, string_field, uint_field
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST

__all__ = ["Floor", "main", "serve"]

_ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LARGE = 65_536
_ADMITTED = 16  # large responses on their way at once
_PUSHED = {"endpoints": (ENDPOINT,), "policies": (VIRTUAL_HOST,), "services": (CLUSTER, ENDPOINT, VIRTUAL_HOST)}


def _cluster(service: str, edition: int) -> tuple[str, bytes]:
    name = outbound_cluster(f"{service}.svc.cluster.local", 80)
    padding = string_field(28, f"{edition:<1150}")  # as large as istiod's with auto mTLS
    return name, string_field(1, name) + uint_field(2, 3) + bytes_field(3, string_field(2, name)) + padding


def _assignment(service: str, edition: int) -> tuple[str, bytes]:
    name = outbound_cluster(f"{service}.svc.cluster.local", 80)
    address = bytes_field(1, bytes_field(1, string_field(2, f"10.0.0.{edition % 250}") + uint_field(3, 8080)))
    endpoint = bytes_field(2, bytes_field(1, address) + string_field(5, "x" * 80))
    return name, string_field(1, name) + bytes_field(2, endpoint * 10)


def _virtual_host(service: str, edition: int) -> tuple[str, bytes]:
    name = virtual_host_resource("80", f"{service}.svc.cluster.local:80")
    return name, string_field(1, name) + string_field(2, service) + string_field(3, f"{edition:<400}")


def _listener() -> tuple[str, bytes]:
    manager = string_field(1, _HCM) + bytes_field(2, bytes_field(3, string_field(2, "80")))
    return "0.0.0.0_80", string_field(1, "0.0.0.0_80") + bytes_field(3, bytes_field(3, bytes_field(4, manager)))


def _route() -> tuple[str, bytes]:
    return "80", string_field(1, "80") + bytes_field(9, b"")


_PER_SERVICE = {CLUSTER: _cluster, ENDPOINT: _assignment, VIRTUAL_HOST: _virtual_host}


class Floor:
    """Ready responses by type, and a queue per stream for what is pushed."""

    def __init__(self, services: Sequence[str]) -> None:
        self._edition = 0
        self._admitted = asyncio.Semaphore(_ADMITTED)
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._ready = {t: self._response(t, services) for t in _PER_SERVICE}
        self._ready[LISTENER] = _delta(LISTENER, [_listener()], 0)
        self._ready[ROUTE] = _delta(ROUTE, [_route()], 0)

    def _response(self, type_url: str, services: Sequence[str]) -> bytes:
        return _delta(type_url, [_PER_SERVICE[type_url](s, self._edition) for s in services], self._edition)

    def push(self, folder: str, service: str) -> None:
        """Send every stream what the change of a file in that folder stands for."""
        self._edition += 1
        for type_url in _PUSHED.get(folder, ()):
            response = self._response(type_url, [service])
            for queue in self._queues:
                queue.put_nowait(response)

    async def stream(self, _requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[object, bytes]) -> None:
        """One delta stream."""
        answered: set[str] = set()
        queue: asyncio.Queue[bytes] = asyncio.Queue()  # bounded by the number of edits the runner makes
        self._queues.add(queue)
        try:
            async with asyncio.TaskGroup() as group:
                pushing = group.create_task(self._write(queue, context), name="push")
                while isinstance(data := await context.read(), bytes):
                    type_url, is_first, has_versions = _request(data)
                    if is_first and type_url not in answered:
                        answered.add(type_url)
                        if has_versions or type_url not in self._ready:
                            continue
                        queue.put_nowait(self._ready[type_url])
                pushing.cancel()
        finally:
            self._queues.discard(queue)

    async def _write(self, queue: asyncio.Queue[bytes], context: grpc.aio.ServicerContext[object, bytes]) -> None:
        while True:
            data = await queue.get()
            if len(data) < _LARGE:
                await context.write(data)
                continue
            async with self._admitted:  # or each of a thousand streams would hold a copy of it in gRPC's buffers
                await context.write(data)


def _delta(type_url: str, resources: Sequence[tuple[str, bytes]], edition: int) -> bytes:
    body = b"".join(
        bytes_field(
            2,
            string_field(1, str(edition + 1))
            + bytes_field(2, string_field(1, type_url) + bytes_field(2, value))
            + string_field(3, name),
        )
        for name, value in resources
    )
    return body + string_field(4, type_url) + string_field(5, f"{edition}")


def _request(data: object) -> tuple[str, bool, bool]:
    """Type URL, whether it is no ACK, and whether the client told what it holds."""
    request = DeltaDiscoveryRequest.FromString(data)
    return request.type_url, not request.response_nonce, bool(request.initial_resource_versions)


async def serve(floor: Floor, address: str) -> tuple[grpc.aio.Server, int]:
    """A running server and the port it is bound to."""
    server = grpc.aio.server()
    handlers = {"DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(floor.stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_ADS, handlers),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


async def _answer_ready(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def _service_name(path: Path) -> str:
    """``<service>.<namespace>`` of ``<namespace>-<service>.yaml``."""
    namespace, _, service = path.stem.partition("-")
    return f"{service}.{namespace}"


async def _serve(arguments: argparse.Namespace) -> None:
    root: Path = arguments.configDir
    names = [_service_name(path) for path in sorted((root / "endpoints").glob("*.yaml"))]
    floor = Floor([name for name in names if not name.endswith(".elsewhere")])
    server, _ = await serve(floor, arguments.grpcAddr)
    host, _, port = arguments.httpAddr.rpartition(":")
    async with await asyncio.start_server(_answer_ready, host, int(port)):
        async for changes in awatch(root):
            _push_changes(floor, {Path(text) for _, text in changes if text.endswith(".yaml")})
    await server.stop(0)  # also keeps it: a server that nobody refers to stops


def _push_changes(floor: Floor, paths: set[Path]) -> None:
    for path in sorted(paths):
        name, folder = _service_name(path), path.parent.name
        if not name.endswith(".elsewhere") and not (folder == "endpoints" and _added(path, paths)):
            floor.push(folder, name)


def _added(path: Path, paths: set[Path]) -> bool:
    """Whether the endpoints belong to a service that came with them."""
    return path.parents[1] / "services" / path.name in paths


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--configDir", type=Path, required=True)
    parser.add_argument("--grpcAddr", required=True)
    parser.add_argument("--httpAddr", required=True)
    arguments, _ = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    asyncio.run(_serve(arguments))


if __name__ == "__main__":
    main()
