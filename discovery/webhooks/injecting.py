"""What the webhook answers when a pod is created. Pure but for what it is told of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from discovery.inject.decide import Decision, decide
from discovery.inject.documents import annotations_of, copied, labels_of, mapping_of
from discovery.inject.errors import PodError
from discovery.inject.json_patch import diff
from discovery.inject.native_sidecar import NativeSidecars, nodes_run_them
from discovery.inject.openshift import DEFAULT_IDS, forget_given_user, proxy_ids
from discovery.inject.pod import Injection, inject
from discovery.inject.proxy_config import effective_proxy_config
from discovery.inject.workload import workload_of
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object
from discovery.webhooks.admission import Answer, Request
from discovery.webhooks.injector_config import InjectorState
from discovery.webhooks.path_env import parse_path_env

__all__ = ["InjectSettings", "Injected", "PodInjector", "Surroundings"]

_CREATE: Final = "CREATE"


class Surroundings(Protocol):
    """What of the mesh and the cluster injection depends on, as it is now."""

    @property
    def mesh(self) -> MeshConfig:
        """The mesh's configuration."""

    def proxy_configs(self) -> Iterable[Object]:
        """All ProxyConfig objects."""

    def kubelets(self) -> Mapping[str, str]:
        """The version of each node's kubelet."""

    def namespace_annotations(self, namespace: str) -> Mapping[str, str]:
        """The annotations of a namespace; none if it is not known."""


class InjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of injection that are not in the injector's configuration."""

    revision: str = ""
    native: NativeSidecars = NativeSidecars.AUTO
    openshift: bool = False
    compliance_policy: str = ""
    environ: Mapping[str, str] = {}


class Injected(msgspec.Struct, frozen=True):
    """An answer, and what was decided; None where the pod could not even be judged."""

    answer: Answer
    decision: Decision | None = None


class PodInjector:
    """Answers reviews of pods."""

    def __init__(
        self, state: Callable[[], InjectorState | None], surroundings: Surroundings, settings: InjectSettings
    ) -> None:
        self._state = state
        self._surroundings = surroundings
        self._settings = settings

    def review(self, request: Request, path: str) -> Injected:
        """The patch that gives a pod its proxy, or why it gets none."""
        state = self._state()
        if request.object is None or request.operation not in ("", _CREATE) or request.kind.kind not in ("", "Pod"):
            return Injected(Answer(allowed=True))
        if state is None:
            return Injected(_refused("the control plane has no injector configuration yet; see its log"))
        pod = request.object
        metadata = mapping_of(pod, "metadata")
        namespace = str(metadata.get("namespace") or request.namespace)
        try:
            decision = decide(pod, namespace=namespace, config=state.config)
            if not decision.inject:
                return Injected(Answer(allowed=True), decision)
            done = self._inject(pod, namespace, state, path)
        except PodError as error:
            return Injected(_refused(f"pod cannot be injected: {error}"))
        return Injected(Answer(allowed=True, patch=diff(pod, done)), decision)

    def _inject(self, pod: Mapping[str, Any], namespace: str, state: InjectorState, path: str) -> dict[str, Any]:
        settings, around = self._settings, self._surroundings
        mesh = around.mesh
        subject = copied(pod)
        ids = DEFAULT_IDS
        if settings.openshift:
            forget_given_user(subject)
            ids = proxy_ids(around.namespace_annotations(namespace))
        node = str(mapping_of(pod, "spec").get("nodeName") or "")
        by = Injection(
            config=state.config,
            values=state.values,
            mesh=mesh,
            proxy_config=effective_proxy_config(
                mesh,
                around.proxy_configs(),
                namespace=namespace,
                labels=labels_of(pod),
                annotations=annotations_of(pod),
            ),
            workload=workload_of(pod, namespace=namespace),
            revision=settings.revision,
            native=nodes_run_them(settings.native, around.kubelets(), node=node),
            ids=ids,
            compliance_policy=settings.compliance_policy,
            environ=settings.environ,
            proxy_env=parse_path_env(path),
        )
        return inject(subject, by)


def _refused(message: str) -> Answer:
    return Answer(allowed=False, message=message)
