"""Requests on resources: which part of the server answers them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from tests.kit.kube_api.call import Call, Reply, options_of
from tests.kit.kube_api.deleting import Deleter
from tests.kit.kube_api.errors import bad_request, invalid, method_not_allowed, not_found, page_not_found
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, drop, meta
from tests.kit.kube_api.ownership import applied
from tests.kit.kube_api.patching import decode_body, patched
from tests.kit.kube_api.reviews import QUESTIONS, Reviews
from tests.kit.kube_api.selectors import Match, selection
from tests.kit.kube_api.state import State, WriteOptions
from tests.kit.kube_api.subresources import Subresources
from tests.kit.kube_api.versions import list_page
from tests.kit.kube_api.views import view_of
from tests.kit.kube_api.writing import Make, Writer, typed

__all__ = ["Resources"]

_WATCH_S: Final = 1800.0
_PLAIN: Final = frozenset({"", "status"})


class Resources:
    """Answers requests whose path names a resource."""

    def __init__(self, state: State, writer: Writer, deleter: Deleter, reviews: Reviews, special: Subresources) -> None:
        self._state = state
        self._writer = writer
        self._deleter = deleter
        self._reviews = reviews
        self._special = special

    async def answer(self, call: Call) -> Reply:
        """The answer.

        Raises:
            StatusError: whatever is wrong.
        """
        route = call.route
        kind = self._state.kinds.find(route.group, route.version, route.plural)
        if kind is None or (route.subresource == "status" and not kind.status):
            raise page_not_found()
        if route.subresource not in _PLAIN:
            return await self._special.answer(kind, call)
        match route.verb:
            case "get":
                return Reply(body=view_of(call, kind, self._state.clock).one(self._get(kind, call)))
            case "list" | "watch":
                return self._watch(kind, call) if route.verb == "watch" else self._list(kind, call)
            case "create":
                return await self._create(kind, call)
            case "update" | "patch":
                return await self._change(kind, call)
            case "delete" | "deletecollection":
                return await self._delete(kind, call)
        raise method_not_allowed()

    def _namespace(self, kind: Kind, call: Call) -> str:
        return call.route.namespace if kind.namespaced else ""

    def _get(self, kind: Kind, call: Call) -> Json:
        found = self._state.store.get(kind.resource, (self._namespace(kind, call), call.route.name))
        if found is None:
            raise not_found(kind.plural, kind.group, call.route.name)
        return typed(kind, found)

    def _match(self, kind: Kind, call: Call) -> Match:
        match = selection(call.query, kind, self._namespace(kind, call))
        name = call.route.name
        return (lambda item: meta(item)["name"] == name and match(item)) if name else match

    def _list(self, kind: Kind, call: Call) -> Reply:
        page = list_page(self._state.store, kind.resource, call.query, self._match(kind, call))
        metadata: Json = {"resourceVersion": str(page.version)}
        if page.next_token:
            metadata["continue"] = page.next_token
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
        return Reply(body=view_of(call, kind, self._state.clock).many(page.items, metadata))

    def _watch(self, kind: Kind, call: Call) -> Reply:
        convert = view_of(call, kind, self._state.clock).event
        watch = self._state.watches.open(kind, call.query, self._match(kind, call), convert)
        wanted = float(call.query.get("timeoutSeconds") or 0)
        return Reply(watch=watch, timeout_s=wanted or _WATCH_S * (1 + random.random()))  # spread, as the real one

    async def _create(self, kind: Kind, call: Call) -> Reply:
        if call.route.name:
            raise method_not_allowed()
        body = typed(kind, decode_body(call.body, call.content_type))
        if kind.kind in QUESTIONS:
            return Reply(status=201, body=self._reviews.answer(kind.kind, body, call.user))
        created = await self._writer.create(kind, self._namespace(kind, call), body, options_of(call))
        return Reply(status=201, body=view_of(call, kind, self._state.clock).one(typed(kind, created)))

    async def _change(self, kind: Kind, call: Call) -> Reply:
        options, namespace = options_of(call), self._namespace(kind, call)
        if options.applies:
            return await self._apply(kind, namespace, call, options)
        make: Make = lambda old: patched(kind, call.content_type, call.body, old)  # noqa: E731 - one of two
        if call.route.verb == "update":
            body = typed(kind, decode_body(call.body, call.content_type))
            make = lambda _: body  # noqa: E731
        changed = await self._writer.change(kind, namespace, call.route.name, make, options)
        return Reply(body=view_of(call, kind, self._state.clock).one(typed(kind, changed)))

    async def _apply(self, kind: Kind, namespace: str, call: Call, options: WriteOptions) -> Reply:
        wanted = decode_body(call.body, "application/yaml")
        _check_applied(kind, call, wanted)
        wanted = typed(kind, wanted)
        now, name = self._state.now_text(), call.route.name
        exists = self._state.store.get(kind.resource, (namespace, name)) is not None
        if not exists and options.subresource:
            raise not_found(kind.plural, kind.group, name)
        if exists:
            make: Make = lambda old: applied(kind, old, wanted, options, now)  # noqa: E731
            item = await self._writer.change(kind, namespace, name, make, options)
        else:
            first = applied(kind, None, wanted, options, now)
            item = await self._writer.create(kind, namespace, first, options)
        view = view_of(call, kind, self._state.clock)
        return Reply(status=200 if exists else 201, body=view.one(typed(kind, item)))

    async def _delete(self, kind: Kind, call: Call) -> Reply:
        body = drop(decode_body(call.body, call.content_type), "kind", "apiVersion")
        options = options_of(call, body={**_query_options(call.query), **body})
        namespace = self._namespace(kind, call)
        if call.route.name:
            return Reply(body=await self._deleter.delete(kind, namespace, call.route.name, options))
        deleted = await self._deleter.delete_collection(kind, namespace, self._match(kind, call), options)
        metadata = {"resourceVersion": str(self._state.store.version)}
        return Reply(body=view_of(call, kind, self._state.clock).many(deleted, metadata))


def _query_options(query: Mapping[str, str]) -> Json:
    options: dict[str, Any] = {}
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    return options


def _check_applied(kind: Kind, call: Call, wanted: Json) -> None:
    if not call.query.get("fieldManager"):
        why = "Required value: is required for apply patch"
        raise invalid("PatchOptions", "meta.k8s.io", "", [("fieldManager", "FieldValueRequired", why)])
    if meta(wanted).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if not wanted.get("apiVersion") or wanted.get("kind") != kind.kind:
        raise bad_request(f"an apply patch must have apiVersion {kind.api_version} and kind {kind.kind}")
    if meta(wanted).get("name", call.route.name) != call.route.name:
        why = f"the name of the object ({meta(wanted)['name']}) does not match the name on the URL ({call.route.name})"
        raise bad_request(why)
