from __future__ import annotations

import math
from collections import Counter

import pytest

from examples.demo.claims import (
    judge_hops,
    judge_leftovers,
    judge_move,
    judge_plaintext,
    judge_push_status,
    judge_ready,
    judge_rejections,
    judge_split,
    sigmas_off,
)
from examples.demo.fleet import Resident
from examples.demo.traffic import Hop, Move

EVEN = {"v1": 50, "v2": 50}


@pytest.mark.parametrize(
    ("counts", "weights", "sigmas"),
    [
        ({"v1": 50, "v2": 50}, EVEN, 0.0),
        ({"v1": 60, "v2": 40}, EVEN, 2.0),  # sigma of 100 throws of a coin is 5
        ({"v1": 10}, {"v1": 100, "v2": 0}, 0.0),
        ({"v1": 99, "v2": 1}, {"v1": 100, "v2": 0}, math.inf),
        ({"v1": 50, "v2": 49, "error: 503": 1}, EVEN, math.inf),
        ({}, EVEN, math.inf),
    ],
)
def test_distance_from_the_weights(counts: dict[str, int], weights: dict[str, int], sigmas: float) -> None:
    """In standard deviations of the binomial; what must not happen at all is infinitely far off."""
    assert sigmas_off(counts, weights) == pytest.approx(sigmas)


@pytest.mark.parametrize(("v1", "holds"), [(65, True), (66, False), (34, False)])
def test_a_split_holds_within_three_sigma(v1: int, *, holds: bool) -> None:
    """Of a hundred requests at 50 %, 35 to 65."""
    assert judge_split(Counter({"v1": v1, "v2": 100 - v1}), EVEN).holds is holds


def test_a_failed_request_breaks_the_split_and_is_told() -> None:
    """Not the distance is told then, but what was answered."""
    claim = judge_split(Counter({"v1": 5, "error: 503 no healthy upstream": 5}), EVEN)
    assert not claim.holds
    assert "503 no healthy upstream" in claim.detail


ANSWER = Hop(
    name="productpage",
    version="v1",
    caller="spiffe://client",
    calls=(
        Hop(name="reviews", caller="spiffe://productpage", calls=(Hop(name="ratings", caller="spiffe://reviews"),)),
    ),
)
CALLERS = {"productpage": "spiffe://client", "reviews": "spiffe://productpage", "ratings": "spiffe://reviews"}


def test_hops_hold_if_every_caller_is_the_right_one() -> None:
    """Each hop names its caller by certificate."""
    assert judge_hops(ANSWER, CALLERS).holds


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Hop(name="productpage", caller="spiffe://client"), "reviews was not asked"),
        (Hop(name="productpage"), "somebody without a certificate"),
        (Hop(name="productpage", caller="spiffe://else"), "spiffe://else, want spiffe://client"),
        (Hop(name="productpage", error="503 x"), "503 x"),
        (Hop(name="productpage", caller="spiffe://client"), "longest path has 1 hop"),
    ],
)
def test_hops_do_not_hold_otherwise(answer: Hop, detail: str) -> None:
    """Nobody, somebody else, too few: each is told."""
    claim = judge_hops(answer, CALLERS)
    assert not claim.holds
    assert detail in claim.detail


def test_an_edit_must_settle_and_soon() -> None:
    """Traffic that goes on the old way, or much later, breaks the claim."""
    assert judge_move(Move(last_old_s=0.1, requests=90, settled=True)).holds
    assert not judge_move(Move(last_old_s=0.1, requests=90, settled=False)).holds
    assert not judge_move(Move(last_old_s=9.0, requests=90, settled=True)).holds


def test_one_answer_to_plaintext_breaks_the_claim() -> None:
    """All workloads refuse, or it does not hold; none asked is no proof either."""
    assert judge_plaintext({"a": "connection reset", "b": "connection closed"}).holds
    assert not judge_plaintext({"a": "connection reset", "b": ""}).holds
    assert not judge_plaintext({}).holds


def test_rejections_are_counted_by_envoy() -> None:
    """One rejected update breaks the claim; so does an Envoy without any counter."""
    assert judge_rejections({"a": [0, 0]}).holds
    assert "b rejected 2" in judge_rejections({"a": [0], "b": [1, 1]}).detail
    assert not judge_rejections({"a": []}).holds
    assert not judge_rejections({}).holds


def test_findings_of_the_control_plane_break_the_claim() -> None:
    """YAML, rendering, NACKs: any of them, told with what it is about."""
    assert judge_push_status({"configuration": {}, "rejections": {}}).holds
    claim = judge_push_status({"configuration": {"traffic.yaml:7": {"message": "no valid YAML"}}, "rejections": {}})
    assert (claim.holds, claim.detail) == (False, "traffic.yaml:7: no valid YAML")


def test_all_must_be_ready() -> None:
    """Six of seven is not all, and none of none is nothing."""
    assert judge_ready(7, 7, 1.0).holds
    assert not judge_ready(6, 7, 1.0).holds
    assert not judge_ready(0, 0, 1.0).holds


def test_a_process_left_is_named() -> None:
    """By its id and command, so that it can be ended."""
    claim = judge_leftovers([Resident(7, 1, "envoy -c x", 0)])
    assert (claim.holds, claim.detail) == (False, "7 envoy -c x")
    assert judge_leftovers([]).holds
