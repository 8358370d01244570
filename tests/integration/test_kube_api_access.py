"""Who may do what: tokens, reviews and roles, for the API server double and for the real one alike."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import msgspec
import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube

RBAC = "rbac.authorization.k8s.io/v1"


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=dict[str, Any])


async def review(api: KubeApi, token: str, *audiences: str) -> Json:
    """The status of a TokenReview."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    answer = await api.call(
        "POST",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {**body, "spec": {"token": token, "audiences": list(audiences)}},
    )
    assert answer.status == 201, answer.body
    status: Json = answer.json["status"]
    return status


async def pod_on_a_node(api: KubeApi, namespace: str) -> Json:
    """A pod whose node exists, as the server made it."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{secrets.token_hex(4)}"}}
    await api.create(node)
    spec = {"nodeName": meta(node)["name"], "containers": [{"name": "app", "image": "app:1"}]}
    await api.token_for(namespace, "web")
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace}}
    return await api.create({**body, "spec": {**spec, "serviceAccountName": "web"}})


async def test_token_tells_whose_it_is(kube_api: KubeApi) -> None:
    """A token names its account, its audiences and its end; a review confirms it for those audiences only."""
    namespace = await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web", ["istio-ca"])
    claims = claims_of(token)
    assert claims["sub"] == f"system:serviceaccount:{namespace}:web"
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["istio-ca"], 3600)
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "web"
    status = await review(kube_api, token, "istio-ca", "other")
    assert (status["authenticated"], status["audiences"]) == (True, ["istio-ca"])
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:web"
    assert set(status["user"]["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    }
    refused = await review(kube_api, token, "other")
    assert not refused.get("authenticated")
    assert refused["error"]


async def test_token_of_a_pod_tells_pod_and_node(kube_api: KubeApi) -> None:
    """A token bound to a pod carries pod and node, and dies with the pod."""
    namespace = await kube_api.new_namespace()
    pod = await pod_on_a_node(kube_api, namespace)
    token = await kube_api.token_for(namespace, "web", ["istio-ca"], pod=pod)
    assert claims_of(token)["kubernetes.io"]["pod"] == {"name": "web", "uid": meta(pod)["uid"]}
    extra = (await review(kube_api, token, "istio-ca"))["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["web"]
    assert extra["authentication.kubernetes.io/pod-uid"] == [meta(pod)["uid"]]
    assert extra["authentication.kubernetes.io/node-name"] == [pod["spec"]["nodeName"]]
    assert len(extra["authentication.kubernetes.io/node-uid"]) == 1
    await kube_api.delete(pod, grace_s=0)

    async def dead() -> bool:
        return not (await review(kube_api, token, "istio-ca")).get("authenticated")

    await eventually(dead, within_s=30)


async def test_nonsense_is_no_token(kube_api: KubeApi) -> None:
    """A review says no; a call with it is 401."""
    assert not (await review(kube_api, "nonsense")).get("authenticated")
    answer = await kube_api.call("GET", "/api/v1/namespaces", token="nonsense")
    assert (answer.status, answer.json["reason"]) == (401, "Unauthorized")


async def test_token_for_others_is_no_credential(kube_api: KubeApi) -> None:
    """A token of another audience does not let its bearer call the API server."""
    namespace = await kube_api.new_namespace()
    foreign = await kube_api.token_for(namespace, "web", ["istio-ca"])
    assert (await kube_api.call("GET", "/api/v1/namespaces", token=foreign)).status == 401


async def test_token_needs_account_and_time(kube_api: KubeApi) -> None:
    """No token for an account that is not there, and none for less than ten minutes."""
    namespace = await kube_api.new_namespace()
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    assert (await kube_api.call("POST", f"{accounts}/nobody/token", {"spec": {}})).status == 404
    await kube_api.token_for(namespace, "web")
    short = {"spec": {"expirationSeconds": 60}}
    assert (await kube_api.call("POST", f"{accounts}/web/token", short)).status == 422


async def test_signing_keys_are_public(kube_api: KubeApi) -> None:
    """The key set has the key that a token names."""
    keys = (await kube_api.call("GET", "/openid/v1/jwks", accept="*/*")).json["keys"]
    token = await kube_api.token_for(await kube_api.new_namespace(), "web")
    header = token.split(".")[0]
    named = msgspec.json.decode(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)), type=dict[str, Any])
    assert named["kid"] in {key["kid"] for key in keys}
    document = (await kube_api.call("GET", "/.well-known/openid-configuration")).json
    assert document["issuer"] == claims_of(token)["iss"]


async def test_strangers_see_nothing(kube_api: KubeApi) -> None:
    """Without credentials a caller is anonymous, and forbidden."""
    answer = await kube_api.call("GET", "/api/v1/namespaces", token="")
    assert answer.status == 403
    assert 'User "system:anonymous" cannot list resource "namespaces" in API group ""' in answer.json["message"]


def role(kind: str, name: str, namespace: str, *rules: Json) -> Json:
    metadata = {"name": name} | ({"namespace": namespace} if kind == "Role" else {})
    return {"apiVersion": RBAC, "kind": kind, "metadata": metadata, "rules": list(rules)}


def binding(kind: str, name: str, namespace: str, of: str, account: str) -> Json:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    metadata = {"name": name} | ({"namespace": namespace} if kind == "RoleBinding" else {})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": name}
    return {"apiVersion": RBAC, "kind": kind, "metadata": metadata, "roleRef": reference, "subjects": [subject]}


async def until_allowed(api: KubeApi, path: str, token: str) -> None:
    """The real server takes a moment to notice a binding."""

    async def allowed() -> bool:
        return (await api.call("GET", path, token=token)).status != 403

    await eventually(allowed, within_s=20)


async def test_roles_grant_exactly_what_they_say(kube_api: KubeApi) -> None:
    """A role grants its verbs on its resources in its namespace, by name if it has names; subresources are apart."""
    kube_api.enforce_rbac()
    namespace, other = await kube_api.new_namespace(), await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web")
    root = f"/api/v1/namespaces/{namespace}"
    assert (await kube_api.call("GET", f"{root}/secrets", token=token)).status == 403
    rules: list[Json] = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["mine"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    ]
    await kube_api.apply(
        role("Role", "reader", namespace, *rules), binding("RoleBinding", "reader", namespace, "Role", "web")
    )
    await until_allowed(kube_api, f"{root}/secrets", token)
    wanted = {
        ("GET", f"{root}/secrets"): 200,
        ("GET", f"{root}/secrets/x"): 403,
        ("GET", f"{root}/configmaps"): 403,
        ("GET", f"{root}/configmaps/mine"): 404,
        ("GET", f"{root}/configmaps/other"): 403,
        ("PATCH", f"{root}/pods/x"): 403,
        ("PATCH", f"{root}/pods/x/status"): 404,
        ("GET", f"/api/v1/namespaces/{other}/secrets"): 403,
        ("GET", "/api/v1/secrets"): 403,
    }
    seen = {}
    for method, path in wanted:
        body: Json | None = {} if method == "PATCH" else None
        kind = "application/merge-patch+json"
        seen[method, path] = (await kube_api.call(method, path, body, token=token, content_type=kind)).status
    assert seen == wanted


async def test_cluster_roles_grant_everywhere(kube_api: KubeApi) -> None:
    """A cluster role bound to the cluster grants in all namespaces, and paths that are no resource."""
    kube_api.enforce_rbac()
    namespace, other = await kube_api.new_namespace(), await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web")
    name = f"reader-{secrets.token_hex(4)}"
    rules: list[Json] = [
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["list", "watch"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]
    granted = role("ClusterRole", name, "", *rules)
    bound = binding("ClusterRoleBinding", name, namespace, "ClusterRole", "web")
    await kube_api.apply(granted, bound)
    await until_allowed(kube_api, "/apis/apps/v1/deployments", token)
    assert (await kube_api.call("GET", f"/apis/apps/v1/namespaces/{other}/daemonsets", token=token)).status == 200
    assert (await kube_api.call("GET", f"/apis/batch/v1/namespaces/{other}/jobs", token=token)).status == 403
    assert (await kube_api.call("GET", "/metrics", token=token)).status != 403
    assert (await kube_api.call("GET", "/logs", token=token)).status == 403
    assert (await kube_api.call("GET", "/api", token=token)).status == 200
    await kube_api.delete(bound, granted)


async def test_access_can_be_asked_for(kube_api: KubeApi) -> None:
    """Access reviews answer for others and for oneself; everybody may ask for himself."""
    kube_api.enforce_rbac()
    namespace = await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web")
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    await kube_api.apply(
        role("Role", "reader", namespace, rule), binding("RoleBinding", "reader", namespace, "Role", "web")
    )
    await until_allowed(kube_api, f"/api/v1/namespaces/{namespace}/secrets", token)
    path = "/apis/authorization.k8s.io/v1"
    for verb, allowed in (("list", True), ("delete", False)):
        attributes = {"namespace": namespace, "verb": verb, "resource": "secrets"}
        user = f"system:serviceaccount:{namespace}:web"
        about = {"spec": {"resourceAttributes": attributes, "user": user}}
        other = await kube_api.call("POST", f"{path}/subjectaccessreviews", about)
        own = {"spec": {"resourceAttributes": attributes}}
        self = await kube_api.call("POST", f"{path}/selfsubjectaccessreviews", own, token=token)
        assert (other.json["status"]["allowed"], self.json["status"]["allowed"]) == (allowed, allowed)


@pytest.mark.kube_double
async def test_calls_are_logged_by_user(kube_api: KubeApi) -> None:
    """The log tells verb, group and resource of each call of a user."""
    namespace = await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web")
    await kube_api.call("GET", f"/api/v1/namespaces/{namespace}/pods", token=token)
    await kube_api.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/x/status", token=token)
    await kube_api.call("GET", "/version", token=token)
    used = kube_api.requests.used(f"system:serviceaccount:{namespace}:web")
    assert dict(used) == {
        ("list", "", "pods"): 1,
        ("get", "apps", "deployments/status"): 1,
        ("get", "", "/version"): 1,
    }
