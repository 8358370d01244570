"""Sidecars that are missing, old, or asked for where nobody injects them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from discovery.validation.analyze.label_selectors import matches
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import about
from discovery.validation.analyze.world import SYSTEM_NAMESPACES, Workload, World

__all__ = ["in_mesh", "injected_namespaces", "proxy_image_auto", "proxy_images", "refuses_proxy"]

INJECT: Final = "sidecar.istio.io/inject"
_INJECTION: Final = "istio-injection"
_REVISION: Final = "istio.io/rev"
_AMBIENT: Final = "istio.io/dataplane-mode"
_PROXY: Final = "istio-proxy"
_IMAGE: Final = "sidecar.istio.io/proxyImage"
_INJECTOR: Final = "istio-sidecar-injector"
_DEFAULT: Final = "default"


def _revision(labels: Mapping[str, str]) -> str:
    """Which control plane injects into a namespace; empty if none does."""
    if labels.get(_INJECTION) == "enabled":
        return _DEFAULT
    return "" if _INJECTION in labels else labels.get(_REVISION, "")


def _choice(workload: Workload) -> str:
    return workload.labels.get(INJECT, workload.annotations.get(INJECT, ""))


def refuses_proxy(workload: Workload) -> bool:
    """Whether the pods say that they want no sidecar."""
    return _choice(workload) == "false"


def in_mesh(world: World, workload: Workload) -> bool:
    """Whether the pods get a sidecar, as far as labels and annotations tell."""
    if refuses_proxy(workload) or workload.spec.host_network:
        return False
    return _choice(workload) == "true" or bool(_revision(world.namespace_labels(workload.resource.namespace)))


def _proxy_image(workload: Workload) -> str | None:
    containers = (*workload.spec.containers, *workload.spec.init_containers)
    return next((container.image for container in containers if container.name == _PROXY), None)


def injected_namespaces(world: World) -> Iterator[Message]:
    """Every namespace says whether it is part of the mesh, and the pods of one that is have their proxies."""
    values = _injector_values(world).get(_DEFAULT, {})
    by_default = _path(values, "sidecarInjectorWebhook", "enableNamespacesByDefault") is True
    for namespace in world.of("Namespace"):
        labels = namespace.labels
        if namespace.name in SYSTEM_NAMESPACES or labels.get(_AMBIENT) == "ambient":
            continue
        if _INJECTION in labels and _REVISION in labels:
            text = f"has the labels {_INJECTION} and {_REVISION}, of which the first counts"
            yield about(Code.NAMESPACE_MULTIPLE_INJECTION_LABELS, namespace, text, "remove one of them")
            continue
        if _INJECTION not in labels and _REVISION not in labels:
            if by_default:
                yield about(
                    Code.NAMESPACE_INJECTION_ENABLED_BY_DEFAULT, namespace, "is injected, as all are by default"
                )
                continue
            text = "is not part of the mesh: its pods get no proxies"
            hint = f"label it {_INJECTION}=enabled or {_INJECTION}=disabled"
            yield about(Code.NAMESPACE_NOT_INJECTED, namespace, text, hint)
        if not (_revision(labels) or by_default):
            continue
        for pod in world.pods(namespace.name):
            ended = pod.resource.spec.status.phase in ("Succeeded", "Failed")
            if not ended and _choice(pod) != "false" and not pod.spec.host_network and _proxy_image(pod) is None:
                text = "has no proxy, though its namespace is part of the mesh"
                yield about(Code.POD_MISSING_PROXY, pod.resource, text, "restart its workload")


def proxy_images(world: World) -> Iterator[Message]:
    """Proxies are those that the injector would give today."""
    wanted = {revision: _wanted_image(values) for revision, values in _injector_values(world).items()}
    for namespace in world.of("Namespace"):
        image = wanted.get(_revision(namespace.labels))
        if not image or namespace.name in SYSTEM_NAMESPACES:
            continue
        old = [
            pod.resource.name
            for pod in world.pods(namespace.name)
            if (got := _proxy_image(pod)) is not None
            and got != image
            and _IMAGE not in pod.annotations
            and _choice(pod) != "false"
        ]
        if old:
            text = f"the proxies of {', '.join(old)} are not of the image {image}"
            yield about(Code.PODS_ISTIO_PROXY_IMAGE_MISMATCH_IN_NAMESPACE, namespace, text, "restart their workloads")


def _injector_values(world: World) -> dict[str, Mapping[str, object]]:
    """The Helm values of each injector, by revision."""
    found: dict[str, Mapping[str, object]] = {}
    for config in world.of("ConfigMap"):
        if config.namespace != world.root_namespace or not config.name.startswith(_INJECTOR):
            continue
        revision = config.name.removeprefix(_INJECTOR).removeprefix("-") or _DEFAULT
        try:
            values = msgspec.json.decode(config.spec.data.get("values", "{}"))
        except msgspec.DecodeError:
            continue
        if isinstance(values, dict):
            found[revision] = values
    return found


def _path(values: object, *names: str) -> object:
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _wanted_image(values: Mapping[str, object]) -> str:
    image = _path(values, "global", "proxy", "image")
    if not isinstance(image, str) or not image:
        return ""
    if "/" in image:
        return image
    hub, tag = _path(values, "global", "hub"), _path(values, "global", "tag")
    return f"{hub}/{image}:{tag}"


def proxy_image_auto(world: World) -> Iterator[Message]:
    """``image: auto`` is for the injector to replace, so it must come by."""
    for workload in (*world.pods(), *world.deployments()):
        if _proxy_image(workload) != "auto" or _is_asked(world, workload):
            continue
        running = workload.resource.kind == "Pod"
        code = Code.IMAGE_AUTO_WITHOUT_INJECTION_ERROR if running else Code.IMAGE_AUTO_WITHOUT_INJECTION_WARNING
        text = "has the proxy image 'auto', which no injection webhook replaces"
        yield about(code, workload.resource, text, f"label its pods {INJECT}=true, or its namespace")


def _is_asked(world: World, workload: Workload) -> bool:
    name = workload.resource.namespace
    labels = {"kubernetes.io/metadata.name": name, **world.namespace_labels(name)}
    return any(
        matches(hook.namespace_selector, labels) and matches(hook.object_selector, workload.labels)
        for config in world.of("MutatingWebhookConfiguration")
        for hook in config.spec.webhooks
        if "sidecar-injector" in hook.name
    )
