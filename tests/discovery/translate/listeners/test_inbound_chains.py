from __future__ import annotations

import itertools

import pytest

from discovery.registry.service import ProtocolClass
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.listeners.inbound_chains import inbound_slots

FAMILIES = (ProtocolClass.HTTP, ProtocolClass.TCP, ProtocolClass.AUTO)
MODES = (MutualTLSMode.STRICT, MutualTLSMode.PERMISSIVE, MutualTLSMode.DISABLE)


@pytest.mark.parametrize(("family", "mode"), tuple(itertools.product(FAMILIES, MODES)))
def test_chains_differ_by_match(family: ProtocolClass, mode: MutualTLSMode) -> None:
    """No two chains of a port take the same connections, and each names its transport."""
    slots = inbound_slots(family, mode)
    assert len({(slot.transport, slot.alpn) for slot in slots}) == len(slots)
    assert all(slot.transport for slot in slots)


@pytest.mark.parametrize("family", FAMILIES)
def test_strict_takes_mutual_tls_only(family: ProtocolClass) -> None:
    """A strict port has no chain that does without mutual TLS."""
    assert all(slot.mtls for slot in inbound_slots(family, MutualTLSMode.STRICT))


@pytest.mark.parametrize("family", FAMILIES)
def test_disabled_does_not_look_for_tls(family: ProtocolClass) -> None:
    """With mutual TLS off nothing terminates TLS, and no chain asks for it to be found."""
    assert not any(slot.mtls or slot.transport == "tls" for slot in inbound_slots(family, MutualTLSMode.DISABLE))


@pytest.mark.parametrize("family", FAMILIES)
def test_permissive_asks_for_a_mark_of_the_mesh(family: ProtocolClass) -> None:
    """Where other TLS may come too, mutual TLS is terminated only for ALPN that applications do not offer."""
    mtls = [slot for slot in inbound_slots(family, MutualTLSMode.PERMISSIVE) if slot.mtls]
    assert mtls
    assert all(name.startswith("istio") for slot in mtls for name in slot.alpn)
    assert all(slot.alpn for slot in mtls)


def test_http_is_never_read_from_tls_that_is_not_terminated() -> None:
    """An HTTP chain either terminates TLS or takes plaintext."""
    for family, mode in itertools.product(FAMILIES, MODES):
        assert all(slot.mtls or slot.transport != "tls" for slot in inbound_slots(family, mode) if slot.http)


def test_udp_has_no_chains() -> None:
    """UDP ports are none of ours."""
    assert inbound_slots(ProtocolClass.UDP, MutualTLSMode.STRICT) == ()
