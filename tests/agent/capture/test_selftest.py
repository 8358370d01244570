from __future__ import annotations

import socket

import pytest

from agent.capture.selftest import Probe, ValidationError, original_destination, probes, validate_capture


def test_probes_for_each_family() -> None:
    """The addresses whose rule every configuration has."""
    v4, v6 = probes(ports=(15001, 15006), probe_port=15002, ipv6=True)
    assert (v4.listen, v4.target, v4.target_port) == ("127.0.0.1", "127.0.0.6", 15002)
    assert (v6.listen, v6.target) == ("::1", "::6")
    assert len(probes(ports=(1,), probe_port=2, ipv6=False)) == 1


async def test_traffic_that_nobody_captures_is_told() -> None:
    """With the addresses, and where to look."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        probe = Probe(listen="127.0.0.1", ports=(0,), target="127.0.0.1", target_port=closed.getsockname()[1])
        with pytest.raises(ValidationError, match=r"nobody came to 127\.0\.0\.1 ports 0 within 0\.01 s"):
            await validate_capture([probe], uid=None, timeout_s=0.01)


async def test_taken_ports_are_told() -> None:
    """An agent that runs already would take the calls."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        probe = Probe(listen="127.0.0.1", ports=(taken.getsockname()[1],), target="127.0.0.1", target_port=1)
        with pytest.raises(ValidationError, match="cannot listen on 127"):
            await validate_capture([probe], uid=None, timeout_s=5)


def test_a_plain_connection_has_no_original_destination() -> None:
    """Only the kernel's address translation knows one."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        with connection:
            try:
                assert original_destination(connection) == server.getsockname()
            except OSError:
                return  # connections are not tracked here
