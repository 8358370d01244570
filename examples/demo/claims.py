"""What the demo claims, and whether what was seen bears it out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from examples.demo.fleet import Resident
from examples.demo.traffic import Hop, Move

__all__ = [
    "Claim",
    "judge_hops",
    "judge_leftovers",
    "judge_move",
    "judge_plaintext",
    "judge_push_status",
    "judge_ready",
    "judge_rejections",
    "judge_split",
    "sigmas_off",
]

MOVED_WITHIN_S: Final = 2.0
_SIGMAS: Final = 3.0


class Claim(NamedTuple):
    """Something that the mesh is said to do; ``detail`` is what was seen."""

    what: str
    holds: bool
    detail: str


def judge_ready(ready: int, wanted: int, seconds: float) -> Claim:
    """All Envoys run and have their configuration."""
    return Claim(
        "every Envoy is ready", ready == wanted and ready > 0, f"{ready} of {wanted}, {seconds:.1f} s after the start"
    )


def judge_rejections(counters: Mapping[str, Sequence[int]]) -> Claim:
    """No Envoy refused anything it was sent; ``counters``: each one's own, for all that it subscribed to."""
    bad = [f"{proxy} rejected {sum(counts)}" for proxy, counts in counters.items() if sum(counts)]
    bad += [f"{proxy} subscribed to nothing" for proxy, counts in counters.items() if not counts]
    detail = "; ".join(bad) or f"0 updates rejected, by {sum(map(len, counters.values()))} counters"
    return Claim("every Envoy accepts its configuration", bool(counters) and not bad, detail)


def judge_push_status(status: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Claim:
    """The control plane finds nothing wrong: with the YAML, with what it renders of it, with what proxies answer.

    ``status``: by kind of problem and what it is about, as ``/debug/push_status`` gives it.
    """
    problems = [f"{about}: {entry['message']}" for entries in status.values() for about, entry in entries.items()]
    return Claim("the configuration is sound", not problems, "; ".join(problems) or "0 findings, 0 rejections")


def judge_hops(answer: Hop, callers: Mapping[str, str]) -> Claim:
    """Each application saw the certificate of the one that called it, over two hops at least.

    ``callers``: for each service that must be in the answer, the SPIFFE id of its caller.
    """
    problems = [hop.error for hop in answer.walk() if hop.error]
    for name, wanted in callers.items():
        hop = answer.find(name)
        if hop is None:
            problems.append(f"{name} was not asked")
        elif hop.caller != wanted:
            problems.append(f"{name} was called by {hop.caller or 'somebody without a certificate'}, want {wanted}")
    longest = max(_depths(answer))
    if longest < 2:
        problems.append(f"the longest path has {longest} hop")
    detail = "; ".join(problems) or f"{len(callers)} callers as expected, {longest} hops deep"
    return Claim("callers are known by their certificates", not problems, detail)


def _depths(answer: Hop, depth: int = 1) -> Iterable[int]:
    yield depth
    for call in answer.calls:
        yield from _depths(call, depth + 1)


def sigmas_off(counts: Mapping[str, int], weights: Mapping[str, int]) -> float:
    """How far the version that is farthest off is from its share, in standard deviations of such a sample.

    Infinite where a version answered that must not, or something else than a version.
    """
    total, sent = sum(weights.values()), sum(counts.values())
    if not sent or counts.keys() - {version for version, weight in weights.items() if weight}:
        return math.inf
    off = 0.0
    for version, weight in weights.items():
        share = weight / total
        deviation = math.sqrt(sent * share * (1 - share))
        distance = abs(counts.get(version, 0) - sent * share)
        off = max(off, distance / deviation if deviation else (math.inf if distance else 0.0))
    return off


def judge_split(counts: Mapping[str, int], weights: Mapping[str, int]) -> Claim:
    """The sample fits the weights, as far as chance allows."""
    off = sigmas_off(counts, weights)
    strange = [name for name in counts if not weights.get(name)]
    detail = f"{sum(counts.values())} requests, at most {off:.1f} sigma off"
    if strange:
        detail = f"{counts[strange[0]]} of {sum(counts.values())} answers were {strange[0]!r}"
    return Claim(f"traffic is split {_shares(weights)}", off <= _SIGMAS, detail)


def _shares(weights: Mapping[str, int]) -> str:
    return " / ".join(f"{version} {weight} %" for version, weight in weights.items() if weight)


def judge_move(move: Move) -> Claim:
    """Traffic followed an edit on disk, and soon."""
    detail = f"{move.last_old_s * 1000:.0f} ms after the edit the last request went the old way"
    if not move.settled:
        detail = f"after {move.requests} requests it still goes the old way"
    return Claim("an edit on disk moves traffic", move.settled and move.last_old_s <= MOVED_WITHIN_S, detail)


def judge_plaintext(refusals: Mapping[str, str]) -> Claim:
    """No workload answers plaintext; ``refusals``: by workload how it refused, empty if it answered."""
    answered = [workload for workload, how in refusals.items() if not how]
    how = " or ".join(sorted(set(refusals.values())))
    detail = f"{', '.join(answered)} answered" if answered else f"{len(refusals)} workloads: {how}"
    return Claim("plaintext is refused", bool(refusals) and not answered, detail)


def judge_leftovers(left: Sequence[Resident]) -> Claim:
    """The end leaves nothing running."""
    detail = "; ".join(f"{resident.pid} {resident.command[:60]}" for resident in left) or "0 processes left"
    return Claim("nothing is left behind", not left, detail)
