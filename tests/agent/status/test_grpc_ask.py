"""A gRPC health check over a connection of its own."""

from __future__ import annotations

import pytest

from agent.status.grpc_ask import ask_grpc
from agent.status.grpc_health import HealthError
from tests.kit.grpc_health_server import health_server
from tests.kit.tcp_server import scripted_server


async def test_only_serving_is_well() -> None:
    """Everything else is an error that says what was heard."""
    async with health_server(good=1, bad=2) as port:
        await ask_grpc("127.0.0.1", port, "good")
        with pytest.raises(HealthError, match="NOT_SERVING"):
            await ask_grpc("127.0.0.1", port, "bad")
    async with scripted_server(lambda _: None) as server:
        with pytest.raises(HealthError, match="closed"):
            await ask_grpc("127.0.0.1", server.port, "good")
    with pytest.raises(OSError, match=r"\[Errno|refused"):
        await ask_grpc("127.0.0.1", 1, "good")
