"""How a container is started: from its manifest to user, rights, mounts and command. Pure.

Spec: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.kube.kubelet.environment import Json, expand
from tests.kube.kubelet.images import Image

__all__ = [
    "ContainerPlan",
    "InvalidContainerError",
    "Mount",
    "PodFiles",
    "plan_container",
    "render_exec",
    "render_start",
]

# What container engines grant unless told otherwise.
_DEFAULT_CAPABILITIES: Final = frozenset(
    {
        *("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service"),
        *("net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"),
    }
)
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_COPIED: Final = ("group", "nsswitch.conf", "protocols", "services", "ld.so.cache", "ssl", "alternatives", "localtime")
_PROXY_USER: Final = "istio-proxy:x:1337:1337::/:/bin/false"  # the images have this user, and capture looks it up


class InvalidContainerError(ValueError):
    """The manifest asks for what the kubelet refuses; the text says what."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the machine at a path of the container."""

    source: Path
    target: str
    read_only: bool = False


class PodFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the containers of a pod share: volumes by name, files of its name service, the holder of its namespaces."""

    volumes: Mapping[str, Path]
    resolv_conf: Path
    hosts: Path
    pause_pid: int


class ContainerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that starting a container takes."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    mounts: tuple[Mount, ...]
    host_paths: tuple[Path, ...]
    user: int
    group: int
    groups: tuple[int, ...]
    capabilities: frozenset[str] | None  # None: all
    read_only: bool
    no_new_privileges: bool
    directory: str
    pause_pid: int


def plan_container(
    pod: Json, container: Json, *, image: Image, environment: dict[str, str], files: PodFiles, host: Sequence[Path]
) -> ContainerPlan:
    """What starting this container means.

    Raises:
        InvalidContainerError: root although the manifest forbids it, or a mount of a volume that is not there.
    """
    shared, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    user = own.get("runAsUser", shared.get("runAsUser", image.user))
    group = own.get("runAsGroup", shared.get("runAsGroup", image.group if "runAsUser" not in own else 0))
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")) and user == 0:
        raise InvalidContainerError("container has runAsNonRoot and image will run as root")
    groups = {group, *shared.get("supplementalGroups", ()), *([shared["fsGroup"]] if "fsGroup" in shared else [])}
    words = [*(container.get("command") or image.entrypoint)]
    words += container.get("args") or (() if container.get("command") else image.arguments)
    return ContainerPlan(
        argv=tuple(expand(str(word), environment) for word in words),
        environment=environment,
        mounts=_mounts(container, files),
        host_paths=tuple(host),
        user=user,
        group=group,
        groups=tuple(sorted(groups)),
        capabilities=_capabilities(own),
        read_only=bool(own.get("readOnlyRootFilesystem")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        directory=container.get("workingDir") or "/",
        pause_pid=files.pause_pid,
    )


def _capabilities(context: Json) -> frozenset[str] | None:
    if context.get("privileged"):
        return None
    wanted = context.get("capabilities") or {}
    named = {key: {name.lower().removeprefix("cap_") for name in wanted.get(key) or ()} for key in ("add", "drop")}
    if "all" in named["add"]:
        return None
    kept = frozenset() if "all" in named["drop"] else _DEFAULT_CAPABILITIES - named["drop"]
    return kept | named["add"]


def _mounts(container: Json, files: PodFiles) -> tuple[Mount, ...]:
    mounts = [
        Mount(source=files.resolv_conf, target="/etc/resolv.conf"),
        Mount(source=files.hosts, target="/etc/hosts"),
    ]
    for entry in container.get("volumeMounts") or ():
        if entry["name"] not in files.volumes:
            raise InvalidContainerError(f"volume {entry['name']!r} is not there")
        source = files.volumes[entry["name"]]
        if entry.get("subPath"):
            source /= entry["subPath"]
        target = entry["mountPath"].rstrip("/") or "/"
        mounts.append(Mount(source=source, target=target, read_only=bool(entry.get("readOnly"))))
    return tuple(mounts)


def render_start(plan: ContainerPlan, root: Path) -> str:
    """The shell script that becomes the container: run it as root in fresh mount and process namespaces.

    ``root``: an empty folder to build the container's root on.
    """
    at = shlex.quote(str(root))
    lines = [
        "set -e",
        f"mount -t tmpfs -o mode=0755 tmpfs {at}",
        f"cd {at}",
        "mkdir -p proc sys dev/shm dev/pts etc run var/run var/lib root home",
        "mkdir -m 1777 tmp var/tmp",
        "mount -t proc proc proc",
        "mount -t sysfs -o ro sysfs sys || true",
        *(f"[ -e /dev/{name} ] && : > dev/{name} && mount --bind /dev/{name} dev/{name}" for name in _DEVICES),
        "ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr",
        "chmod 1777 dev/shm",
        "for link in bin sbin lib lib32 lib64; do [ -L /$link ] && cp -P /$link $link; done",
        f"for name in {' '.join(_COPIED)}; do if [ -e /etc/$name ]; then cp -RL /etc/$name etc/ || true; fi; done",
        f"{{ cat /etc/passwd; echo {shlex.quote(_PROXY_USER)}; }} > etc/passwd",
        *(_bind(mount) for mount in _outermost_first(plan)),
        f"mkdir -p {shlex.quote('.' + plan.directory)}",
    ]
    if plan.read_only:
        lines.append(f"mount -o remount,bind,ro {at}")
    lines.append(f"exec chroot {at} {_as_user(plan)} {_in_environment(plan)} {shlex.join(plan.argv)}")
    return "\n".join(lines)


def _outermost_first(plan: ContainerPlan) -> list[Mount]:
    """All mounts, none hidden by another: a volume may be at ``/tmp``, and this project's tree may be below that."""
    host = [Mount(source=path, target=str(path), read_only=True) for path in plan.host_paths]
    return sorted([*host, *plan.mounts], key=lambda mount: mount.target.count("/"))


def _bind(mount: Mount) -> str:
    source, target = shlex.quote(str(mount.source)), shlex.quote("." + mount.target)
    make = f"if [ -d {source} ]; then mkdir -p {target}; else mkdir -p $(dirname {target}); : > {target}; fi"
    return f"{make}\nmount --bind{' -o ro' if mount.read_only else ''} {source} {target}"


def _as_user(plan: ContainerPlan) -> str:
    words = [f"--reuid {plan.user}", f"--regid {plan.group}", f"--groups {','.join(map(str, plan.groups))}"]
    if plan.capabilities is not None:
        granted = "".join(f",+{name}" for name in sorted(plan.capabilities))
        words += [f"--bounding-set -all{granted}", "--inh-caps -all"]
    if plan.no_new_privileges:
        words.append("--no-new-privs")
    return f"setpriv {' '.join(words)}"


def _in_environment(plan: ContainerPlan) -> str:
    variables = " ".join(shlex.quote(f"{name}={value}") for name, value in plan.environment.items())
    return f"env -i -C {shlex.quote(plan.directory)} {variables}"


def render_exec(plan: ContainerPlan, pid: int, argv: Sequence[str]) -> list[str]:
    """A command that runs another one inside the container whose first process has this id."""
    script = f"exec {_as_user(plan)} {_in_environment(plan)} {shlex.join(argv)}"
    return [
        "nsenter",
        "--target",
        str(pid),
        "--net",
        "--uts",
        "--ipc",
        "--mount",
        "--pid",
        "--root",
        "sh",
        "-c",
        script,
    ]
