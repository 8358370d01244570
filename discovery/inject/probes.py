"""Probes of the application go through the agent: the kubelet has no certificate of the mesh, so STRICT refuses it.

Each probe becomes an HTTP request to the agent, which finds the original in ``ISTIO_KUBE_APP_PROBERS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from discovery.inject.documents import Json, annotations_of, find_proxy, go_bool, list_of, mapping_of
from discovery.inject.environment import take_env
from discovery.inject.errors import PodError
from discovery.inject.names import APP_PROBERS_ENV, PROXY_CONTAINER, REWRITE_PROBES, STATUS_PORT

__all__ = ["rewrite_probes"]

_PROBES: Final = (("readinessProbe", "readyz"), ("livenessProbe", "livez"), ("startupProbe", "startupz"))
_HOOKS: Final = (("preStop", "prestopz"), ("postStart", "poststartz"))
_ACTIONS: Final = ("httpGet", "tcpSocket", "grpc")


def rewrite_probes(pod: Json, *, enabled: bool, status_port: int) -> None:
    """Rewrite the probes of ``pod`` in place; ``enabled`` is the mesh's setting, which the pod's annotation overrides.

    Raises:
        PodError: the table of a pod that was injected before cannot be read.
    """
    proxy = find_proxy(pod)
    annotations = annotations_of(pod)
    own = go_bool(annotations.get(REWRITE_PROBES, ""))
    if proxy is None or not (enabled if own is None else own):
        return
    port = int(annotations.get(STATUS_PORT, status_port))
    if not port:
        return  # the agent does not listen
    table = _known_table(proxy)
    for container, handler, path in _handlers(pod):
        original = _original(handler, _named_ports(container))
        if original is not None and not _rewritten(handler, path):
            table[path] = original
            _rewrite(handler, path, port)
    if table:
        text = msgspec.json.encode(table, order="sorted").decode()
        proxy.setdefault("env", []).append({"name": APP_PROBERS_ENV, "value": text})


def _known_table(proxy: Json) -> Json:
    """The table of an earlier injection, taken off: it is written anew, at the end."""
    text = take_env(proxy, APP_PROBERS_ENV)
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise PodError(f"{APP_PROBERS_ENV} of {PROXY_CONTAINER}: {error}; remove the variable") from None


def _handlers(pod: Json) -> Iterator[tuple[Json, Json, str]]:
    """Each container's probes and hooks, with the path that stands for it."""
    for container in (*list_of(pod, "spec", "initContainers"), *list_of(pod, "spec", "containers")):
        name = container.get("name")
        if name == PROXY_CONTAINER:
            continue
        for kind, last in _PROBES:
            if isinstance(container.get(kind), dict):
                yield container, container[kind], f"/app-health/{name}/{last}"
        lifecycle = mapping_of(container, "lifecycle")
        for kind, last in _HOOKS:
            if isinstance(lifecycle.get(kind), dict):
                yield container, lifecycle[kind], f"/app-lifecycle/{name}/{last}"


def _named_ports(container: Json) -> dict[str, int]:
    return {port["name"]: port.get("containerPort", 0) for port in list_of(container, "ports") if port.get("name")}


def _original(handler: Json, ports: Mapping[str, int]) -> Json | None:
    """What the agent does in the kubelet's place; None for what the kubelet does itself, or a port without a number."""
    for action in _ACTIONS:
        asked = handler.get(action)
        if isinstance(asked, dict):
            port = asked.get("port")
            number = ports.get(port, _number(port)) if isinstance(port, str) else port
            if not isinstance(number, int) or not number:
                return None
            timeout = {"timeoutSeconds": handler["timeoutSeconds"]} if handler.get("timeoutSeconds") else {}
            return {action: {**asked, "port": number}, **timeout}
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _rewritten(handler: Json, path: str) -> bool:
    return bool(mapping_of(handler, "httpGet").get("path") == path)


def _rewrite(handler: Json, path: str, port: int) -> None:
    asked = handler.pop("httpGet", None) or {}
    handler.pop("tcpSocket", None)
    handler.pop("grpc", None)
    kept = {key: value for key, value in asked.items() if key not in ("path", "port", "scheme")}
    # The agent speaks plain HTTP, and asks the application by HTTPS where that is its scheme.
    scheme = {"scheme": "HTTP"} if asked.get("scheme") else {}
    handler["httpGet"] = {"path": path, "port": port, **kept, **scheme}
