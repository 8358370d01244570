"""Admission webhooks, called by the API server double and by the real one alike."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import Answer, KubeApi
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.webhook_server import WebhookServer, deny, patch

pytestmark = pytest.mark.kube


def config_map(name: str, **metadata: Any) -> Json:
    return {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}


async def make(api: KubeApi, namespace: str, body: Json, **query: str) -> Answer:
    return await api.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", body, query=query)


@asynccontextmanager
async def configured(
    api: KubeApi, server: WebhookServer, namespace: str, *, mutating: bool, **hook: Any
) -> AsyncIterator[None]:
    """The webhook is called, within this context: the real server takes a moment to notice a configuration."""
    name = f"hook-{secrets.token_hex(4)}"
    configuration = server.configuration(name, mutating=mutating, namespace=namespace, **hook)
    await api.apply(configuration)
    called = api.get("v1", "Namespace", namespace)
    assert await called is not None

    async def noticed() -> bool:
        await make(api, namespace, config_map(f"probe-{secrets.token_hex(4)}"))
        return bool(server.requests)

    try:
        await eventually(noticed, within_s=20)
        server.requests.clear()
        yield
    finally:
        await api.delete(configuration)


async def test_mutating_webhook_changes_the_object(kube_api: KubeApi) -> None:
    """Its JSON patch is applied; the review tells who does what to which object."""
    namespace = await kube_api.new_namespace()
    add = patch({"op": "add", "path": "/data/b", "value": "2"})
    async with WebhookServer(add) as server, configured(kube_api, server, namespace, mutating=True):
        answer = await make(kube_api, namespace, config_map("one"))
    assert (answer.status, answer.json["data"]) == (201, {"a": "1", "b": "2"})
    request = server.requests[0]
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["namespace"], request["name"], request["dryRun"]) == (namespace, "one", False)
    assert request["object"]["data"] == {"a": "1"}
    assert request["oldObject"] is None
    assert {"username", "groups"} <= set(request["userInfo"])


async def test_validating_webhook_refuses(kube_api: KubeApi) -> None:
    """Its message and code reach the client, and nothing is written."""
    namespace = await kube_api.new_namespace()
    async with (
        WebhookServer(deny("not here", 403)) as server,
        configured(kube_api, server, namespace, mutating=False),
    ):
        answer = await make(kube_api, namespace, config_map("one"))
    assert answer.status == 403
    assert "denied the request: not here" in answer.json["message"]
    assert await kube_api.get("v1", "ConfigMap", "one", namespace) is None


async def test_webhooks_see_generated_names_late(kube_api: KubeApi) -> None:
    """A mutating webhook sees an object with `generateName` before it has a name."""
    namespace = await kube_api.new_namespace()
    async with WebhookServer() as server, configured(kube_api, server, namespace, mutating=True):
        answer = await make(kube_api, namespace, {"metadata": {"generateName": "made-"}})
    assert meta(answer.json)["name"].startswith("made-")
    assert "name" not in meta(server.requests[0]["object"])


async def test_update_and_delete_carry_the_old_object(kube_api: KubeApi) -> None:
    """An update has both objects, a delete only the old one."""
    namespace = await kube_api.new_namespace()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    async with WebhookServer() as server, configured(kube_api, server, namespace, mutating=False, rules=[rule]):
        await make(kube_api, namespace, config_map("one"))
        body = config_map("one")
        body["data"] = {"a": "2"}
        path = f"/api/v1/namespaces/{namespace}/configmaps/one"
        await kube_api.call("PUT", path, body)
        await kube_api.call("DELETE", path)
        seen = {request["operation"]: request for request in server.requests if request.get("name") == "one"}
    assert set(seen) == {"CREATE", "UPDATE", "DELETE"}
    assert seen["UPDATE"]["object"]["data"] == {"a": "2"}
    assert seen["UPDATE"]["oldObject"]["data"] == {"a": "1"}
    assert seen["DELETE"]["object"] is None
    assert seen["DELETE"]["oldObject"]["data"] == {"a": "2"}


async def test_object_selector_limits_the_calls(kube_api: KubeApi) -> None:
    """Objects without the label are not shown to the webhook."""
    namespace = await kube_api.new_namespace()
    async with WebhookServer() as server:
        async with configured(kube_api, server, namespace, mutating=True):
            pass  # the server knows by now how to call it
        selector = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}
        async with configured(kube_api, server, namespace, mutating=True, objectSelector=selector):
            await make(kube_api, namespace, config_map("seen"))
            await make(kube_api, namespace, config_map("unseen", labels={"skip": "yes"}))
            assert [request["name"] for request in server.requests] == ["seen"]


@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_failure_policy_decides_without_an_answer(kube_api: KubeApi, policy: str, status: int) -> None:
    """A webhook that does not answer well refuses or is ignored, as it says."""
    namespace = await kube_api.new_namespace()
    async with (
        WebhookServer() as server,
        configured(kube_api, server, namespace, mutating=False, failurePolicy=policy),
    ):
        server.decide = lambda _: {"uid": "another", "allowed": False}
        answer = await make(kube_api, namespace, config_map("one"))
    assert answer.status == status, answer.body
    if status == 500:
        assert "failed calling webhook" in answer.json["message"]


async def test_certificate_of_the_webhook_is_verified(kube_api: KubeApi) -> None:
    """A bundle that the certificate does not chain to is a failure, not a call."""
    namespace = await kube_api.new_namespace()
    async with WebhookServer() as server, WebhookServer() as other:
        async with configured(kube_api, server, namespace, mutating=False):
            pass
        configuration = server.configuration(f"hook-{secrets.token_hex(4)}", mutating=False, namespace=namespace)
        configuration["webhooks"][0]["clientConfig"]["caBundle"] = other.ca_bundle
        await kube_api.apply(configuration)

        async def refused() -> bool:
            answer = await make(kube_api, namespace, config_map(f"probe-{secrets.token_hex(4)}"))
            return answer.status == 500 and "certificate" in answer.json["message"]

        server.requests.clear()
        await eventually(refused, within_s=20)
        assert server.requests == []
        await kube_api.delete(configuration)


async def test_webhook_with_side_effects_refuses_dry_run(kube_api: KubeApi) -> None:
    """A dry run does not call a webhook that might do something; without side effects it is called and told."""
    namespace = await kube_api.new_namespace()
    async with WebhookServer() as server, configured(kube_api, server, namespace, mutating=False):
        assert (await make(kube_api, namespace, config_map("one"), dryRun="All")).status == 201
        assert server.requests[-1]["dryRun"] is True


async def test_later_changes_are_shown_again(kube_api: KubeApi) -> None:
    """A webhook with `reinvocationPolicy: IfNeeded` is called again when one after it changed the object."""
    namespace = await kube_api.new_namespace()
    first, second = WebhookServer(), WebhookServer(patch({"op": "add", "path": "/data/late", "value": "1"}))
    async with first, second:
        hook = {"reinvocationPolicy": "IfNeeded"}
        early = first.configuration(f"a-{secrets.token_hex(4)}", mutating=True, namespace=namespace, **hook)
        late = second.configuration(f"b-{secrets.token_hex(4)}", mutating=True, namespace=namespace)
        await kube_api.apply(early, late)

        async def both() -> bool:
            await make(kube_api, namespace, config_map(f"probe-{secrets.token_hex(4)}"))
            return bool(first.requests) and bool(second.requests)

        await eventually(both, within_s=20)
        first.requests.clear()
        await make(kube_api, namespace, config_map("one"))
        assert [sorted(request["object"]["data"]) for request in first.requests] == [["a"], ["a", "late"]]
        await kube_api.delete(early, late)


@pytest.mark.kube_double
async def test_service_of_a_webhook_is_resolved(kube_api: KubeApi) -> None:
    """A webhook named by its Service is called where the test says, and must have a certificate for the name."""
    namespace = await kube_api.new_namespace()
    service = {"namespace": "mesh", "name": "hook", "path": "/inject", "port": 443}
    async with WebhookServer(dns_names=["hook.mesh.svc"]) as server:
        client = {"service": service, "caBundle": server.ca_bundle}
        await kube_api.apply(server.configuration("hook", mutating=True, namespace=namespace, clientConfig=client))
        refusal = await make(kube_api, namespace, config_map("one"))
        assert (refusal.status, "hook.mesh.svc" in refusal.json["message"]) == (500, True)
        kube_api.double.webhooks.services["mesh", "hook", 443] = server.address
        assert (await make(kube_api, namespace, config_map("one"))).status == 201
        assert len(server.requests) == 1
