"""Rules of PeerAuthentication."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.peer_authentication import PeerAuthentication
from discovery.schema.proto_json import Problem
from discovery.validation.fields import check_port, check_selector, error

__all__ = ["check_peer_authentication"]


def check_peer_authentication(spec: PeerAuthentication) -> Iterator[Problem]:
    """What is wrong with the policy."""
    yield from check_selector(spec.selector, "spec.selector")
    if spec.port_level_mtls and (spec.selector is None or not spec.selector.wanted):
        yield error("spec.portLevelMtls", "want a selector too: ports are those of workloads", "add spec.selector")
    for port in spec.port_level_mtls:
        yield from check_port(port, f"spec.portLevelMtls[{port}]")
