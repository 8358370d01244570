"""Objects: what holds for the API server double and for the real one alike.

Run with `--kube=real` these tests verify the double: one that holds for the real server only is a finding about it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import ApiCallError, KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube


def config_map(namespace: str, name: str, **fields: Any) -> Json:
    """A ConfigMap; `labels`, `finalizers` and the like go to its metadata, `data` to where it belongs."""
    data = fields.pop("data", {"a": "1"})
    metadata = {"name": name, "namespace": namespace, **fields}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str, name: str, image: str = "app:1") -> Json:
    """A Deployment of no replicas."""
    labels = {"app": name}
    container = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def pod(namespace: str, name: str, **spec: Any) -> Json:
    """A Pod of one container."""
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "app", "image": "app:1"}], **spec},
    }


async def refused(api: KubeApi, method: str, path: str, body: Json | None = None, **query: str) -> tuple[int, str]:
    """Status and reason of a call that must not succeed."""
    answer = await api.call(method, path, body, query=query)
    assert answer.status >= 400, answer.body
    return answer.status, answer.json["reason"]


async def ready_namespace(api: KubeApi) -> str:
    """A fresh namespace whose default service account is there: pods need it."""
    namespace = await api.new_namespace()

    async def has_account() -> bool:
        return await api.get("v1", "ServiceAccount", "default", namespace) is not None

    await eventually(has_account, within_s=30)
    return namespace


async def test_create_completes_the_object_once(kube_api: KubeApi) -> None:
    """A new object gets uid, creation time and version; a second of its name is refused."""
    namespace = await kube_api.new_namespace()
    made = await kube_api.create(config_map(namespace, "one"))
    assert {"uid", "creationTimestamp", "resourceVersion"} <= set(meta(made))
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert await refused(kube_api, "POST", path, config_map(namespace, "one")) == (409, "AlreadyExists")


async def test_generated_names_differ(kube_api: KubeApi) -> None:
    """`generateName` makes a name of its prefix, a fresh one each time."""
    namespace = await kube_api.new_namespace()
    body = {"metadata": {"generateName": "made-"}}
    answers = [await kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", body) for _ in range(3)]
    names = {meta(answer.json)["name"] for answer in answers}
    assert len(names) == 3
    assert {name[:5] for name in names} == {"made-"}


async def test_missing_object_is_told_by_name(kube_api: KubeApi) -> None:
    """404 is a Status that names kind, group and object."""
    namespace = await kube_api.new_namespace()
    answer = await kube_api.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/none")
    assert answer.status == 404
    assert answer.json["message"] == 'deployments.apps "none" not found'
    assert answer.json["details"] == {"name": "none", "group": "apps", "kind": "deployments"}


async def test_update_needs_the_present_version(kube_api: KubeApi) -> None:
    """An update made from an older version is a conflict; one without a version wins."""
    namespace = await kube_api.new_namespace()
    first = await kube_api.create(config_map(namespace, "one"))
    second = await kube_api.replace({**first, "data": {"a": "2"}})
    assert int(meta(second)["resourceVersion"]) > int(meta(first)["resourceVersion"])
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    assert await refused(kube_api, "PUT", path, {**first, "data": {"a": "3"}}) == (409, "Conflict")
    third = await kube_api.replace(config_map(namespace, "one", data={"a": "4"}))
    assert third["data"] == {"a": "4"}
    assert meta(third)["uid"] == meta(first)["uid"]


async def test_update_without_change_is_no_write(kube_api: KubeApi) -> None:
    """Writing what is there leaves the version as it is."""
    namespace = await kube_api.new_namespace()
    first = await kube_api.create(config_map(namespace, "one"))
    again = await kube_api.replace(first)
    assert meta(again)["resourceVersion"] == meta(first)["resourceVersion"]


@pytest.mark.parametrize(
    ("method", "path", "changes", "wanted"),
    [
        ("POST", "", {"namespace": "elsewhere"}, (400, "BadRequest")),
        ("PUT", "/one", {"name": "two"}, (400, "BadRequest")),
        ("PUT", "/none", {"name": "none"}, (404, "NotFound")),
        ("PUT", "/one", {"uid": "00000000-0000-0000-0000-000000000000"}, (409, "Conflict")),
        ("POST", "", {"name": "Not_a_name"}, (422, "Invalid")),
        ("POST", "", {"name": ""}, (422, "Invalid")),
    ],
)
async def test_contradictions_are_refused(
    kube_api: KubeApi, method: str, path: str, changes: dict[str, str], wanted: tuple[int, str]
) -> None:
    """Body and path must agree, and names must be names."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(config_map(namespace, "one"))
    body = config_map(namespace, "one")
    body["metadata"] |= changes
    assert await refused(kube_api, method, f"/api/v1/namespaces/{namespace}/configmaps{path}", body) == wanted


async def test_namespace_must_exist(kube_api: KubeApi) -> None:
    """Nothing can be created in a namespace that is not there."""
    path = "/api/v1/namespaces/no-such-place/configmaps"
    answer = await kube_api.call("POST", path, config_map("no-such-place", "one"))
    assert (answer.status, answer.json["message"]) == (404, 'namespaces "no-such-place" not found')


async def test_status_is_written_apart(kube_api: KubeApi) -> None:
    """A write of the object leaves the status, a write of the status leaves the rest; only the former counts up."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(deployment(namespace, "web"))
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    told = {"status": {"observedGeneration": 1, "collisionCount": 7}, "spec": {"paused": True}}
    merge = "application/merge-patch+json"
    after = (await kube_api.call("PATCH", f"{path}/status", told, content_type=merge)).json
    assert after["status"]["collisionCount"] == 7
    assert (after["spec"].get("paused"), meta(after)["generation"]) == (None, 1)
    after = (await kube_api.call("PATCH", path, {**told, "status": {"collisionCount": 9}}, content_type=merge)).json
    assert after["status"]["collisionCount"] == 7
    assert (after["spec"]["paused"], meta(after)["generation"]) == (True, 2)


async def test_finalizers_hold_an_object(kube_api: KubeApi) -> None:
    """A deleted object with finalizers lingers, marked, until the last of them is taken away."""
    namespace = await kube_api.new_namespace()
    held = config_map(namespace, "held", finalizers=["example.org/hold"])
    await kube_api.create(held)
    await kube_api.delete(held)
    marked = await kube_api.get("v1", "ConfigMap", "held", namespace)
    assert marked is not None
    assert meta(marked)["deletionTimestamp"]
    released = {**marked, "metadata": {**meta(marked), "finalizers": []}}
    await kube_api.replace(released)
    assert await kube_api.get("v1", "ConfigMap", "held", namespace) is None


async def test_delete_honours_preconditions(kube_api: KubeApi) -> None:
    """A delete that names another uid or version does nothing."""
    namespace = await kube_api.new_namespace()
    made = await kube_api.create(config_map(namespace, "one"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    for wrong in ({"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": "1"}):
        assert await refused(kube_api, "DELETE", path, {"preconditions": wrong}) == (409, "Conflict")
    right = {"uid": meta(made)["uid"], "resourceVersion": meta(made)["resourceVersion"]}
    answer = await kube_api.call("DELETE", path, {"preconditions": right})
    assert (answer.status, answer.json["kind"], answer.json["status"]) == (200, "Status", "Success")
    assert answer.json["details"]["uid"] == meta(made)["uid"]


async def test_pod_on_a_node_is_deleted_gracefully(kube_api: KubeApi) -> None:
    """Such a pod lingers for its kubelet, which deletes it with no grace; one on no node goes at once."""
    namespace = await ready_namespace(kube_api)
    bound, loose = pod(namespace, "bound", nodeName="absent"), pod(namespace, "loose", schedulerName="nobody")
    await kube_api.create(bound)
    await kube_api.create(loose)
    await kube_api.delete(bound, loose)
    assert await kube_api.get("v1", "Pod", "loose", namespace) is None
    lingering = await kube_api.get("v1", "Pod", "bound", namespace)
    assert lingering is not None
    assert meta(lingering)["deletionGracePeriodSeconds"] == 30
    await kube_api.delete(bound, grace_s=0)
    assert await kube_api.get("v1", "Pod", "bound", namespace) is None


async def test_delete_collection_goes_by_selector(kube_api: KubeApi) -> None:
    """Only what the selector selects is deleted."""
    namespace = await kube_api.new_namespace()
    for name in ("a", "b", "c"):
        await kube_api.create(config_map(namespace, name, labels={"kept": str(name == "b").lower()}))
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = await kube_api.call("DELETE", path, query={"labelSelector": "kept=false"})
    assert answer.status == 200
    left = {meta(item)["name"] for item in await kube_api.list_all("v1", "ConfigMap", namespace)}
    assert left - {"kube-root-ca.crt"} == {"b"}


async def test_dependents_go_with_their_owner(kube_api: KubeApi) -> None:
    """An object whose only owner is deleted is deleted; orphaned on request, it stays without the reference."""
    namespace = await kube_api.new_namespace()
    for policy, stays in (("Background", False), ("Orphan", True)):
        owner = await kube_api.create(config_map(namespace, f"owner-{policy.lower()}"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta(owner)["name"], "uid": meta(owner)["uid"]}
        owned = config_map(namespace, f"owned-{policy.lower()}", ownerReferences=[reference])
        await kube_api.create(owned)
        path = f"/api/v1/namespaces/{namespace}/configmaps/{meta(owner)['name']}"
        await kube_api.call("DELETE", path, {"propagationPolicy": policy})
        await kube_api.until_gone(owner)
        if not stays:
            await kube_api.until_gone(owned)
        else:
            left = await kube_api.get("v1", "ConfigMap", meta(owned)["name"], namespace)
            assert left is not None
            assert "ownerReferences" not in meta(left)


async def test_namespace_takes_its_content_along(kube_api: KubeApi) -> None:
    """A deleted namespace admits nothing new, stays while something in it is held, and goes with the last of it."""
    namespace = await kube_api.new_namespace()
    held = await kube_api.create(config_map(namespace, "held", finalizers=["example.org/hold"]))
    plain = await kube_api.create(config_map(namespace, "plain"))
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await kube_api.delete(space)
    await kube_api.until_gone(plain)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert await refused(kube_api, "POST", path, config_map(namespace, "new")) == (403, "Forbidden")
    present = await kube_api.get("v1", "Namespace", namespace)
    assert present is not None
    assert present["status"]["phase"] == "Terminating"
    release = {"metadata": {"finalizers": None}}
    await kube_api.call("PATCH", f"{path}/{meta(held)['name']}", release, content_type="application/merge-patch+json")
    await kube_api.until_gone(held, space)


async def test_dry_run_writes_nothing(kube_api: KubeApi) -> None:
    """Create, update and delete answer as usual, and nothing changes."""
    namespace = await kube_api.new_namespace()
    made = await kube_api.create(config_map(namespace, "one"), dryRun="All")
    assert meta(made)["uid"]
    assert await kube_api.get("v1", "ConfigMap", "one", namespace) is None
    kept = await kube_api.create(config_map(namespace, "one"))
    changed = await kube_api.replace({**kept, "data": {"a": "2"}}, dryRun="All")
    assert changed["data"] == {"a": "2"}
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    await kube_api.call("DELETE", path, query={"dryRun": "All"})
    assert await kube_api.get("v1", "ConfigMap", "one", namespace) == kept


async def test_service_gets_an_address(kube_api: KubeApi) -> None:
    """A Service has a cluster address of its own and its defaults; a headless one keeps `None`."""
    namespace = await kube_api.new_namespace()
    ports = [{"port": 80}]
    kinds: dict[str, Json] = {"plain": {}, "other": {}, "headless": {"clusterIP": "None"}, "open": {"type": "NodePort"}}
    made = {
        name: await kube_api.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"ports": ports, "selector": {"app": "x"}, **spec},
            }
        )
        for name, spec in kinds.items()
    }
    addresses = {name: item["spec"]["clusterIP"] for name, item in made.items()}
    assert addresses["plain"].startswith("10.96.")
    assert addresses["plain"] != addresses["other"]
    assert (addresses["headless"], made["headless"]["spec"]["clusterIPs"]) == ("None", ["None"])
    plain = made["plain"]["spec"]
    assert plain["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (plain["type"], plain["sessionAffinity"], plain["internalTrafficPolicy"]) == ("ClusterIP", "None", "Cluster")
    assert (plain["ipFamilies"], plain["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert 30000 <= made["open"]["spec"]["ports"][0]["nodePort"] < 32768


async def test_pod_gets_its_defaults_and_token(kube_api: KubeApi) -> None:
    """A Pod has the usual defaults, its service account, and the account's token where containers look for it."""
    namespace = await ready_namespace(kube_api)
    made = await kube_api.create(pod(namespace, "one", schedulerName="nobody"))
    spec = made["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]) == (
        "Always",
        30,
        "ClusterFirst",
    )
    assert (spec["serviceAccountName"], made["status"]["phase"]) == ("default", "Pending")
    mount = spec["containers"][0]["volumeMounts"][0]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert [volume["name"] for volume in spec["volumes"]] == [mount["name"]]
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"


async def test_pod_needs_its_service_account(kube_api: KubeApi) -> None:
    """A Pod of an account that does not exist is refused."""
    namespace = await ready_namespace(kube_api)
    body = pod(namespace, "one", serviceAccountName="nobody")
    assert await refused(kube_api, "POST", f"/api/v1/namespaces/{namespace}/pods", body) == (403, "Forbidden")


async def test_texts_of_a_secret_are_encoded(kube_api: KubeApi) -> None:
    """`stringData` becomes `data`."""
    namespace = await kube_api.new_namespace()
    metadata = {"name": "one", "namespace": namespace}
    made = await kube_api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "b"}})
    assert (made["data"], made["type"], "stringData" in made) == ({"a": "Yg=="}, "Opaque", False)


async def test_a_refusal_raises_with_the_answer(kube_api: KubeApi) -> None:
    """The handle's own calls tell what the server said."""
    with pytest.raises(ApiCallError, match=r"404.*no-such-place"):
        await kube_api.create(config_map("no-such-place", "one"))
