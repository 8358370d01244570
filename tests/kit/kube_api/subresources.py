"""Subresources other than status: tokens, scale, binding, eviction, finalize."""

from __future__ import annotations

from tests.kit.kube_api.call import Call, Reply, options_of
from tests.kit.kube_api.deleting import Deleter
from tests.kit.kube_api.errors import conflict, not_found, page_not_found
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta, with_meta
from tests.kit.kube_api.patching import decode_body, patched
from tests.kit.kube_api.state import State
from tests.kit.kube_api.tokens import Tokens
from tests.kit.kube_api.writing import Writer

__all__ = ["SUBRESOURCES", "Subresources"]

SUBRESOURCES = {
    "Deployment": ("scale",),
    "ReplicaSet": ("scale",),
    "StatefulSet": ("scale",),
    "Pod": ("binding", "eviction"),
    "ServiceAccount": ("token",),
}
"""By kind, as discovery tells them."""


class Subresources:
    """Answers requests on them."""

    def __init__(self, state: State, writer: Writer, deleter: Deleter, tokens: Tokens) -> None:
        self._state = state
        self._writer = writer
        self._deleter = deleter
        self._tokens = tokens

    async def answer(self, kind: Kind, call: Call) -> Reply:
        """The answer.

        Raises:
            StatusError: whatever is wrong.
        """
        if call.route.subresource not in SUBRESOURCES.get(kind.kind, ()):
            raise page_not_found()
        match call.route.subresource, call.route.verb:
            case "token", "create":
                request = decode_body(call.body, call.content_type)
                return Reply(status=201, body=self._tokens.issue(call.route.namespace, call.route.name, request))
            case "scale", "get" | "update" | "patch":
                return await self._scale(kind, call)
            case "binding", "create":
                return await self._bind(kind, call)
            case "eviction", "create":
                await self._deleter.delete(kind, call.route.namespace, call.route.name, options_of(call, body={}))
                return Reply(status=201, body=_success())
        raise page_not_found()

    async def _scale(self, kind: Kind, call: Call) -> Reply:
        namespace, name = call.route.namespace, call.route.name
        present = self._state.store.get(kind.resource, (namespace, name))
        if present is None:
            raise not_found(kind.plural, kind.group, name)
        if call.route.verb != "get":

            def scaled(old: Json) -> Json:
                before = _scale_of(old)
                wanted = decode_body(call.body) if call.route.verb == "update" else _patched_scale(call, before)
                return {**old, "spec": {**old["spec"], "replicas": (wanted.get("spec") or {}).get("replicas", 0)}}

            present = await self._writer.change(kind, namespace, name, scaled, options_of(call))
        return Reply(body=_scale_of(present))

    async def _bind(self, kind: Kind, call: Call) -> Reply:
        body = decode_body(call.body, call.content_type)
        node = body["target"]["name"]

        def bound(old: Json) -> Json:
            taken = old["spec"].get("nodeName")
            if taken:
                raise conflict(kind.plural, kind.group, meta(old)["name"], f"pod is already assigned to node {taken}")
            return {**old, "spec": {**old["spec"], "nodeName": node}}

        await self._writer.change(kind, call.route.namespace, call.route.name, bound, options_of(call))
        return Reply(status=201, body=_success())


def _patched_scale(call: Call, before: Json) -> Json:
    kind = Kind(
        group="autoscaling",
        version="v1",
        kind="Scale",
        plural="scales",
        singular="scale",
        namespaced=True,
    )
    return patched(kind, call.content_type, call.body, before)


def _scale_of(item: Json) -> Json:
    selector = (item["spec"].get("selector") or {}).get("matchLabels") or {}
    metadata = {key: meta(item)[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": with_meta({"metadata": metadata})["metadata"],
        "spec": {"replicas": item["spec"].get("replicas", 0)},
        "status": {
            "replicas": (item.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        },
    }


def _success() -> Json:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
