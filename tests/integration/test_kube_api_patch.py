"""Patches and server-side apply, for the API server double and for the real one alike."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.kit.kube_api.handle import Answer, KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


async def deployed(api: KubeApi, **template: Any) -> str:
    """The path of a fresh Deployment with the containers `a` and `b`."""
    namespace = await api.new_namespace()
    labels = {"app": "web"}
    containers = [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b", "image": "b:1", "ports": [{"containerPort": 80, "name": "http"}], "args": ["one", "two"]},
    ]
    spec = {"containers": containers, "nodeSelector": {"disk": "fast"}, **template}
    await api.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": namespace, "finalizers": ["example.org/a"]},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
    )
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


async def patch(api: KubeApi, path: str, body: Any, kind: str, **query: str) -> Answer:
    """One patch."""
    return await api.call("PATCH", path, body, content_type=kind, query=query)


def containers_of(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    containers: list[Json] = answer.json["spec"]["template"]["spec"]["containers"]
    return containers


async def test_merge_patch_replaces_lists_and_removes_by_null(kube_api: KubeApi) -> None:
    """Maps merge, null takes a field away, a list is one value."""
    path = await deployed(kube_api)
    wanted = {
        "metadata": {"labels": {"x": "y"}},
        "spec": {"template": {"spec": {"nodeSelector": None, "containers": [{"name": "c", "image": "c:1"}]}}},
    }
    answer = await patch(kube_api, path, wanted, MERGE)
    assert [container["name"] for container in containers_of(answer)] == ["c"]
    assert meta(answer.json)["labels"] == {"x": "y"}
    assert "nodeSelector" not in answer.json["spec"]["template"]["spec"]


async def test_strategic_patch_merges_keyed_lists(kube_api: KubeApi) -> None:
    """Containers merge by name, their environment too, ports by number; arguments are one value."""
    path = await deployed(kube_api)
    changes = [
        {"name": "b", "args": ["three"], "ports": [{"containerPort": 81}]},
        {"name": "a", "env": [{"name": "Y", "value": "3"}, {"name": "Z", "value": "4"}]},
    ]
    answer = await patch(kube_api, path, {"spec": {"template": {"spec": {"containers": changes}}}}, STRATEGIC)
    first, second = sorted(containers_of(answer), key=lambda container: container["name"])
    assert {entry["name"]: entry["value"] for entry in first["env"]} == {"X": "1", "Y": "3", "Z": "4"}
    assert (first["image"], second["args"]) == ("a:1", ["three"])
    assert sorted(port["containerPort"] for port in second["ports"]) == [80, 81]


async def test_strategic_patch_knows_directives(kube_api: KubeApi) -> None:
    """`$patch: delete` removes an item, `$patch: replace` a whole map, `$deleteFromPrimitiveList` a plain value."""
    path = await deployed(kube_api)
    spec = {"containers": [{"$patch": "delete", "name": "a"}], "nodeSelector": {"$patch": "replace", "zone": "1"}}
    body = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["example.org/a"]},
        "spec": {"template": {"spec": spec}},
    }
    answer = await patch(kube_api, path, body, STRATEGIC)
    assert [container["name"] for container in containers_of(answer)] == ["b"]
    assert answer.json["spec"]["template"]["spec"]["nodeSelector"] == {"zone": "1"}
    assert "finalizers" not in meta(answer.json)


async def test_strategic_patch_adds_to_sets(kube_api: KubeApi) -> None:
    """Finalizers merge as a set."""
    path = await deployed(kube_api)
    body = {"metadata": {"finalizers": ["example.org/b", "example.org/a"]}}
    answer = await patch(kube_api, path, body, STRATEGIC)
    assert sorted(meta(answer.json)["finalizers"]) == ["example.org/a", "example.org/b"]


async def test_json_patch_does_all_or_nothing(kube_api: KubeApi) -> None:
    """Operations apply in order; if one fails, for example a test, nothing is changed."""
    path = await deployed(kube_api)
    image = "/spec/template/spec/containers/0/image"
    operations: list[Json] = [
        {"op": "test", "path": image, "value": "a:1"},
        {"op": "replace", "path": image, "value": "a:2"},
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "1"}},
        {"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"},
        {"op": "add", "path": "/spec/template/spec/containers/1/args/-", "value": "three"},
        {"op": "remove", "path": "/spec/template/spec/containers/1/args/0"},
    ]
    answer = await kube_api.call("PATCH", path, _encoded(operations), content_type=JSON)
    first, second = containers_of(answer)
    assert (first["image"], second["args"], meta(answer.json)["labels"]) == ("a:2", ["two", "three"], {"a/b": "2"})
    again = await kube_api.call("PATCH", path, _encoded(operations), content_type=JSON)
    assert again.status == 422
    assert (await kube_api.call("GET", path)).json == answer.json


def _encoded(operations: list[Json]) -> bytes:
    return msgspec.json.encode(operations)


async def test_patch_may_name_its_version(kube_api: KubeApi) -> None:
    """A patch that names an older version is a conflict."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"  # which no controller writes
    first = (await applied(kube_api, path, service(HTTP), "one")).json
    body: Json = {"metadata": {"resourceVersion": meta(first)["resourceVersion"], "labels": {"a": "1"}}}
    assert (await patch(kube_api, path, body, MERGE)).status == 200
    body["metadata"]["labels"]["a"] = "2"
    assert (await patch(kube_api, path, body, MERGE)).status == 409


async def test_patch_needs_a_known_kind(kube_api: KubeApi) -> None:
    """Plain JSON is no patch."""
    path = await deployed(kube_api)
    assert (await patch(kube_api, path, {"metadata": {}}, "application/json")).status == 415


def service(*ports: Json, **spec: Any) -> Json:
    """What is applied: a Service with these ports."""
    body = {"ports": list(ports), "selector": {"app": "x"}, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": body}


HTTP: Json = {"name": "http", "port": 80}
TLS: Json = {"name": "tls", "port": 443}


async def applied(api: KubeApi, path: str, body: Json, manager: str, **query: str) -> Answer:
    return await patch(api, path, body, APPLY, fieldManager=manager, **query)


def ports_of(answer: Answer) -> list[int]:
    assert answer.status in (200, 201), answer.body
    return sorted(port["port"] for port in answer.json["spec"]["ports"])


async def test_apply_makes_and_changes(kube_api: KubeApi) -> None:
    """An apply creates what is missing, and is no write when it changes nothing."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    made = await applied(kube_api, path, service(HTTP), "one")
    assert made.status == 201
    same = await applied(kube_api, path, service(HTTP), "one")
    assert (same.status, meta(same.json)["resourceVersion"]) == (200, meta(made.json)["resourceVersion"])
    assert ports_of(await applied(kube_api, path, service(HTTP, TLS), "one")) == [80, 443]


async def test_apply_takes_away_what_it_no_longer_says(kube_api: KubeApi) -> None:
    """A field that its only manager leaves out goes; one that another applied too, or a default, stays."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    first = service(HTTP, TLS)
    first["metadata"]["labels"] = {"mine": "1", "shared": "1"}
    await applied(kube_api, path, first, "one")
    other = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"shared": "1"}}}
    await applied(kube_api, path, other, "two")
    answer = await applied(kube_api, path, service(TLS), "one")
    assert ports_of(answer) == [443]
    assert meta(answer.json)["labels"] == {"shared": "1"}
    assert answer.json["spec"]["type"] == "ClusterIP"


async def test_apply_respects_other_managers(kube_api: KubeApi) -> None:
    """Changing what another manager applied is a conflict that names manager and field; `force` takes it over."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    await applied(kube_api, path, service({**HTTP, "targetPort": 1}), "one")
    mine = service({**HTTP, "targetPort": 2})
    refused = await applied(kube_api, path, mine, "two")
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    cause = refused.json["details"]["causes"][0]
    assert (cause["reason"], cause["message"]) == ("FieldManagerConflict", 'conflict with "one"')
    assert cause["field"] == '.spec.ports[port=80,protocol="TCP"].targetPort'
    taken = await applied(kube_api, path, mine, "two", force="true")
    assert taken.json["spec"]["ports"][0]["targetPort"] == 2
    back = await applied(kube_api, path, service({**HTTP, "targetPort": 1}), "one")
    assert (back.status, back.json["details"]["causes"][0]["message"]) == (409, 'conflict with "two"')


async def test_update_takes_fields_over(kube_api: KubeApi) -> None:
    """What an update changes belongs to its writer, so the next apply of another value is a conflict."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    body = service(HTTP)
    body["metadata"]["labels"] = {"a": "1"}
    await applied(kube_api, path, body, "one")
    await patch(kube_api, path, {"metadata": {"labels": {"a": "2"}}}, MERGE, fieldManager="editor")
    answer = await applied(kube_api, path, body, "one")
    assert answer.status == 409
    assert answer.json["details"]["causes"][0]["field"] == ".metadata.labels.a"
    fields = {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in meta((await kube_api.call("GET", path)).json)["managedFields"]
    }
    assert fields["editor", "Update"]["f:metadata"]["f:labels"]["f:a"] == {}
    assert "f:metadata" not in fields["one", "Apply"]
    key = 'k:{"port":80,"protocol":"TCP"}'
    assert fields["one", "Apply"]["f:spec"]["f:ports"][key] == {".": {}, "f:name": {}, "f:port": {}}


async def test_apply_of_status_is_apart(kube_api: KubeApi) -> None:
    """Applying the status touches nothing else, and has an owner of its own."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    await applied(kube_api, path, service(HTTP, type="LoadBalancer"), "one")
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "status": status}
    answer = await applied(kube_api, f"{path}/status", body, "balancer")
    assert ports_of(answer) == [80]
    assert answer.json["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    owners = {(entry["manager"], entry.get("subresource", "")) for entry in meta(answer.json)["managedFields"]}
    assert owners == {("one", ""), ("balancer", "status")}


@pytest.mark.parametrize(
    ("changes", "query", "wanted"),
    [
        ({}, {"fieldManager": ""}, 422),
        ({"kind": "ConfigMap"}, {"fieldManager": "one"}, 400),
        ({"metadata": {"name": "other"}}, {"fieldManager": "one"}, 400),
        ({"metadata": {"name": "web", "managedFields": [{"manager": "x"}]}}, {"fieldManager": "one"}, 400),
    ],
)
async def test_bad_applies_are_refused(kube_api: KubeApi, changes: Json, query: dict[str, str], wanted: int) -> None:
    """An apply needs a manager, its own kind and name, and no `managedFields`."""
    path = f"/api/v1/namespaces/{await kube_api.new_namespace()}/services/web"
    query = {name: value for name, value in query.items() if value}
    answer = await patch(kube_api, path, {**service(HTTP), **changes}, APPLY, **query)
    assert answer.status == wanted, answer.body


async def test_keyed_items_merge_across_managers(kube_api: KubeApi) -> None:
    """Two managers may each have a container of their own in one Deployment."""
    namespace = await kube_api.new_namespace()
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    labels = {"app": "web"}

    def body(*names: str) -> Json:
        containers = [{"name": name, "image": f"{name}:1"} for name in names]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}

    assert (await applied(kube_api, path, body("a", "b"), "one")).status == 201
    await applied(kube_api, path, body("c"), "two")
    answer = await applied(kube_api, path, body("a"), "one")
    assert sorted(container["name"] for container in containers_of(answer)) == ["a", "c"]
