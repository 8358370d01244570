"""What a kubelet reports of a pod: container states, conditions, phase. Pure, save the records it is made from.

Spec: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from tests.kube.kubelet.environment import Json

__all__ = ["ContainerRecord", "Role", "build_status", "instant"]


class Role(StrEnum):
    """What a container is for."""

    INIT = "init"
    SIDECAR = "sidecar"  # an init container that is always restarted: it runs beside the others
    MAIN = "main"

    @staticmethod
    def of(container: Json, *, init: bool) -> Role:
        """Of a container in its list."""
        if not init:
            return Role.MAIN
        return Role.SIDECAR if container.get("restartPolicy") == "Always" else Role.INIT


def instant(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ContainerRecord:
    """What is known of one container; its runner is the only writer."""

    def __init__(self, spec: Json, role: Role, uid: str) -> None:
        self.spec = spec
        self.role = role
        self.state: Json = {"waiting": {"reason": "PodInitializing" if role is Role.MAIN else "ContainerCreating"}}
        self.last_state: Json = {}
        self.ready = False
        self.started = False
        self.restarts = 0
        self._uid = uid

    @property
    def name(self) -> str:
        """The container's."""
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        """Whether a process runs."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it has."""
        return self.state["terminated"]["exitCode"] if "terminated" in self.state else None

    def set_waiting(self, reason: str, message: str = "") -> None:
        """It cannot run now."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        self.ready = self.started = False

    def set_running(self, at: datetime) -> None:
        """Its process has begun."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"running": {"startedAt": instant(at)}}
        self.ready = self.started = False

    def set_terminated(self, code: int, at: datetime, reason: str = "") -> None:
        """Its process has ended."""
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason or ("Completed" if code == 0 else "Error"),
                "startedAt": self.state.get("running", {}).get("startedAt", instant(at)),
                "finishedAt": instant(at),
                "containerID": self._id,
            }
        }
        self.ready = self.started = False

    @property
    def _id(self) -> str:
        return f"test://{self._uid}/{self.name}/{self.restarts}"

    def status(self) -> Json:
        """Its entry in the pod's status."""
        done = self.role is Role.INIT and self.exit_code == 0
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": self.spec["image"],
            "containerID": self._id,
            "state": self.state,
            "lastState": self.last_state,
            "ready": done or self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }


def _phase(inits: Sequence[ContainerRecord], mains: Sequence[ContainerRecord]) -> str:
    initialized = all(record.exit_code == 0 if record.role is Role.INIT else record.started for record in inits)
    begun = any(record.running or record.exit_code is not None or record.restarts for record in mains)
    return "Running" if begun and (initialized or any(record.running for record in mains)) else "Pending"


def build_status(
    pod: Json, records: Sequence[ContainerRecord], *, ip: str, host_ip: str, ended: str, now: datetime
) -> Json:
    """The status of a pod.

    Args:
        pod: as the server has it, for its start and the times of its conditions.
        ended: `Succeeded` or `Failed` once no container will run any more.
        now: the time of what changes.
    """
    inits = [record for record in records if record.role is not Role.MAIN]
    mains = [record for record in records if record.role is Role.MAIN]
    phase = ended or _phase(inits, mains)
    initialized = all(
        record.exit_code == 0 if record.role is Role.INIT else record.started or bool(ended) for record in inits
    )
    lasting = [record for record in records if record.role is not Role.INIT]
    ready = phase == "Running" and all(record.ready for record in lasting)
    given = {entry["type"]: entry for entry in pod.get("status", {}).get("conditions", ())}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    open_gates = all(given.get(gate, {}).get("status") == "True" for gate in gates)
    verdicts = {
        "PodReadyToStartContainers": bool(ip) and not ended,
        "Initialized": initialized,
        "ContainersReady": ready,
        "Ready": ready and open_gates,
    }
    reasons = "PodCompleted" if ended == "Succeeded" else "ContainersNotReady"
    status: Json = {
        "phase": phase,
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": pod.get("status", {}).get("startTime") or instant(now),
        "conditions": [_condition(kind, holds, given.get(kind), reasons, now) for kind, holds in verdicts.items()],
        "containerStatuses": [record.status() for record in mains],
    }
    if inits:
        status["initContainerStatuses"] = [record.status() for record in inits]
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return status


def _condition(kind: str, holds: bool, before: Json | None, reason: str, now: datetime) -> Json:
    status = "True" if holds else "False"
    unchanged = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before is not None and unchanged else instant(now)
    made: Json = {"type": kind, "status": status, "lastTransitionTime": since}
    return made if holds else {**made, "reason": reason}
