"""Asks an application for its gRPC health, over a connection that traffic capture lets pass."""

from __future__ import annotations

from agent.status.grpc_health import HealthCall
from agent.status.probe_connection import connect

__all__ = ["ask_grpc"]

_CHUNK = 16 * 1024


async def ask_grpc(host: str, port: int, service: str) -> None:
    """Return when the service says SERVING. The caller bounds the time.

    Raises:
        HealthError: it says something else, or nothing that can be understood.
        OSError: nobody takes the connection.
    """
    reader, writer = await connect(host, port)
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    call = HealthCall(authority=authority, service=service)
    try:
        writer.write(call.opening)
        while not call.done:
            await writer.drain()
            data = await reader.read(_CHUNK)
            if not data:
                raise call.end()
            writer.write(call.receive(data))
    finally:
        writer.close()
