"""One pod from its first volume to its removal: sandbox, init containers and sidecars in order, containers, end.

Spec: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from discovery.runtime.clock import Clock
from tests.kube.kubelet.api import STRATEGIC, Api, ApiError
from tests.kube.kubelet.container import ContainerRunner, Surroundings
from tests.kube.kubelet.container_plan import PodFiles, plan_container
from tests.kube.kubelet.environment import Json, MissingReferenceError, named_references, resolve_environment
from tests.kube.kubelet.images import Image, host_paths, image_name
from tests.kube.kubelet.process import ContainerProcess
from tests.kube.kubelet.records import ContainerRecord, Role, build_status
from tests.kube.kubelet.sandbox import Sandbox, start_sandbox, write_name_service
from tests.kube.kubelet.volumes import Volumes, fetch_references

__all__ = ["Node", "PodWorker"]

_RETRY_S: Final = 0.25
_REFRESH_S: Final = 2.0


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What every pod of the node has in common.

    Attributes:
        directory: for volumes, roots and logs.
        services: environment that tells where the API server is.
    """

    name: str
    ip: str
    dns_server: str
    directory: Path
    images: Mapping[str, Image]
    services: Mapping[str, str]


class PodWorker:
    """Runs one pod; told of its changes by `update`."""

    def __init__(self, pod: Json, *, node: Node, api: Api, clock: Clock, ip: str, interface: str) -> None:
        self._pod = pod
        self._node = node
        self._api = api
        self._clock = clock
        self._ip = ip
        self._interface = interface
        self._uid: str = pod["metadata"]["uid"]
        self._path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        self._directory = node.directory / "pods" / self._uid
        self._volumes = Volumes(api, self._directory / "volumes")
        self._sandbox: Sandbox | None = None
        self._files: PodFiles | None = None
        self._ended = ""
        self._dirty = asyncio.Event()
        self._deleted = asyncio.Event()
        spec = pod["spec"]
        listed = [(entry, Role.of(entry, init=True)) for entry in spec.get("initContainers") or ()]
        listed += [(entry, Role.MAIN) for entry in spec["containers"]]
        self._runners = [self._runner(ContainerRecord(entry, role, self._uid)) for entry, role in listed]
        self.update(pod)

    @property
    def name(self) -> str:
        """Namespace and name."""
        metadata = self._pod["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"

    def update(self, pod: Json) -> None:
        """The object has changed."""
        self._pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._deleted.set()
        self._dirty.set()

    def vanish(self) -> None:
        """The object is gone: end at once."""
        self._pod["metadata"]["deletionGracePeriodSeconds"] = 0
        self._deleted.set()

    async def run(self) -> None:
        """From the first volume to the removal of the object."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._write_statuses()), group.create_task(self._refresh())]
                life = group.create_task(self._live(group))
                await self._deleted.wait()
                life.cancel()
                await self._stop_all(float(self._pod["metadata"].get("deletionGracePeriodSeconds", 30)))
                for task in tasks:
                    task.cancel()
            await self._remove_sandbox()
            await self._write_status()
            await self._remove()
        finally:
            if self._sandbox is not None:
                self._sandbox.holder.kill_now()
            shutil.rmtree(self._directory, ignore_errors=True)

    async def _live(self, group: asyncio.TaskGroup) -> None:
        """Until every main container has ended for good; deletion cancels it."""
        await self._prepare()
        for runner in self._of(Role.INIT, Role.SIDECAR):
            group.create_task(runner.run(), name=f"{self.name} {runner.record.name}")
            if runner.record.role is Role.SIDECAR:
                await runner.started.wait()
                continue
            await runner.ended.wait()
            if runner.record.exit_code != 0:
                await self._finish("Failed")
                return
        for runner in self._of(Role.MAIN):
            group.create_task(runner.run(), name=f"{self.name} {runner.record.name}")
            await _either(runner.begun, runner.ended)
        for runner in self._of(Role.MAIN):
            await runner.ended.wait()
        failed = any(runner.record.exit_code != 0 for runner in self._of(Role.MAIN))
        await self._finish("Failed" if failed else "Succeeded")

    async def _finish(self, phase: str) -> None:
        await self._stop_all(float(self._pod["spec"].get("terminationGracePeriodSeconds", 30)))
        self._ended = phase
        await self._remove_sandbox()
        self._dirty.set()

    async def _prepare(self) -> None:
        """Volumes, then the sandbox; a volume whose object is missing is waited for."""
        while True:
            try:
                folders = await self._volumes.refresh(self._pod, self._clock.now())
                break
            except (MissingReferenceError, ApiError) as error:
                for runner in self._runners:
                    runner.record.set_waiting("ContainerCreating", str(error))
                self._dirty.set()
                await asyncio.sleep(_RETRY_S)
        metadata, spec = self._pod["metadata"], self._pod["spec"]
        host_name = spec.get("hostname") or metadata["name"]
        resolv_conf, hosts = write_name_service(
            self._directory,
            host_name=host_name,
            ip=self._ip,
            namespace=metadata["namespace"],
            dns_server=self._node.dns_server,
        )
        sysctls = {entry["name"]: entry["value"] for entry in (spec.get("securityContext") or {}).get("sysctls") or ()}
        self._sandbox = await start_sandbox(
            host_name=host_name, ip=self._ip, interface=self._interface, node_ip=self._node.ip, sysctls=sysctls
        )
        self._files = PodFiles(volumes=folders, resolv_conf=resolv_conf, hosts=hosts, pause_pid=self._sandbox.pid)
        self._dirty.set()

    async def _stop_all(self, grace_s: float) -> None:
        """Main and init containers together, then sidecars, the last one first, with the grace that is left."""
        async with asyncio.TaskGroup() as group:
            for runner in self._of(Role.INIT, Role.MAIN):
                group.create_task(runner.stop(grace_s))
            before = [runner.ended for runner in self._of(Role.INIT, Role.MAIN) if runner.begins]
            for sidecar in reversed(self._of(Role.SIDECAR)):
                group.create_task(sidecar.stop(grace_s, tuple(before)))
                if sidecar.begins:
                    before.append(sidecar.ended)

    async def _refresh(self) -> None:
        """Follow changes of ConfigMaps, Secrets, labels, and renew tokens."""
        while True:
            await asyncio.sleep(_REFRESH_S)
            if self._files is not None and not self._ended:
                try:
                    await self._volumes.refresh(self._pod, self._clock.now())
                except (MissingReferenceError, ApiError):
                    continue  # what was written stays

    def _of(self, *roles: Role) -> Sequence[ContainerRunner]:
        return [runner for runner in self._runners if runner.record.role in roles]

    def _runner(self, record: ContainerRecord) -> ContainerRunner:
        policy = self._pod["spec"].get("restartPolicy", "Always")

        def restarts(code: int) -> bool:
            if record.role is Role.SIDECAR:
                return True
            if record.role is Role.INIT:
                return code != 0 and policy != "Never"
            return policy == "Always" or (policy == "OnFailure" and code != 0)

        async def launch() -> ContainerProcess:
            return await self._launch(record)

        grace_s = float(self._pod["spec"].get("terminationGracePeriodSeconds", 30))
        surroundings = Surroundings(ip=self._ip, grace_s=grace_s, changed=self._dirty.set, clock=self._clock)
        return ContainerRunner(record, surroundings, launch=launch, restarts=restarts)

    async def _launch(self, record: ContainerRecord) -> ContainerProcess:
        assert self._files is not None, "the sandbox comes first"
        name = image_name(record.spec["image"])
        image = self._node.images.get(name)
        if image is None:
            raise MissingReferenceError(f"no image {name!r}: there are {', '.join(sorted(self._node.images))}")
        references = await fetch_references(self._api, self._pod["metadata"]["namespace"], named_references(self._pod))
        placed = {"podIP": self._ip, "podIPs": [{"ip": self._ip}], "hostIP": self._node.ip}
        pod = {**self._pod, "status": {**self._pod.get("status", {}), **placed}}
        base = {**image.environment, "HOSTNAME": self._pod["spec"].get("hostname") or self._pod["metadata"]["name"]}
        environment = resolve_environment(pod, record.spec, references, base, self._node.services)
        plan = plan_container(
            pod, record.spec, image=image, environment=environment, files=self._files, host=host_paths()
        )
        log = self._node.directory / "logs" / f"{self.name.replace('/', '_')}_{record.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return ContainerProcess(
            f"{self.name} {record.name}", plan, scratch=self._directory / "roots" / record.name, log=log
        )

    async def _write_statuses(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not await self._write_status():
                await asyncio.sleep(_RETRY_S)
                self._dirty.set()

    async def _write_status(self) -> bool:
        """Report; false when the server did not take it."""
        status = build_status(
            self._pod,
            [runner.record for runner in self._runners],
            ip=self._ip if self._sandbox is not None or self._ended else "",
            host_ip=self._node.ip,
            ended=self._ended,
            now=self._clock.now(),
        )
        present = self._pod.get("status", {})
        if (
            all(present.get(key) == value for key, value in status.items() if key != "conditions")
            and {entry["type"]: entry["status"] for entry in present.get("conditions", ())}.items()
            >= {entry["type"]: entry["status"] for entry in status["conditions"]}.items()
        ):
            return True
        try:
            body: Json = {"metadata": {"uid": self._uid}, "status": status}
            self._pod = {
                **(await self._api.call("PATCH", f"{self._path}/status", body, content_type=STRATEGIC)),
            }
        except ApiError as error:
            return error.status in (404, 409)  # gone, or another pod of that name
        return True

    async def _remove_sandbox(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.stop()
            self._sandbox = None

    async def _remove(self) -> None:
        """Tell the server that nothing of it is left."""
        body: Json = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
        while True:
            try:
                await self._api.call("DELETE", self._path, body)
                return
            except ApiError as error:
                if error.status in (404, 409):
                    return
            await asyncio.sleep(_RETRY_S)


async def _either(*events: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
