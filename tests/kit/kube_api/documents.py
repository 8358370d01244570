"""What the server tells of itself: versions, groups, resources, schemas.

Spec: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from tests.kit.kube_api.call import Call, Reply
from tests.kit.kube_api.errors import page_not_found
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.openapi import swagger, swagger_protobuf, v3_document
from tests.kit.kube_api.reviews import QUESTIONS
from tests.kit.kube_api.state import State
from tests.kit.kube_api.subresources import SUBRESOURCES
from tests.kit.kube_api.tokens import ISSUER, Tokens

__all__ = ["VERSION", "Documents"]

VERSION: Final = "v1.36.3+double"
_VERBS: Final = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_OPENAPI_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH: Final = frozenset({"/healthz", "/livez", "/readyz"})


class Documents:
    """Answers requests whose path names no resource."""

    def __init__(self, state: State, tokens: Tokens) -> None:
        self._state = state
        self._fixed: Mapping[str, Callable[[], Json]] = {
            "/version": _version,
            "/openapi/v2": lambda: swagger(state.kinds),
            "/openapi/v3": self._openapi_root,
            "/openid/v1/jwks": tokens.jwks,
            "/.well-known/openid-configuration": _openid,
        }

    def answer(self, call: Call) -> Reply:
        """The answer.

        Raises:
            StatusError: 404.
        """
        path = call.route.path.rstrip("/") or "/"
        if path in _HEALTH or path.startswith(("/livez/", "/readyz/", "/healthz/")):
            return Reply(data=b"ok", content_type="text/plain")
        if path in ("/api", "/apis"):
            return self._root(path, call.accept)
        if path == "/openapi/v2" and "protobuf" in call.accept:
            return Reply(data=swagger_protobuf(self._state.kinds), content_type=_OPENAPI_PROTOBUF)
        if path in self._fixed:
            return Reply(body=self._fixed[path]())
        parts = path.strip("/").split("/")
        if parts[:2] == ["openapi", "v3"]:
            return Reply(body=v3_document(self._of("/".join(parts[2:]))))
        return Reply(body=self._group(parts))

    def _group(self, parts: list[str]) -> Json:
        if parts[0] == "apis" and len(parts) == 2:
            if found := [group for group in self._groups() if group["name"] == parts[1]]:
                return {"kind": "APIGroup", "apiVersion": "v1", **found[0]}
            raise page_not_found()
        kinds = self._of("/".join(parts))
        if not kinds:
            raise page_not_found()
        resources = [entry for kind in kinds for entry in _resource_entries(kind)]
        answer: Json = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kinds[0].api_version}
        return {**answer, "resources": resources}

    def _of(self, path: str) -> list[Kind]:
        """The kinds of `api/v1` or `apis/<group>/<version>`."""
        return [kind for kind in self._state.kinds if _path(kind) == path]

    def _root(self, path: str, accept: str) -> Reply:
        version = next((name for name in ("v2", "v2beta1") if f"v={name};as=APIGroupDiscoveryList" in accept), "")
        if version:
            content = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            return Reply(body=self._aggregated(path, version), content_type=content)
        if path == "/apis":
            return Reply(body={"kind": "APIGroupList", "apiVersion": "v1", "groups": self._groups()})
        return Reply(body={"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})

    def _by_group(self) -> dict[str, dict[str, list[Kind]]]:
        groups: dict[str, dict[str, list[Kind]]] = {}
        for kind in self._state.kinds:
            groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        return groups

    def _groups(self) -> list[Json]:
        groups = []
        for group, versions in self._by_group().items():
            listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
            if group:
                groups.append({"name": group, "versions": listed, "preferredVersion": listed[0]})
        return groups

    def _aggregated(self, path: str, version: str) -> Json:
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [
                    {"version": name, "resources": [_aggregated(kind) for kind in kinds], "freshness": "Current"}
                    for name, kinds in versions.items()
                ],
            }
            for group, versions in self._by_group().items()
            if bool(group) == (path == "/apis")
        ]
        answer: Json = {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}"}
        return {**answer, "metadata": {}, "items": items}

    def _openapi_root(self) -> Json:
        paths = {}
        for path in dict.fromkeys(_path(kind) for kind in self._state.kinds):
            content = msgspec.json.encode(v3_document(self._of(path)))
            digest = hashlib.sha256(content).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return {"paths": paths}


def _path(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _verbs(kind: Kind) -> list[str]:
    return ["create"] if kind.kind in QUESTIONS else _VERBS


def _resource_entries(kind: Kind) -> list[Json]:
    entry: Json = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced}
    entry |= {"kind": kind.kind, "verbs": _verbs(kind)}
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    base = {"singularName": "", "namespaced": kind.namespaced}
    entries = [entry]
    if kind.status:
        verbs = ["get", "patch", "update"]
        entries.append({**base, "name": f"{kind.plural}/status", "kind": kind.kind, "verbs": verbs})
    for name in SUBRESOURCES.get(kind.kind, ()):
        extra = _SUB_KINDS[name]
        entries.append({**base, **extra, "name": f"{kind.plural}/{name}"})
    return entries


_SUB_KINDS: Final[Mapping[str, Json]] = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]},
    "binding": {"kind": "Binding", "verbs": ["create"]},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]},
    "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest", "verbs": ["create"]},
}


def _aggregated(kind: Kind) -> Json:
    of = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: Json = {
        "resource": kind.plural,
        "responseKind": of,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    below = [{"subresource": "status", "responseKind": of, "verbs": ["get", "patch", "update"]}] if kind.status else []
    for name in SUBRESOURCES.get(kind.kind, ()):
        extra = _SUB_KINDS[name]
        response = {key: extra.get(key, of[key]) for key in ("group", "version", "kind")}
        below.append({"subresource": name, "responseKind": response, "verbs": extra["verbs"]})
    return entry | ({"subresources": below} if below else {})


def _version() -> Json:
    major, minor, *_ = VERSION.removeprefix("v").split(".")
    known = {"gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none"}
    return {
        "major": major,
        "minor": minor,
        "gitVersion": VERSION,
        **known,
        "compiler": "none",
        "platform": "test/double",
    }


def _openid() -> Json:
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
