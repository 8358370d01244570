"""Memory goes back after large responses."""

from __future__ import annotations

from agent.xds_proxy.heap import HeapKeeper
from tests.kit.eventually import eventually


async def test_large_responses_are_followed_by_one_trim() -> None:
    """Small ones by none, several that come together by one, later ones by another."""
    trims: list[None] = []
    keeper = HeapKeeper(trim=lambda: trims.append(None), rest_s=0.01)
    keeper.on_relayed(1000)
    for _ in range(3):
        keeper.on_relayed(1 << 20)
    assert trims == []
    await eventually(lambda: len(trims) == 1)
    keeper.on_relayed(1 << 20)
    await eventually(lambda: len(trims) == 2)
