"""What a request asks for, read from its method, path and query.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris and the verbs of
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Route", "parse_route"]

_WRITES: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_OF_NAMESPACE: Final = frozenset({"status", "finalize"})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A request on a resource (`version` is set) or on another path.

    Attributes:
        verb: as authorization names it: get, list, watch, create, update, patch, delete, deletecollection; on other
            paths the lower-case method.
        namespace: of a namespace object it is the object itself, as authorization sees it.
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As rules name it: `pods`, `pods/status`."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def parse_route(method: str, path: str, query: Mapping[str, str]) -> Route:
    """The route of a request; a path outside of `/api/v1` and `/apis/<group>/<version>` names no resource."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Route(verb=method.lower(), path=path)
    namespace, rest = _split_namespace(rest)
    plural, name, subresource = (*rest, "", "", "")[:3]
    if len(rest) > 3:  # such as pods/x/proxy/some/path
        subresource = rest[2]
    return Route(
        verb=_verb(method, name, query),
        path=path,
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


def _split_namespace(rest: list[str]) -> tuple[str, list[str]]:
    if rest[0] != "namespaces" or len(rest) == 1:
        return "", rest
    if len(rest) == 2 or (len(rest) == 3 and rest[2] in _OF_NAMESPACE):
        return rest[1], rest
    return rest[1], rest[2:]


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in _WRITES:
        return _WRITES[method]
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    if query.get("watch", "").lower() in ("true", "1"):
        return "watch"
    return "get" if name else "list"
