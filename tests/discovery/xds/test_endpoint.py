"""A gRPC server as a service: it binds or says why not, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from discovery.xds.endpoint import GrpcEndpoint, GrpcSettings


async def test_the_port_is_known_once_bound_and_taken_for_others() -> None:
    """A second server at the same port is a mistake, found before anything serves."""
    async with GrpcEndpoint("one", "127.0.0.1:0", []) as one:
        assert one.port > 0
        with pytest.raises(OSError, match=f"two: cannot listen at 127.0.0.1:{one.port}"):
            await GrpcEndpoint("two", f"127.0.0.1:{one.port}", []).__aenter__()


async def test_the_socket_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    """Whoever may open it is believed to be our own Envoy."""
    path = tmp_path / "s"
    async with GrpcEndpoint("private", f"unix:{path}", []) as endpoint:
        assert (endpoint.port, path.stat().st_mode & 0o777) == (0, 0o600)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(endpoint.run())
            await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
    assert not path.exists()


def test_settings_become_options() -> None:
    """A connection may last for ever unless an age is set."""
    assert "grpc.max_connection_age_ms" not in dict(GrpcSettings().options())
    options = dict(GrpcSettings(keepalive_s=1.5, max_connection_age_s=60).options())
    assert (options["grpc.keepalive_time_ms"], options["grpc.max_connection_age_ms"]) == (1500, 60_000)
    assert options["grpc.so_reuseport"] == 0


def test_what_clients_send_ahead_stays_with_them() -> None:
    """A thousand streams that tell us 300 KB each at once are read one message at a time; the room does not grow."""
    options = dict(GrpcSettings().options())
    assert options["grpc.http2.lookahead_bytes"] <= 16_384
    assert options["grpc.http2.bdp_probe"] == 0
