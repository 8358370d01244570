"""What is written of a machine: when it comes, stays, says how it is, goes, and comes back somewhere else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from discovery.controllers.workload_entries import (
    Create,
    Delete,
    Document,
    Presence,
    Replace,
    ReplaceStatus,
    Report,
    Rules,
    Settled,
    check_registrant,
    entry_key,
    is_leaked,
    is_registered,
    plan,
    plan_leaked,
)
from discovery.registry.from_workload_entry import is_healthy
from discovery.registry.registrant import Refusal, RefusedError, Registrant
from discovery.schema.meta import Object
from tests.kit.workload_entries import START, entry_object, registrant, workload_group

HERE, THERE = Rules(controller="istiod-a"), Rules(controller="istiod-b")
GROUP = workload_group()


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def level(
    presence: Presence,
    existing: Document | None = None,
    *,
    rules: Rules = HERE,
    now: datetime = START,
    group: Object | None = GROUP,
) -> tuple[Document | None, Settled]:
    """Carry out what is planned until nothing is; four writes must do."""
    for _ in range(5):
        step = plan(presence, existing, group, rules, now)
        if isinstance(step, Settled):
            return existing, step
        existing = None if isinstance(step, Delete) else step.document
    raise AssertionError(f"never settles: {step}")


def connected(existing: Document | None = None, *, rules: Rules = HERE, **fields: Any) -> Document:
    document, step = level(Presence(registrant=registrant(**fields)), existing, rules=rules)
    assert document is not None
    assert step == Settled()
    return document


def left(document: Document | None, who: Registrant, seconds: float, *, now: float, rules: Rules = HERE) -> Any:
    return level(Presence(registrant=who, left_at=after(seconds)), document, rules=rules, now=after(now))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "vm-10.0.0.7"),
        ({"network": "office"}, "vm-10.0.0.7-office"),
        ({"address": "fd00::7"}, "vm-fd00--7"),
        ({"group": "g" * 253}, "g" * 244 + "-10.0.0.7"),
        ({"entry": "by-hand", "group": ""}, "by-hand"),
    ],
)
def test_names_are_those_that_istiod_gives(fields: dict[str, Any], name: str) -> None:
    """Group, address and network, cut from the left to what a name may have."""
    found = entry_key(registrant(**fields)).name
    assert found == name
    assert len(found) <= 253


def test_an_entry_is_the_template_and_what_the_machine_says_of_itself() -> None:
    """The machine's labels count before the group's, and those before the template's."""
    document = connected(network="office", locality="eu/a", probed=True)
    assert document["metadata"] == {
        "name": "vm-10.0.0.7-office",
        "namespace": "shop",
        "labels": {"app": "vm", "team": "blue", "version": "machine"},
        "annotations": {
            "istio.io/autoRegistrationGroup": "vm",
            "istio.io/workloadController": "istiod-a",
            "istio.io/connectedAt": "2026-01-01T00:00:00Z",
            "proxy.istio.io/health-checks-enabled": "true",
            "note": "vm",
        },
    }
    assert document["spec"] == {
        "address": "10.0.0.7",
        "ports": {"http": 8080},
        "labels": document["metadata"]["labels"],
        "network": "office",
        "locality": "eu/a",
        "weight": 3,
        "serviceAccount": "vm",
    }


def test_an_entry_is_owned_by_its_group_where_there_is_an_api_server() -> None:
    """So that it goes when the group does."""
    made, _ = level(Presence(registrant=registrant()), group=workload_group(uid="1234"))
    assert made is not None
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadGroup",
        "name": "vm",
        "uid": "1234",
        "controller": True,
    }


def test_without_an_account_in_the_group_it_is_the_verified_one() -> None:
    """Clients must know whom to expect there."""
    made, _ = level(Presence(registrant=registrant(identity_account="web")), group=workload_group({}))
    assert made is not None
    assert made["spec"] == {
        "address": "10.0.0.7",
        "labels": {"version": "machine"},
        "serviceAccount": "web",
    }


def test_labels_of_locality_are_a_field_of_the_entry() -> None:
    """In the form that agents give them, with slashes, no object may have them."""
    document = connected(labels=(("istio-locality", "eu/a/b"), ("topology.istio.io/locality", "eu.a"), ("x", "y")))
    assert document["spec"]["labels"] == {"app": "vm", "team": "blue", "version": "group", "x": "y"}


def test_nothing_is_written_twice() -> None:
    """What is as it should be is left alone, even when told again."""
    document = connected(probed=True)
    presence = Presence(registrant=registrant(probed=True), report=Report(None, after(1)))
    healthy, _ = level(presence, document)
    assert healthy is not None
    assert plan(presence, healthy, GROUP, HERE, after(2)) == Settled()
    again = msgspec.structs.replace(presence, report=Report(None, after(9)))
    assert plan(again, healthy, GROUP, HERE, after(9)) == Settled()


def test_an_entry_without_labels_is_written_without_them() -> None:
    """An API server drops an empty map, so an entry that wanted one would never be as it should be."""
    bare = workload_group({"template": {"serviceAccount": "vm"}})
    presence = Presence(registrant=registrant(labels=()))
    document, _ = level(presence, group=bare)
    assert document is not None
    assert "labels" not in document["metadata"]
    labelled = {**document, "metadata": {**document["metadata"], "labels": {"app": "vm"}}}
    assert plan(presence, labelled, bare, HERE, START) == Replace(document)


def test_a_changed_group_changes_the_entry() -> None:
    """As long as the machine is connected."""
    document = connected()
    step = plan(Presence(registrant=registrant()), document, workload_group({}), HERE, START)
    assert isinstance(step, Replace)
    assert "ports" not in step.document["spec"]


def test_what_somebody_deletes_is_made_again_while_the_group_is_there() -> None:
    """The machine is connected: that is what the entry says. Without its group it may not be."""
    presence = Presence(registrant=registrant())
    assert isinstance(plan(presence, None, GROUP, HERE, START), Create)
    assert plan(presence, None, None, HERE, START) == Settled()


# -- health ----------------------------------------------------------------------------------------------------------


def test_an_entry_with_a_probe_is_unhealthy_until_its_agent_says_otherwise() -> None:
    """A machine that has only just started is no place to send requests to."""
    document = connected(probed=True)
    assert not is_healthy(entry_object(document))
    for failure, healthy in ((None, True), ("connection refused", False), ("timed out", False), (None, True)):
        presence = Presence(registrant=registrant(probed=True), report=Report(failure, after(1)))
        step = plan(presence, document, GROUP, HERE, after(1))
        assert isinstance(step, ReplaceStatus)
        document = step.document
        (condition,) = document["status"]["conditions"]
        assert (condition["type"], condition.get("message")) == ("Healthy", failure)
        assert is_healthy(entry_object(document)) is healthy


def test_the_time_of_a_transition_is_when_the_verdict_changed() -> None:
    """Another reason for the same verdict is none."""
    document = connected(probed=True)
    for seconds, failure, since in ((1, "refused", 1), (2, "timed out", 1), (3, None, 3)):
        presence = Presence(registrant=registrant(probed=True), report=Report(failure, after(seconds)))
        found, _ = level(presence, document)
        assert found is not None
        document = found
        (condition,) = document["status"]["conditions"]
        assert condition["lastTransitionTime"] == f"2026-01-01T00:00:0{since}Z"
        assert condition["lastProbeTime"] == f"2026-01-01T00:00:0{seconds}Z"


def test_conditions_of_others_stay() -> None:
    """Whoever writes them."""
    other = {"type": "Reconciled", "status": "True"}
    document = {**connected(probed=True), "status": {"conditions": [other], "observedGeneration": 3}}
    presence = Presence(registrant=registrant(probed=True), report=Report(None, START))
    found, _ = level(presence, document)
    assert found is not None
    assert found["status"]["observedGeneration"] == 3
    assert [condition["type"] for condition in found["status"]["conditions"]] == ["Reconciled", "Healthy"]


def test_without_a_probe_an_entry_is_healthy_unless_its_agent_says_otherwise() -> None:
    """An agent that is about to end says so, and the next one starts afresh."""
    document = connected()
    assert is_healthy(entry_object(document))
    ending = Presence(registrant=registrant(), report=Report("the agent ends", after(1)))
    ended, _ = level(ending, document)
    assert ended is not None
    assert not is_healthy(entry_object(ended))
    back = connected(ended, connected_at=after(5))
    assert is_healthy(entry_object(back))


# -- coming and going ------------------------------------------------------------------------------------------------


def test_a_machine_that_left_keeps_its_entry_for_the_grace_period() -> None:
    """First it is marked, then it goes; the mark says when it left."""
    document, who = connected(), registrant()
    marked, step = left(document, who, 5, now=6)
    assert step == Settled(again_at=after(15))
    annotations = marked["metadata"]["annotations"]
    assert "istio.io/connectedAt" not in annotations
    assert annotations["istio.io/disconnectedAt"] == "2026-01-01T00:00:05Z"
    assert left(marked, who, 5, now=14.9) == (marked, Settled(again_at=after(15)))
    assert left(marked, who, 5, now=15) == (None, Settled(over=True))


@pytest.mark.parametrize("rules", [HERE, THERE])
def test_one_that_comes_back_keeps_it(rules: Rules) -> None:
    """To this replica or another; the mark is gone, and the replica that saw it leave does nothing any more."""
    who = registrant()
    marked, _ = left(connected(), who, 5, now=5)
    back = connected(marked, rules=rules, connected_at=after(8))
    assert "istio.io/disconnectedAt" not in back["metadata"]["annotations"]
    assert back["metadata"]["annotations"]["istio.io/workloadController"] == rules.controller
    assert left(back, who, 5, now=60) == (back, Settled(over=True))


def test_a_stream_that_ends_after_the_next_one_began_changes_nothing() -> None:
    """Elsewhere the end of the first may be seen late."""
    back = connected(connected(), rules=THERE, connected_at=after(1))
    assert left(back, registrant(), 2, now=2) == (back, Settled(over=True))


def test_a_stream_that_is_older_than_the_entry_says_leaves_it_alone() -> None:
    """The proxy is at another replica, and this one does not know yet."""
    newer = connected(rules=THERE, connected_at=after(9))
    assert plan(Presence(registrant=registrant()), newer, GROUP, HERE, after(10)) == Settled()


def test_two_replicas_agree_in_the_end() -> None:
    """However often each of them looks, in either order."""
    first, second = registrant(), registrant(connected_at=after(3))
    gone = Presence(registrant=first, left_at=after(2))
    document: Document | None = connected()
    for _ in range(3):
        document, _ = level(gone, document, now=after(4))
        document, _ = level(Presence(registrant=second), document, rules=THERE, now=after(4))
    assert document is not None
    assert document["metadata"]["annotations"]["istio.io/connectedAt"] == "2026-01-01T00:00:03Z"
    assert level(gone, document, now=after(99)) == (document, Settled(over=True))


# -- entries of the user's own ---------------------------------------------------------------------------------------

OWN: Document = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "WorkloadEntry",
    "metadata": {"name": "by-hand", "namespace": "shop", "annotations": {"mine": "yes"}},
    "spec": {"address": "10.0.0.9", "serviceAccount": "vm"},
}


def test_an_entry_that_is_named_is_only_checked() -> None:
    """Its spec is the user's; when the machine leaves, it stays, and nobody knows any more whether it is well."""
    who = registrant(group="", entry="by-hand", probed=True)
    presence = Presence(registrant=who, report=Report(None, START))
    document, _ = level(presence, OWN, group=None)
    assert document is not None
    assert document["spec"] == OWN["spec"]
    assert document["metadata"]["annotations"]["mine"] == "yes"
    assert is_healthy(entry_object(document))
    gone, step = left(document, who, 5, now=20)
    assert step == Settled(over=True)
    assert gone["spec"] == OWN["spec"]
    assert not is_healthy(entry_object(gone))


def test_an_entry_that_happens_to_have_the_name_is_not_taken_over() -> None:
    """Nobody but the user changes or deletes what the user wrote."""
    own = {**OWN, "metadata": {"name": "vm-10.0.0.7", "namespace": "shop"}}
    document = connected(own)
    assert document["spec"] == own["spec"]
    assert "labels" not in document["metadata"]
    gone, _ = left(document, registrant(), 5, now=99)
    assert gone["spec"] == own["spec"]


def test_an_entry_that_is_named_is_not_made() -> None:
    """Of what should it be made?"""
    presence = Presence(registrant=registrant(group="", entry="by-hand"))
    assert plan(presence, None, None, HERE, START) == Settled()


# -- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "group", "refusal", "told"),
    [
        ({}, None, Refusal.MISSING, "no WorkloadGroup shop/vm; create it"),
        ({"entry": "vm-7", "group": ""}, None, Refusal.MISSING, "no WorkloadEntry shop/vm-7; create it"),
        ({"identity_namespace": ""}, GROUP, Refusal.FORBIDDEN, "verified identity"),
        ({"identity_namespace": "other"}, GROUP, Refusal.FORBIDDEN, "of namespace 'shop', the caller of 'other'"),
        ({"identity_account": "thief"}, GROUP, Refusal.FORBIDDEN, "service account 'vm', the caller of 'thief'"),
    ],
)
def test_who_may_not_be_such_a_workload_is_refused(
    fields: dict[str, Any], group: Object | None, refusal: Refusal, told: str
) -> None:
    """With words that help whoever set the machine up."""
    with pytest.raises(RefusedError, match=told) as refused:
        check_registrant(registrant(**fields), group, None, HERE)
    assert refused.value.refusal is refusal


def test_who_may_is_not() -> None:
    """With any account where the group names none, and with none where identities are not asked for."""
    check_registrant(registrant(), GROUP, None, HERE)
    check_registrant(registrant(identity_account="any"), workload_group({}), None, HERE)
    lax = Rules(controller="a", validate_identity=False)
    check_registrant(registrant(identity_namespace="", identity_account=""), GROUP, None, lax)
    with pytest.raises(RefusedError, match="thief"):
        check_registrant(registrant(entry="by-hand", group="", identity_account="thief"), None, entry_object(OWN), HERE)


# -- what nobody cleans up -------------------------------------------------------------------------------------------


def test_entries_that_nobody_has_are_found() -> None:
    """Marked and forgotten, or claimed by a replica that does not live any more or does not know of it."""
    document, who = connected(), registrant()
    marked, _ = left(document, who, 5, now=5)
    aged = Rules(controller="istiod-b", max_age=timedelta(seconds=60))
    for found, rules, seconds, leaked in (
        (marked, THERE, 14, False),
        (marked, THERE, 15, True),
        (document, THERE, 10_000, False),  # its replica may well be alive
        (document, aged, 69, False),
        (document, aged, 70, True),  # no stream lives that long
        (document, HERE, 9, False),
        (document, HERE, 10, True),  # we do not have it, though it says so
        (OWN, HERE, 10_000, False),
    ):
        assert is_leaked(found["metadata"].get("annotations", {}), rules, after(seconds)) is leaked
        step = plan_leaked(found, rules, after(seconds))
        assert step == (Delete(found) if leaked else Settled(over=True))
    assert plan_leaked(None, HERE, START) == Settled(over=True)


def test_only_what_registration_left_behind_is_looked_at() -> None:
    """The user's own entries are, once something was said of their health."""
    assert is_registered(entry_object(connected()))
    assert not is_registered(entry_object(OWN))
    who = registrant(group="", entry="by-hand", probed=True)
    checked, _ = level(Presence(registrant=who, report=Report("ill", START)), OWN, group=None)
    assert checked is not None
    assert is_registered(entry_object(checked))
