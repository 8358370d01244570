from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from discovery.controllers.status_plan import Observation, is_settled, plan_status
from discovery.schema.conditions import ObjectState
from discovery.schema.findings import Finding, Severity
from discovery.store.delivery import Delivery, RejectedResource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WRONG = Finding("VirtualService shop/a", "spec.http[0].route", "weights sum to 90", "add 10")
ODD = Finding("VirtualService shop/a", "spec.hosts", "no such host", severity=Severity.WARNING)
NACK = RejectedResource(proxy="web.shop", type="RDS", name="80", version="v", error="duplicate domain")


def seen(*findings: Finding, served: bool = True, conditions: tuple[dict[str, Any], ...] = ()) -> Observation:
    state = ObjectState(uid="u", generation=4, version="9", conditions=conditions)
    return Observation(state=state, findings=findings, served=served)


def planned(observation: Observation, delivery: Delivery = Delivery()) -> dict[str, dict[str, Any]]:  # noqa: B008
    patch = plan_status(observation, delivery, now=NOW)
    assert patch is not None
    assert patch["metadata"] == {"resourceVersion": "9"}
    assert patch["status"]["observedGeneration"] == 4
    return {condition["type"]: condition for condition in patch["status"]["conditions"]}


@pytest.mark.parametrize(
    ("observation", "status", "reason", "message"),
    [
        (seen(), "True", "Accepted", ""),
        (seen(ODD), "True", "AcceptedWithWarnings", "spec.hosts: no such host"),
        (seen(WRONG, ODD, served=False), "False", "Invalid", "spec.http[0].route: weights sum to 90 (add 10)"),
        (
            seen(WRONG),
            "False",
            "Invalid",
            "spec.http[0].route: weights sum to 90 (add 10); the version before it stays in use",
        ),
    ],
)
def test_accepted_says_whether_it_is_in_use_and_why_not(
    observation: Observation, status: str, reason: str, message: str
) -> None:
    """Every finding that decides, with where and what to do."""
    condition = planned(observation)["Accepted"]
    assert (condition["status"], condition["reason"], condition.get("message", "")) == (status, reason, message)
    assert condition["observedGeneration"] == 4


@pytest.mark.parametrize(
    ("observation", "delivery", "status", "reason", "says"),
    [
        (seen(), Delivery(), "True", "Acknowledged", "every proxy"),
        (seen(), Delivery(waiting=3), "False", "Pending", "not every proxy"),
        (seen(), Delivery(rejected=(NACK,)), "False", "Rejected", "web.shop rejected RDS 80: duplicate domain"),
        (seen(), Delivery(waiting=1, rejected=(NACK,)), "False", "Rejected", "web.shop"),
        (seen(), Delivery(waiting=1, unheard=("b: away",)), "False", "Pending", "not every proxy"),
        (seen(), Delivery(unheard=("b: away",)), "Unknown", "ReplicaUnheard", "may not have acknowledged it: b: away"),
        (seen(WRONG), Delivery(), "False", "NotAccepted", "not in use"),
    ],
)
def test_reconciled_says_whether_all_proxies_have_it(
    observation: Observation, delivery: Delivery, status: str, reason: str, says: str
) -> None:
    """A rejection counts more than waiting; what is not in use reaches nobody."""
    condition = planned(observation, delivery)["Reconciled"]
    assert (condition["status"], condition["reason"]) == (status, reason)
    assert says in condition["message"]


def written(observation: Observation, delivery: Delivery) -> Observation:
    """The object after the patch."""
    patch = plan_status(observation, delivery, now=NOW)
    assert patch is not None
    state = msgspec.structs.replace(observation.state, conditions=tuple(patch["status"]["conditions"]))
    return msgspec.structs.replace(observation, state=state)


@pytest.mark.parametrize("delivery", [Delivery(), Delivery(waiting=3), Delivery(rejected=(NACK,))])
@pytest.mark.parametrize("findings", [(), (ODD,), (WRONG,)])
def test_what_is_there_is_not_written_again(delivery: Delivery, findings: tuple[Finding, ...]) -> None:
    """However many proxies are waited for, and however late it is."""
    after = written(seen(*findings), delivery)
    assert plan_status(after, delivery, now=NOW + timedelta(days=1)) is None
    if delivery.waiting:
        assert plan_status(after, Delivery(waiting=2), now=NOW) is None


def test_texts_for_numbers_are_no_difference() -> None:
    """Istio's API writes a 64-bit number as a text."""
    after = written(seen(), Delivery())
    texts = tuple({**c, "observedGeneration": str(c["observedGeneration"])} for c in after.state.conditions)
    state = msgspec.structs.replace(after.state, conditions=texts)
    again = msgspec.structs.replace(after, state=state)
    assert plan_status(again, Delivery(), now=NOW) is None
    assert is_settled(again)


def test_conditions_of_others_stay() -> None:
    """In their place and with all their fields."""
    foreign = {"type": "WaypointBound", "status": "True", "extra": 1}
    patch = plan_status(seen(conditions=(foreign,)), Delivery(), now=NOW)
    assert patch is not None
    assert patch["status"]["conditions"][0] == foreign
    assert [c["type"] for c in patch["status"]["conditions"]] == ["WaypointBound", "Accepted", "Reconciled"]


def test_transition_time_moves_only_with_the_status() -> None:
    """A new generation that is still accepted did not turn."""
    after = written(seen(), Delivery())
    newer = msgspec.structs.replace(after, state=msgspec.structs.replace(after.state, generation=5))
    patch = plan_status(newer, Delivery(waiting=1), now=NOW + timedelta(hours=1))
    assert patch is not None
    times = {c["type"]: c["lastTransitionTime"] for c in patch["status"]["conditions"]}
    assert times == {"Accepted": "2026-01-01T00:00:00Z", "Reconciled": "2026-01-01T01:00:00Z"}


def test_settled_is_only_what_says_so_of_this_generation() -> None:
    """Else proxies are asked again, after a change of leaders for instance."""
    after = written(seen(), Delivery())
    assert is_settled(after)
    assert not is_settled(written(seen(), Delivery(waiting=1)))
    newer = msgspec.structs.replace(after, state=msgspec.structs.replace(after.state, generation=5))
    assert not is_settled(newer)
    assert not is_settled(msgspec.structs.replace(after, findings=(WRONG,)))


def test_many_findings_fit() -> None:
    """The first few are told, the rest counted; no message is longer than people read."""
    many = tuple(msgspec.structs.replace(WRONG, path=f"spec.http[{number}]") for number in range(30))
    message = planned(seen(*many))["Accepted"]["message"]
    assert "and 25 more" in message
    long = planned(seen(msgspec.structs.replace(WRONG, problem="x" * 5000)))["Accepted"]["message"]
    assert len(long) <= 1100
