from __future__ import annotations

import pytest

from agent.capture.rules import BUILT_IN_CHAINS, Chain, Family, family_of


@pytest.mark.parametrize(
    ("address", "family"),
    [("10.0.0.0/8", Family.IPV4), ("127.0.0.53", Family.IPV4), ("2001:db8::/32", Family.IPV6), ("::1", Family.IPV6)],
)
def test_family_of_an_address(address: str, family: Family) -> None:
    """By its form, with or without a length."""
    assert family_of(address) is family


def test_chains_are_the_kernels_or_carry_our_prefix() -> None:
    """So cleaning knows ours by their names."""
    assert all(chain in BUILT_IN_CHAINS or chain.startswith("ISTIO_") for chain in Chain)
