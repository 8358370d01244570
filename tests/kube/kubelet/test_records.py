"""What is reported of a pod whose containers stand so and so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kube.kubelet.records import ContainerRecord, Role, build_status

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def record(role: Role, state: str, *, ready: bool = False) -> ContainerRecord:
    """A container that waits, runs, or has ended with that status."""
    made = ContainerRecord({"name": role.value, "image": "x"}, role, "u")
    if state != "waiting":
        made.set_running(NOW)
        made.ready = made.started = ready
    if state.isdigit():
        made.set_terminated(int(state), NOW)
    return made


def status(*records: ContainerRecord, ended: str = "", pod: dict[str, Any] | None = None) -> dict[str, Any]:
    """The status, with conditions by type."""
    given = pod or {"spec": {}, "status": {}}
    made = build_status(given, records, ip="10.0.0.7", host_ip="10.0.0.1", ended=ended, now=NOW)
    return {**made, "conditions": {entry["type"]: entry["status"] for entry in made["conditions"]}}


@pytest.mark.parametrize(
    ("records", "ended", "phase", "initialized", "ready"),
    [
        ([record(Role.INIT, "running"), record(Role.MAIN, "waiting")], "", "Pending", "False", "False"),
        ([record(Role.INIT, "0"), record(Role.MAIN, "waiting")], "", "Pending", "True", "False"),
        ([record(Role.SIDECAR, "running"), record(Role.MAIN, "waiting")], "", "Pending", "False", "False"),
        (
            [record(Role.SIDECAR, "running", ready=True), record(Role.MAIN, "running", ready=True)],
            "",
            "Running",
            "True",
            "True",
        ),
        ([record(Role.SIDECAR, "running"), record(Role.MAIN, "running", ready=True)], "", "Running", "False", "False"),
        ([record(Role.MAIN, "running")], "", "Running", "True", "False"),
        ([record(Role.MAIN, "0")], "Succeeded", "Succeeded", "True", "False"),
        ([record(Role.INIT, "1"), record(Role.MAIN, "waiting")], "Failed", "Failed", "False", "False"),
    ],
)
def test_phase_and_conditions(
    records: list[ContainerRecord], ended: str, phase: str, initialized: str, ready: str
) -> None:
    """Sidecars count for readiness as main containers do, init containers for initialization alone."""
    made = status(*records, ended=ended)
    conditions = made["conditions"]
    assert (made["phase"], conditions["Initialized"], conditions["Ready"]) == (phase, initialized, ready)


def test_a_readiness_gate_closes_the_pod() -> None:
    """Until its condition holds, whatever the containers say."""
    gates = {"readinessGates": [{"conditionType": "example.com/open"}]}
    ready = record(Role.MAIN, "running", ready=True)
    for opened in ("False", "True"):
        conditions = [{"type": "example.com/open", "status": opened, "lastTransitionTime": ""}]
        made = status(ready, pod={"spec": gates, "status": {"conditions": conditions}})["conditions"]
        assert (made["ContainersReady"], made["Ready"]) == ("True", opened)


def test_the_time_of_a_condition_is_that_of_its_change() -> None:
    """A report that says the same keeps it."""
    before = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    pod = {"spec": {}, "status": {"conditions": [before]}}
    for ready, since in ((False, "2026-01-01T00:00:00Z"), (True, "2026-06-01T12:00:00Z")):
        records = [record(Role.MAIN, "running", ready=ready)]
        made = build_status(pod, records, ip="10.0.0.7", host_ip="10.0.0.1", ended="", now=NOW)
        (condition,) = (entry for entry in made["conditions"] if entry["type"] == "Ready")
        assert condition["lastTransitionTime"] == since


def test_the_last_end_is_remembered() -> None:
    """When a container is started again."""
    made = record(Role.MAIN, "3")
    made.set_waiting("CrashLoopBackOff")
    made.restarts = 1
    made.set_running(NOW)
    told = made.status()
    assert (told["restartCount"], told["lastState"]["terminated"]["exitCode"]) == (1, 3)
    assert "running" in told["state"]
