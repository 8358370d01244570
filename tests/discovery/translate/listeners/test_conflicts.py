from __future__ import annotations

import pytest

from discovery.registry.service import Protocol
from discovery.translate.listeners.conflicts import Attempt, Entry, sniffed
from discovery.translate.listeners.spec import EVERYTHING, Chain, ChainMatch, HttpTarget, TcpTarget, WeightedCluster


def _chain(cluster: str, match: ChainMatch = EVERYTHING) -> Chain:
    return Chain(match=match, target=TcpTarget(stat_prefix=cluster, clusters=(WeightedCluster(cluster),)))


def _http(name: str, *, sniff: bool = True) -> Attempt:
    return Attempt(None, Protocol.HTTP, http=HttpTarget(stat_prefix=name, routes=name), sniff=sniff)


def _tcp(name: str, match: ChainMatch = EVERYTHING, protocol: Protocol = Protocol.TCP) -> Attempt:
    return Attempt(None, protocol, tcp=(_chain(name, match),))


def _auto(name: str) -> Attempt:
    target = HttpTarget(stat_prefix=name, routes=name)
    return Attempt(None, Protocol.UNSUPPORTED, tcp=(_chain(name),), http=target, sniff=True)


def _told(entry: Entry) -> list[tuple[str, bool]]:
    """Of each chain whom it belongs to, and whether it takes everything."""
    return [(chain.target.stat_prefix, chain.match == EVERYTHING) for chain in entry.chains(http10=False)]


@pytest.mark.parametrize(
    ("first", "second", "chains", "refused"),
    [
        (_http("a"), _http("b"), [("a", False)], False),
        (_http("a"), _tcp("b"), [("b", True), ("a", False)], False),
        (_http("a"), _auto("b"), [("b", True), ("a", False)], False),
        (_tcp("a"), _http("b"), [("a", True), ("b", False)], False),
        (_tcp("a"), _tcp("b"), [("a", True)], True),
        (_tcp("a"), _auto("b"), [("a", True), ("b", False)], True),
        (_auto("a"), _http("b"), [("a", True), ("a", False)], False),
        (_auto("a"), _tcp("b"), [("a", True), ("a", False)], True),
        (_auto("a"), _auto("b"), [("a", True), ("a", False)], True),
    ],
)
def test_two_services_on_one_port(
    first: Attempt, second: Attempt, chains: list[tuple[str, bool]], refused: bool
) -> None:
    """The older keeps what both claim; what Envoy can tell apart is merged; what is left out is reported."""
    entry = Entry(first)
    assert bool(entry.claim(second)) is refused
    assert _told(entry) == chains


def test_http_on_a_bound_address_is_replaced_by_a_sniffing_one() -> None:
    """Where HTTP takes everything, a port of unknown protocol brings the chain that looks first."""
    entry = Entry(_http("a", sniff=False))
    assert entry.claim(_auto("b")) == ""
    assert _told(entry) == [("b", True), ("b", False)]


def test_http_that_takes_everything_leaves_nothing_to_tcp() -> None:
    """TCP without a match of its own cannot be told from HTTP that is not sniffed; by name it can."""
    entry = Entry(_http("a", sniff=False))
    assert entry.claim(_tcp("b"))
    assert entry.claim(_tcp("c", ChainMatch(server_names=("c",)))) == ""
    assert _told(entry) == [("c", False), ("a", True)]


def test_exclusive_protocols_share_with_nobody() -> None:
    """Mongo and MySQL read the first bytes themselves."""
    entry = Entry(_tcp("a", protocol=Protocol.MYSQL))
    assert "cannot share" in entry.claim(_http("b"))
    assert entry.claim(_tcp("c", ChainMatch(subnets=("10.0.0.0/8",)), Protocol.MYSQL)) == ""


def test_locked_entries_stay() -> None:
    """What a Sidecar spells out is not changed by what its catch-all brings, and nobody is blamed."""
    entry = Entry(_tcp("a"))
    entry.locked = True
    assert entry.claim(_http("b")) == ""
    assert _told(entry) == [("a", True)]


def test_grpc_web_is_for_all_of_the_port() -> None:
    """One gRPC-Web service on a shared port is enough to need its filter, whoever came first."""
    entry = Entry(_http("a"))
    web = HttpTarget(stat_prefix="a", routes="a", grpc_web=True)
    entry.claim(Attempt(None, Protocol.GRPC_WEB, http=web, sniff=True))
    assert entry.http == web


def test_http10_is_sniffed_on_request() -> None:
    """HTTP/1.0 is taken for HTTP only where the proxy accepts it."""
    assert "http/1.0" not in sniffed(http10=False).alpn
    assert "http/1.0" in sniffed(http10=True).alpn


def _match(subnets: str = "", names: str = "") -> ChainMatch:
    return ChainMatch(subnets=tuple(subnets.split()), server_names=tuple(names.split()))


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (_match(names="a b"), _match(names="b c"), _match(names="c")),
        (_match(names="a b"), _match(names="b"), None),
        (_match("10.0.0.0/8", "a"), _match("11.0.0.0/8", "a"), _match("11.0.0.0/8", "a")),
        (_match("10.0.0.0/8 11.0.0.0/8"), _match("11.2.3.4/8 12.0.0.0/8"), _match("12.0.0.0/8")),
        (_match("10.0.0.0/8"), _match("10.9.9.9/8"), None),
        (_match("10.0.0.0/8"), _match("10.0.0.0/16"), _match("10.0.0.0/16")),
        (_match("10.0.0.1"), _match("10.0.0.1/32"), None),
        (_match("10.0.0.0/8", "a b"), _match("10.0.0.0/8 11.0.0.0/8", "b c"), _match("10.0.0.0/8 11.0.0.0/8", "c")),
        (_match("10.0.0.0/8", "a b"), _match("10.0.0.0/8 11.0.0.0/8", "a b"), _match("11.0.0.0/8", "a b")),
        (_match("fd00::/8"), _match("fd00:0::/8"), None),
    ],
)
def test_of_a_later_chain_stays_what_no_earlier_one_has(
    first: ChainMatch, second: ChainMatch, left: ChainMatch | None
) -> None:
    """Two chains for one name at one range are a listener that Envoy refuses, with all services on it."""
    entry = Entry(_tcp("a", first))
    assert bool(entry.claim(_tcp("b", second))) is (left is None)
    found = {chain.target.stat_prefix: chain.match for chain in entry.chains(http10=False)}
    assert found == {"a": first} | ({"b": left} if left is not None else {})
    together = Entry(Attempt(None, Protocol.TCP, tcp=(_chain("a", first), _chain("b", second))))
    assert {chain.target.stat_prefix: chain.match for chain in together.chains(http10=False)} == found
