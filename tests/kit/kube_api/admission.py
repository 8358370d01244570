"""Dynamic admission: calls the webhooks that the store's configurations name, as the real server does.

Spec: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from tests.kit.kube_api.errors import StatusError, bad_request, internal
from tests.kit.kube_api.identity import new_uid
from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.patching import json_patch
from tests.kit.kube_api.selectors import label_selector_match
from tests.kit.kube_api.state import NAMESPACES, Change, State
from tests.kit.kube_api.writing import typed

__all__ = ["Webhooks"]

_GROUP: Final = "admissionregistration.k8s.io"
_MUTATING: Final = ResourceId(_GROUP, "mutatingwebhookconfigurations")
_VALIDATING: Final = ResourceId(_GROUP, "validatingwebhookconfigurations")
_REVIEW: Final = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
_TIMEOUT_S: Final = 10


class _UnreachableError(Exception):
    """The webhook gave no usable answer; its failure policy decides."""


class Webhooks:
    """Calls webhooks. `services` says where a Service's webhook listens, as "host:port" by (namespace, name, port)."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.services: dict[tuple[str, str, int], str] = {}

    async def mutate(self, change: Change) -> Json | None:
        """The object after all mutating webhooks; those that ask for it are called again if a later one changed it."""
        if change.new is None or not self._considers(change):
            return change.new
        hooks = self._hooks(_MUTATING)
        item = change.new
        for round_number in range(2):
            before_round = item
            for hook in hooks:
                if round_number and (hook.get("reinvocationPolicy") != "IfNeeded" or item == change.new):
                    continue
                item = await self._mutated(hook, change, item)
            if item == before_round or len(hooks) < 2:
                break
        return item

    async def validate(self, change: Change) -> None:
        """Ask all validating webhooks, together."""
        if not self._considers(change):
            return
        hooks = [hook for hook in self._hooks(_VALIDATING) if self._matches(hook, change)]
        refusals = [answer for answer in await asyncio.gather(*(self._asked(hook, change) for hook in hooks)) if answer]
        if refusals:
            raise refusals[0]

    async def _asked(self, hook: Json, change: Change) -> StatusError | None:
        """The refusal, if there is one: a value, so that one does not leave the other calls alone."""
        try:
            await self._decide(hook, change)
        except StatusError as error:
            return error
        return None

    async def _mutated(self, hook: Json, change: Change, item: Json) -> Json:
        change = msgspec.structs.replace(change, new=item)
        if not self._matches(hook, change):
            return item
        answer = await self._decide(hook, change)
        if not answer.get("patch"):
            return item
        try:
            operations = msgspec.json.decode(base64.b64decode(answer["patch"]), type=list[dict[str, Any]])
        except (msgspec.DecodeError, binascii.Error) as error:
            raise internal(f'failed calling webhook "{hook["name"]}": its patch does not parse: {error}') from error
        return json_patch(item, operations)

    async def _decide(self, hook: Json, change: Change) -> Json:
        """The answer of an admission, once it allows.

        Raises:
            StatusError: it refuses, or it fails and its policy is to refuse then.
        """
        if change.options.dry_run and hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise bad_request(f'admission webhook "{hook["name"]}" does not support dry run')
        try:
            answer = await self._called(hook, change)
        except _UnreachableError as error:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return {"allowed": True}
            raise internal(f'failed calling webhook "{hook["name"]}": {error}') from error
        if not answer.get("allowed"):
            raise _denied(hook["name"], answer.get("status") or {})
        return answer

    async def _called(self, hook: Json, change: Change) -> Json:
        timeout_s = hook.get("timeoutSeconds") or _TIMEOUT_S
        url, server_name = self._target(hook["clientConfig"])
        request = _request(change)
        review: Json = {**_REVIEW, "request": request}
        try:
            timeout = aiohttp.ClientTimeout(total=timeout_s)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    f"{url}?timeout={timeout_s}s",
                    data=msgspec.json.encode(review),
                    headers={"Content-Type": "application/json"},
                    ssl=_trust(hook["clientConfig"]),
                    server_hostname=server_name,
                ) as response,
            ):
                body = await response.read()
                if response.status != 200:
                    raise _UnreachableError(f"failed to call webhook: the server answered {response.status}")
                return _checked(msgspec.json.decode(body, type=dict[str, Any]), request["uid"])
        except TimeoutError as error:
            raise _UnreachableError(f'failed to call webhook: Post "{url}": context deadline exceeded') from error
        except (aiohttp.ClientError, msgspec.DecodeError, OSError) as error:
            raise _UnreachableError(f'failed to call webhook: Post "{url}": {error}') from error

    def _target(self, config: Mapping[str, Any]) -> tuple[str, str | None]:
        if config.get("url"):
            return config["url"], None
        service = config["service"]
        namespace, name, port = service["namespace"], service["name"], service.get("port", 443)
        host = f"{name}.{namespace}.svc"
        address = self.services.get((namespace, name, port))
        if address is None:
            raise _UnreachableError(f'failed to call webhook: Post "https://{host}:{port}": no address of the service')
        return f"https://{address}{service.get('path') or '/'}", host

    def _hooks(self, resource: ResourceId) -> list[Json]:
        configurations = sorted(self._state.store.all(resource).items())
        return [hook for _, configuration in configurations for hook in configuration.get("webhooks") or ()]

    @staticmethod
    def _considers(change: Change) -> bool:
        """Webhook configurations are not subject to webhooks: a bad one could otherwise not be repaired."""
        return change.kind.group != _GROUP

    def _matches(self, hook: Json, change: Change) -> bool:
        if not any(_rule_matches(rule, change) for rule in hook.get("rules") or ()):
            return False
        item = change.new if change.new is not None else change.old or {}
        selects = label_selector_match(hook.get("objectSelector"))
        chosen = [candidate for candidate in (change.new, change.old) if candidate is not None]
        if not any(selects(meta(candidate).get("labels") or {}) for candidate in chosen):
            return False
        return label_selector_match(hook.get("namespaceSelector"))(self._namespace_labels(change, item))

    def _namespace_labels(self, change: Change, item: Json) -> Mapping[str, str]:
        if change.kind.resource == NAMESPACES:
            return meta(item).get("labels") or {}
        found = self._state.store.get(NAMESPACES, ("", change.key[0])) if change.kind.namespaced else None
        return (meta(found).get("labels") or {}) if found else {}


def _rule_matches(rule: Mapping[str, Any], change: Change) -> bool:
    kind, subresource = change.kind, change.options.subresource
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    wanted: list[str] = rule.get("resources") or []
    whole = "*" in wanted and not subresource
    named = (
        whole or resource in wanted or "*/*" in wanted or f"{kind.plural}/*" in wanted or f"*/{subresource}" in wanted
    )
    scope = rule.get("scope") or "*"
    return (
        named
        and bool({"*", change.operation} & set(rule.get("operations") or ()))
        and bool({"*", kind.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", kind.version} & set(rule.get("apiVersions") or ()))
        and (scope == "*" or (scope == "Namespaced") is kind.namespaced)
    )


def _request(change: Change) -> Json:
    kind = change.kind
    of_kind = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    of_resource = {"group": kind.group, "version": kind.version, "resource": kind.plural}
    item = change.new if change.new is not None else change.old or {}
    request: Json = {
        "uid": new_uid(),
        "kind": of_kind,
        "resource": of_resource,
        "requestKind": of_kind,
        "requestResource": of_resource,
        "operation": change.operation,
        "userInfo": change.options.user.to_json(),
        "object": None if change.new is None else typed(kind, change.new),
        "oldObject": None if change.old is None else typed(kind, change.old),
        "dryRun": change.options.dry_run,
        "options": {"kind": f"{change.operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"},
    }
    name = change.key[1] or meta(item).get("name", "")
    if name:
        request["name"] = name
    if kind.namespaced:
        request["namespace"] = change.key[0]
    if change.options.subresource:
        request |= {"subResource": change.options.subresource, "requestSubResource": change.options.subresource}
    return request


def _trust(config: Mapping[str, Any]) -> ssl.SSLContext:
    bundle = config.get("caBundle") or ""
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
    except (ssl.SSLError, ValueError) as error:
        raise _UnreachableError(f"unable to load root certificates: {error}") from error


def _checked(review: Json, uid: str) -> Json:
    response = review.get("response")
    if not isinstance(response, dict) or response.get("uid") != uid:
        raise _UnreachableError(f"expected response.uid={uid!r}")
    if review.get("apiVersion") != _REVIEW["apiVersion"] or review.get("kind") != _REVIEW["kind"]:
        raise _UnreachableError(f"expected webhook response of {_REVIEW['apiVersion']} AdmissionReview")
    if response.get("patch") and response.get("patchType") != "JSONPatch":
        raise _UnreachableError("webhook returned response.patch but not response.patchType JSONPatch")
    return response


def _denied(name: str, status: Mapping[str, Any]) -> StatusError:
    why = status.get("message") or status.get("reason") or ""
    text = f'admission webhook "{name}" denied the request' + (f": {why}" if why else " without explanation")
    code = int(status.get("code") or 400)
    return StatusError(code, status.get("reason") or ("Forbidden" if code == 403 else "BadRequest"), text)
