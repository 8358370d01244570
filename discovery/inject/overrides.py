"""The user's own ``istio-proxy`` container: what is written there wins over the template.

The fields are kept in an annotation, for at a second injection they could not be told from the first one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.inject.documents import Json, annotations_of, copied, find_container, find_proxy, list_of, mapping_of
from discovery.inject.errors import PodError
from discovery.inject.names import (
    INIT_CONTAINER,
    INTERCEPTION_MODE,
    OVERRIDES,
    PROXY_CONTAINER,
    STATUS,
    VALIDATION_CONTAINER,
)
from discovery.inject.strategic_merge import strategic_merge

__all__ = ["clean_pod", "injected_before", "move_proxy", "reapply_overrides"]

_AUTO_IMAGE: Final = "auto"
_KINDS: Final = ("containers", "initContainers")
_ALL: Final = frozenset({"containers", "initContainers", "volumes", "imagePullSecrets"})


def injected_before(pod: Mapping[str, Any]) -> dict[str, list[str]]:
    """What an earlier injection put in, names by kind; empty if there was none."""
    document = _annotation(pod, STATUS)
    return {kind: names for kind in _ALL if isinstance(names := document.get(kind), list)}


def _annotation(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    text = annotations_of(pod).get(name)
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise PodError(f"annotation {name}: {error}; it is written by the injector, remove it") from None


def clean_pod(pod: Mapping[str, Any]) -> Json:
    """The pod as it was before an earlier injection, as far as templates look: without the containers put in then."""
    cleaned: Json = copied(pod)
    before = injected_before(pod)
    if not before:
        return cleaned
    saved = _annotation(pod, OVERRIDES)
    for kind in _KINDS:
        gone = before.get(kind, ())
        kept = [container for container in list_of(pod, "spec", kind) if container.get("name") not in gone]
        own = [container for container in list_of(saved, kind) if find_container(kept, container["name"]) is None]
        cleaned["spec"][kind] = [*kept, *own]
    cleaned["metadata"]["annotations"] = {k: v for k, v in annotations_of(pod).items() if k != STATUS}
    return cleaned


def move_proxy(pod: Json) -> Json:
    """The pod with a hand-written proxy among the init containers, where the template has its native sidecar."""
    containers, already = list_of(pod, "spec", "containers"), list_of(pod, "spec", "initContainers")
    proxy = find_container(containers, PROXY_CONTAINER)
    if proxy is None or find_container(already, PROXY_CONTAINER) is not None:
        return pod
    others = [container for container in containers if container is not proxy]
    return {**pod, "spec": {**pod["spec"], "containers": others, "initContainers": [*already, proxy]}}


def reapply_overrides(final: Json, original: Json, template: Json) -> Json:
    """Lay the user's containers over the injected ones, and note them down.

    Args:
        final: the pod with the template merged in.
        original: the pod as it came.
        template: what the templates made, to know which containers are theirs.
    """
    before, saved = injected_before(original), _annotation(original, OVERRIDES)
    noted: Json = {}
    for kind in _KINDS:
        for container in list_of(template, "spec", kind):
            own = _own_container(str(container.get("name")), kind, original, saved, before)
            if own is not None:
                noted.setdefault(kind, []).append(own)
                final = strategic_merge(final, {"spec": {kind: [own]}})
    if noted and not before:
        text = msgspec.json.encode(noted).decode()
        final = strategic_merge(final, {"metadata": {"annotations": {OVERRIDES: text}}})
    user = mapping_of(find_proxy(original) or {}, "securityContext") if not before else _saved_context(saved)
    _follow_user(final, user, original)
    return final


def _own_container(
    name: str, kind: str, original: Json, saved: Mapping[str, Any], before: Mapping[str, list[str]]
) -> Json | None:
    """What the user wrote for a container of the template's."""
    found = find_container(list_of(saved, kind), name)
    if found is None and name not in before.get(kind, ()):
        found = find_container(list_of(original, "spec", kind), name)
        if found is None and kind == "initContainers":
            found = find_container(list_of(original, "spec", "containers"), name)
    if found is None:
        return None
    return {"resources": {}} | {k: v for k, v in found.items() if not (k == "image" and v == _AUTO_IMAGE)}


def _saved_context(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = [*list_of(saved, "containers"), *list_of(saved, "initContainers")]
    return mapping_of(find_container(containers, PROXY_CONTAINER) or {}, "securityContext")


def _follow_user(final: Json, wanted: Mapping[str, Any], original: Json) -> None:
    """Capture lets pass what the proxy's user sends, so it must know the user that the proxy really has."""
    ids = {key: wanted[key] for key in ("runAsUser", "runAsGroup") if wanted.get(key) is not None}
    containers = list_of(final, "spec", "initContainers")
    init = find_container(containers, INIT_CONTAINER) or find_container(containers, VALIDATION_CONTAINER)
    proxy = find_proxy(final)
    if not ids or init is None or proxy is None:
        return
    if _is_transparent(final, original):
        if "runAsUser" in ids:
            proxy["securityContext"]["runAsUser"] = 0  # binding to foreign addresses takes root
    elif init["name"] == VALIDATION_CONTAINER:
        init["securityContext"] = {**mapping_of(init, "securityContext"), **ids}
    arguments = list(init.get("args") or ())
    if ids.get("runAsUser") and "-u" in arguments[:-1]:
        arguments[arguments.index("-u") + 1] = str(ids["runAsUser"])
        init["args"] = arguments


def _is_transparent(final: Json, original: Json) -> bool:
    mode = annotations_of(final).get(INTERCEPTION_MODE) or annotations_of(original).get(INTERCEPTION_MODE)
    if mode is not None:
        return mode == "TPROXY"
    variables = list_of(find_proxy(final) or {}, "env")
    return any(v.get("name") == "ISTIO_META_INTERCEPTION_MODE" and v.get("value") == "TPROXY" for v in variables)
