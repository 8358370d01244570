"""What a manifest says of user, rights and mounts, as the start of a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kube.kubelet.container_plan import (
    ContainerPlan,
    InvalidContainerError,
    PodFiles,
    plan_container,
    render_exec,
    render_start,
)
from tests.kube.kubelet.images import Image, image_name

IMAGE = Image(entrypoint=("agent",), arguments=("serve",), user=1337, group=1337)
FILES = PodFiles(
    volumes={"data": Path("/v/data")}, resolv_conf=Path("/v/resolv.conf"), hosts=Path("/v/hosts"), pause_pid=42
)


def plan(container: dict[str, Any], host: str = "/usr", **shared: Any) -> ContainerPlan:
    """The plan of a container; further words are the pod's security context."""
    pod = {"metadata": {}, "spec": {"securityContext": shared, "containers": [container]}}
    return plan_container(pod, container, image=IMAGE, environment={"A": "1"}, files=FILES, host=[Path(host)])


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ("agent", "serve")),
        ({"args": ["proxy", "$(A)"]}, ("agent", "proxy", "1")),
        ({"command": ["sh"]}, ("sh",)),
        ({"command": ["sh"], "args": ["-c", "$(B)"]}, ("sh", "-c", "$(B)")),
    ],
)
def test_command_and_arguments(container: dict[str, Any], argv: tuple[str, ...]) -> None:
    """A command replaces all of the image's words, arguments only its arguments."""
    assert plan(container).argv == argv


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ({}, {}, (1337, 1337, (1337,))),
        ({}, {"runAsUser": 1, "fsGroup": 9}, (1, 1337, (9, 1337))),
        ({"runAsUser": 0, "runAsGroup": 5}, {"runAsUser": 1}, (0, 5, (5,))),
        ({"runAsUser": 0}, {"supplementalGroups": [7]}, (0, 0, (0, 7))),
    ],
)
def test_user_and_groups(
    own: dict[str, Any], shared: dict[str, Any], expected: tuple[int, int, tuple[int, ...]]
) -> None:
    """The container's word, then the pod's, then the image's."""
    made = plan({"securityContext": own}, **shared)
    assert (made.user, made.group, made.groups) == expected


def test_root_may_be_forbidden() -> None:
    """As a kubelet refuses it."""
    with pytest.raises(InvalidContainerError, match="runAsNonRoot"):
        plan({"securityContext": {"runAsNonRoot": True, "runAsUser": 0}})


def test_capabilities() -> None:
    """Dropped, added, all; without a word those that engines grant."""
    assert "net_raw" in (plan({}).capabilities or ())
    bounded = plan({"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}})
    assert bounded.capabilities == frozenset({"net_admin"})
    assert plan({"securityContext": {"privileged": True}}).capabilities is None


def test_a_mount_needs_its_volume() -> None:
    """Its name is told."""
    with pytest.raises(InvalidContainerError, match="'gone'"):
        plan({"volumeMounts": [{"name": "gone", "mountPath": "/x"}]})


def test_the_script_of_a_start() -> None:
    """Mounts inside others come after them; the root is closed last; words survive the shell."""
    mounts = [{"name": "data", "mountPath": "/a/b/c", "readOnly": True}, {"name": "data", "mountPath": "/a"}]
    context = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    script = render_start(plan({"args": ["it's"], "volumeMounts": mounts, "securityContext": context}), Path("/r"))
    lines = script.splitlines()
    assert lines.index("mount --bind /v/data ./a") < lines.index("mount --bind -o ro /v/data ./a/b/c")
    assert lines[-2] == "mount -o remount,bind,ro /r"
    assert lines[-1].startswith("exec chroot /r setpriv --reuid 1337 --regid 1337 --groups 1337 ")
    assert "--no-new-privs" in lines[-1]
    assert lines[-1].endswith("""env -i -C / A=1 agent 'it'"'"'s'""")


def test_a_volume_hides_nothing_of_the_machine() -> None:
    """A checkout may be below `/tmp`, where a container has a volume."""
    mounts = [{"name": "data", "mountPath": "/tmp"}]
    lines = render_start(plan({"volumeMounts": mounts}, host="/tmp/of/ours"), Path("/r")).splitlines()
    assert lines.index("mount --bind /v/data ./tmp") < lines.index("mount --bind -o ro /tmp/of/ours ./tmp/of/ours")


def test_a_command_inside_is_the_same_user() -> None:
    """Probes and hooks run with the container's rights, in all of its namespaces."""
    command = render_exec(plan({}), 7, ["pilot-agent", "wait"])
    assert command[:3] == ["nsenter", "--target", "7"]
    assert {"--net", "--mount", "--pid", "--root"} < set(command)
    assert "--reuid 1337" in command[-1]
    assert command[-1].endswith("pilot-agent wait")


@pytest.mark.parametrize("name", ["proxyv2", "localhost/mesh/proxyv2:1.2", "r.example:5000/m/proxyv2:1@sha256:00"])
def test_names_of_images(name: str) -> None:
    """Registry, tag and digest do not matter."""
    assert image_name(name) == "proxyv2"
