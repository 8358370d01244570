from __future__ import annotations

import pytest

from discovery.registry.protocol import parse_protocol
from discovery.registry.service import Protocol
from discovery.validation.protocols import HTTP_PROTOCOLS, TLS_PROTOCOLS, check_protocol


@pytest.mark.parametrize(
    "name", [*HTTP_PROTOCOLS, *TLS_PROTOCOLS, "tcp", "udp", "Mongo", "redis", "mysql", "http_proxy"]
)
def test_names_are_those_that_the_registry_reads(name: str) -> None:
    """In any case, and each of them is a protocol there too."""
    assert list(check_protocol(name, "x")) == []
    assert parse_protocol(name) is not Protocol.UNSUPPORTED


@pytest.mark.parametrize("name", ["", "smtp", "http/1.1"])
def test_other_names_are_errors(name: str) -> None:
    """A typo would turn a port into one that is sniffed."""
    assert [problem.path for problem in check_protocol(name, "x")] == ["x"]
