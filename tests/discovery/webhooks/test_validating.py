"""What the webhook answers when configuration is written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from discovery.webhooks.admission import GroupVersionKind, Request
from discovery.webhooks.metrics import Refusal
from discovery.webhooks.validating import judge_request

GOOD = {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}}]}]}


def request(spec: Any, *, operation: str = "CREATE", kind: str = "VirtualService", **metadata: Any) -> Request:
    """An object that is written."""
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": spec,
    }
    return Request(
        uid="u", kind=GroupVersionKind("networking.istio.io", "v1", kind), operation=operation, object=document
    )


def test_a_good_object() -> None:
    """Is allowed."""
    judgement = judge_request(request(GOOD))
    assert judgement.answer.allowed
    assert judgement.refusal is None


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (request({"hosts": ["web"]}), "configuration is invalid: "),
        (request({**GOOD, "htp": []}), "spec.htp: unknown field"),
        (request({**GOOD, "http": [{"timeout": "soon"}]}), "spec.http[0].timeout"),
        (request(GOOD, annotations={"internal.istio.io/webhook-always-reject": ""}), "asks for a refusal"),
    ],
)
def test_a_bad_object(asked: Request, problem: str) -> None:
    """Is refused, with path and problem."""
    judgement = judge_request(asked)
    assert not judgement.answer.allowed
    assert problem in judgement.answer.message
    assert judgement.refusal is Refusal.INVALID


def test_kinds_that_nobody_knows_are_refused() -> None:
    """The webhook's rules name groups of the mesh, so it is a kind of a newer version."""
    judgement = judge_request(request({}, kind="Novelty"))
    assert judgement.refusal is Refusal.UNKNOWN_KIND
    assert "Novelty of networking.istio.io is not known" in judgement.answer.message


def test_only_writing_is_judged() -> None:
    """Deleting a bad object must be possible; without an object there is nothing to judge."""
    deleted = judge_request(request({"hosts": ["web"]}, operation="DELETE"))
    assert deleted.answer.allowed
    assert not deleted.judged
    empty = judge_request(Request(uid="u", operation="CREATE"))
    assert empty.refusal is Refusal.NO_OBJECT


def test_a_bad_object_that_is_being_deleted_can_lose_its_finalizers() -> None:
    """That is an update; an update of anything else, or of an object that stays, is judged."""
    bad: dict[str, Any] = {"hosts": ["web"]}
    worse: dict[str, Any] = {"hosts": []}

    def updated(spec: Any, before: Any, **metadata: str) -> bool:
        asked = request(spec, operation="UPDATE", **metadata)
        return judge_request(msgspec.structs.replace(asked, old_object=request(before).object)).answer.allowed

    assert updated(bad, bad, deletionTimestamp="2026-01-02T03:04:05Z")
    assert not updated(worse, bad, deletionTimestamp="2026-01-02T03:04:05Z")
    assert not updated(bad, bad)
    assert not judge_request(request(bad, operation="CREATE", deletionTimestamp="2026-01-02T03:04:05Z")).answer.allowed


def test_warnings_are_told_and_do_not_refuse() -> None:
    """An EnvoyFilter always has one."""
    asked = Request(
        uid="u",
        kind=GroupVersionKind("networking.istio.io", "v1alpha3", "EnvoyFilter"),
        operation="UPDATE",
        object={
            "apiVersion": "networking.istio.io/v1alpha3",
            "kind": "EnvoyFilter",
            "metadata": {"name": "f", "namespace": "shop"},
            "spec": {"configPatches": []},
        },
    )
    answer = judge_request(asked).answer
    assert answer.allowed
    assert answer.warnings


def test_long_answers_are_cut() -> None:
    """Twenty are enough to begin with."""
    message = judge_request(request({f"x{number}": 1 for number in range(50)} | GOOD)).answer.message
    assert "and 30 more" in message


def test_the_gateway_api_is_not_ours_to_refuse() -> None:
    """Should somebody lead us its objects: what we cannot read is told, and let through."""
    asked = Request(
        uid="u",
        kind=GroupVersionKind("gateway.networking.k8s.io", "v1", "Gateway"),
        operation="CREATE",
        object={
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "g", "namespace": "shop"},
            "spec": {"gatewayClassName": "istio", "listeners": [{"name": "a", "port": "eighty", "protocol": "HTTP"}]},
        },
    )
    answer = judge_request(asked).answer
    assert answer.allowed
    (warning,) = answer.warnings
    assert "spec.listeners[0].port" in warning
