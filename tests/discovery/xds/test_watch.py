"""What a request tells of our last response."""

from __future__ import annotations

import pytest

from discovery.wire.type_urls import CLUSTER
from discovery.xds.delta import Delta
from discovery.xds.names import NameSets
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.watch import Sent, Verdict, Watch, judge
from tests.kit.xds_world import proxy_key, small_world


def watch() -> Watch:
    session = Session(small_world(), proxy_key(), Delta(), number=1)
    made = Watch(session, CLUSTER, NameSets().of(frozenset(), wildcard=True))
    made.nonce = "7"
    return made


def asks(nonce: str = "", *, error: str | None = None, delta: bool = True) -> Request:
    return Request(type_url=CLUSTER, nonce=nonce, error=error, names=None if delta else frozenset())


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (asks("7"), Verdict.ACK),
        (asks("7", error="no"), Verdict.NACK),
        (asks("6"), Verdict.STALE),
        (asks("6", error="no"), Verdict.STALE),
        (asks(), Verdict.SPONTANEOUS),
        (asks(delta=False), Verdict.FIRST),
        (asks(error="no", delta=False), Verdict.NACK),
    ],
)
def test_requests_are_judged_by_their_nonce(request_: Request, wanted: Verdict) -> None:
    """The nonce says which response is meant, the error whether it was taken."""
    assert judge(watch(), request_) is wanted


def test_without_a_watch_every_request_is_the_first() -> None:
    """Also one that presents the nonce of another stream."""
    assert judge(None, asks("7")) is Verdict.FIRST


def test_names_in_flight_are_one_set() -> None:
    """However many shared sets they are made of."""
    assert Sent("1", (frozenset("a"), frozenset("b")), b"").all_names() == {"a", "b"}
