"""User and group of the proxy on OpenShift, which gives each namespace a range of them.

Spec: https://docs.openshift.com/container-platform/latest/authentication/managing-security-context-constraints.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from discovery.inject.documents import Json, find_proxy, list_of, mapping_of
from discovery.inject.names import INIT_CONTAINER, PROXY_CONTAINER, VALIDATION_CONTAINER

__all__ = ["DEFAULT_IDS", "ProxyIds", "forget_given_user", "proxy_ids"]

_UIDS: Final = "openshift.io/sa.scc.uid-range"
_GROUPS: Final = "openshift.io/sa.scc.supplemental-groups"
_BLOCK: Final = re.compile(r"(\d+)(?:/(\d+)|-(\d+))")


class ProxyIds(NamedTuple):
    """Numbers that the proxy runs with."""

    uid: int
    gid: int


DEFAULT_IDS: Final = ProxyIds(1337, 1337)


def proxy_ids(annotations: Mapping[str, str]) -> ProxyIds:
    """The last of the namespace's range, for applications get the first."""
    uid = _last(annotations.get(_UIDS, ""))
    gid = _last(annotations.get(_GROUPS, "") or annotations.get(_UIDS, ""))
    return ProxyIds(DEFAULT_IDS.uid if uid is None else uid, DEFAULT_IDS.gid if gid is None else gid)


def _last(text: str) -> int | None:
    """The last number of the first block: ``first/count`` or ``first-last``."""
    block = _BLOCK.match(text)
    if block is None:
        return None
    return int(block[1]) + int(block[2]) - 1 if block[2] else int(block[3])


def forget_given_user(pod: Json) -> None:
    """Take the user off a proxy written by hand if it is the application's.

    The platform gives all containers one user; capture tells proxy and application apart by just that.
    """
    proxy = find_proxy(pod)
    context = mapping_of(proxy, "securityContext") if proxy is not None else {}
    if not isinstance(context, dict) or not context:
        return
    own = (PROXY_CONTAINER, INIT_CONTAINER, VALIDATION_CONTAINER)
    containers = [*list_of(pod, "spec", "containers"), *list_of(pod, "spec", "initContainers")]
    users: set[Any] = {
        mapping_of(container, "securityContext").get("runAsUser")
        for container in containers
        if container.get("name") not in own
    }
    if context.get("runAsUser") in users - {None}:
        context.pop("runAsUser", None)
        context.pop("runAsGroup", None)
