from __future__ import annotations

from discovery.translate.filters.http import Side
from discovery.translate.listeners.spec import (
    EVERYTHING,
    Chain,
    HttpTarget,
    ListenerShape,
    ListenerSpec,
    TcpTarget,
    WeightedCluster,
)


def _spec(cluster: str) -> ListenerSpec:
    target = TcpTarget(stat_prefix=cluster, clusters=(WeightedCluster(cluster),))
    return ListenerSpec("l", ("10.0.0.1",), 1, ListenerShape(side=Side.OUTBOUND), (Chain(target=target),))


def test_equal_specs_are_one_key() -> None:
    """Specs are keys: equal by content, different when any part differs."""
    assert _spec("a") == _spec("a")
    assert hash(_spec("a")) == hash(_spec("a"))
    assert _spec("a") != _spec("b")


def test_chain_knows_whether_it_speaks_http() -> None:
    """The target decides."""
    assert Chain(target=HttpTarget(stat_prefix="s", routes="80")).http
    assert not _spec("a").chains[0].http
    assert not any(EVERYTHING)
