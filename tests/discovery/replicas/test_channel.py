"""How replicas connect. The handshake itself is tested with real processes, in tests/integration/test_replicas.py."""

from __future__ import annotations

import pytest

from certs.bundle import TrustBundles, load_bundle
from certs.path import Purpose
from certs.pem import load_certificates
from certs.verify import verify_peer
from discovery.replicas.channel import member_identity, replica_credentials, target_of
from tests.kit.certs import NOW, TRUST_DOMAIN, root_ca


@pytest.mark.parametrize(
    ("address", "target"), [("10.0.0.1", "10.0.0.1:15012"), ("fd00::1", "[fd00::1]:15012")], ids=["IPv4", "IPv6"]
)
def test_address_of_a_pod_is_written_as_grpc_takes_it(address: str, target: str) -> None:
    """Both families."""
    assert target_of(address, 15012) == target


def test_certificate_says_that_we_are_a_replica() -> None:
    """Of this namespace, verified with the authority's roots as a client's."""
    ca, member = root_ca(), member_identity(TRUST_DOMAIN, "istio-system")
    shown = replica_credentials(ca, member, roots_pem=ca.roots.to_pem().decode(), now=NOW)
    roots, _ = load_bundle(shown.roots_pem, where="roots")
    chain = load_certificates(shown.chain_pem, where="chain")
    bundles = TrustBundles({TRUST_DOMAIN: roots})
    found = verify_peer(chain, bundles, at=NOW, purpose=Purpose.CLIENT, where="peer")
    assert found == member
    assert str(member) == f"spiffe://{TRUST_DOMAIN}/ns/istio-system/sa/pilot-discovery"


def test_key_is_not_printed() -> None:
    """Not even in a traceback with values."""
    ca = root_ca()
    shown = replica_credentials(ca, member_identity(TRUST_DOMAIN, "x"), roots_pem="", now=NOW)
    assert "KEY" not in repr(shown)
