"""The order of containers: it decides what runs with a proxy, what without, and which container kubectl shows."""

from __future__ import annotations

from discovery.inject.documents import Json, find_container, list_of
from discovery.inject.names import CORE_DUMP_CONTAINER, INIT_CONTAINER, PROXY_CONTAINER, VALIDATION_CONTAINER

__all__ = ["order_containers"]


def order_containers(pod: Json, *, proxy_first: bool) -> None:
    """Put the mesh's containers in their places, in place."""
    spec = pod["spec"]
    containers, init = list_of(pod, "spec", "containers"), list_of(pod, "spec", "initContainers")
    if containers:
        spec["containers"] = _placed(
            containers, first=(PROXY_CONTAINER,) if proxy_first else (), last=() if proxy_first else (PROXY_CONTAINER,)
        )
    if not init:
        return
    if find_container(init, PROXY_CONTAINER) is not None:
        # A native sidecar: what comes after it runs in the mesh.
        first = (INIT_CONTAINER, VALIDATION_CONTAINER, PROXY_CONTAINER, CORE_DUMP_CONTAINER)
        spec["initContainers"] = _placed(init, first=first, last=())
    else:
        # Capture last, for nobody answers before the containers start; the check of the CNI plugin's work first.
        spec["initContainers"] = _placed(
            init, first=(VALIDATION_CONTAINER,), last=(INIT_CONTAINER, CORE_DUMP_CONTAINER)
        )


def _placed(containers: list[Json], *, first: tuple[str, ...], last: tuple[str, ...]) -> list[Json]:
    def named(names: tuple[str, ...]) -> list[Json]:
        return [container for name in names for container in containers if container.get("name") == name]

    others = [container for container in containers if container.get("name") not in (*first, *last)]
    return [*named(first), *others, *named(last)]
