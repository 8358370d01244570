"""Lists: order, selectors, pages, versions and other representations, for the double and for the real server alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube


async def fill(api: KubeApi, namespace: str, labels: dict[str, dict[str, str]]) -> None:
    """Secrets with these labels, by name: a fresh namespace has none of its own."""
    for name, own in labels.items():
        metadata = {"name": name, "namespace": namespace, "labels": own}
        await api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})


def names(items: list[Json]) -> list[str]:
    return [meta(item)["name"] for item in items]


async def test_list_is_sorted_and_numbered(kube_api: KubeApi) -> None:
    """Items come by name, under a version not older than any of them; built-in items do not repeat their type."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"b": {}, "a": {}, "a-b": {}, "c": {}})
    listed = (await kube_api.call("GET", f"/api/v1/namespaces/{namespace}/secrets")).json
    assert (listed["kind"], listed["apiVersion"]) == ("SecretList", "v1")
    assert names(listed["items"]) == ["a", "a-b", "b", "c"]
    version = int(meta(listed)["resourceVersion"])
    assert all(int(meta(item)["resourceVersion"]) <= version for item in listed["items"])
    assert not any("kind" in item or "apiVersion" in item for item in listed["items"])


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("app=x", "ab"),
        ("app==x,tier=1", "a"),
        ("app!=x", "cd"),
        ("tier", "ac"),
        ("!tier", "bd"),
        ("app in (x, z)", "abc"),
        ("app notin (x,z)", "d"),
        ("tier in (1,2),app=z", "c"),
    ],
)
async def test_label_selectors(kube_api: KubeApi, selector: str, wanted: str) -> None:
    """Equality, existence and sets, joined by commas."""
    namespace = await kube_api.new_namespace()
    labels = {"a": {"app": "x", "tier": "1"}, "b": {"app": "x"}, "c": {"app": "z", "tier": "2"}, "d": {}}
    await fill(kube_api, namespace, labels)
    found = await kube_api.list_all("v1", "Secret", namespace, labelSelector=selector)
    assert "".join(names(found)) == wanted


@pytest.mark.parametrize(
    ("selector", "wanted"), [("metadata.name=a", "a"), ("metadata.name!=a", "b"), ("type=Opaque,metadata.name=b", "b")]
)
async def test_field_selectors(kube_api: KubeApi, selector: str, wanted: str) -> None:
    """By name and by the few fields that a kind offers."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"a": {}, "b": {}})
    assert "".join(names(await kube_api.list_all("v1", "Secret", namespace, fieldSelector=selector))) == wanted


@pytest.mark.parametrize("query", [{"fieldSelector": "spec.none=1"}, {"labelSelector": "a in ("}])
async def test_bad_selectors_are_refused(kube_api: KubeApi, query: dict[str, str]) -> None:
    """A field that cannot be selected by, or a selector that does not parse, is 400."""
    assert (await kube_api.call("GET", "/api/v1/secrets", query=query)).status == 400


async def test_pages_show_one_moment(kube_api: KubeApi) -> None:
    """A list read in pages is what it was at the first of them, whatever is written in between."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"a": {}, "b": {}, "c": {}, "d": {}})
    path = f"/api/v1/namespaces/{namespace}/secrets"
    first = (await kube_api.call("GET", path, query={"limit": "2"})).json
    assert (names(first["items"]), meta(first)["remainingItemCount"]) == (["a", "b"], 2)
    await fill(kube_api, namespace, {"bb": {}})
    gone = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d", "namespace": namespace}}
    await kube_api.delete(gone)
    rest = (await kube_api.call("GET", path, query={"limit": "2", "continue": meta(first)["continue"]})).json
    assert names(rest["items"]) == ["c", "d"]
    assert "continue" not in meta(rest)
    assert meta(rest)["resourceVersion"] == meta(first)["resourceVersion"]


async def test_a_former_state_can_be_listed(kube_api: KubeApi) -> None:
    """`resourceVersionMatch=Exact` shows the state of that version."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"a": {}})
    path = f"/api/v1/namespaces/{namespace}/secrets"
    before = (await kube_api.call("GET", path)).json
    await fill(kube_api, namespace, {"b": {}})
    exact = {"resourceVersion": meta(before)["resourceVersion"], "resourceVersionMatch": "Exact"}
    assert names((await kube_api.call("GET", path, query=exact)).json["items"]) == ["a"]
    newer = {"resourceVersion": meta(before)["resourceVersion"], "resourceVersionMatch": "NotOlderThan"}
    assert names((await kube_api.call("GET", path, query=newer)).json["items"])[0] == "a"


async def test_a_future_version_is_refused(kube_api: KubeApi) -> None:
    """A list not older than a version that is not reached yet times out, and says when to try again."""
    answer = await kube_api.call("GET", "/api/v1/secrets", query={"resourceVersion": "900000000"})
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")
    assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert answer.json["details"]["retryAfterSeconds"] == 1


async def test_a_version_must_be_a_number(kube_api: KubeApi) -> None:
    """Anything else is refused."""
    answer = await kube_api.call("GET", "/api/v1/secrets", query={"resourceVersion": "x"})
    assert 400 <= answer.status < 500


async def test_metadata_alone_can_be_had(kube_api: KubeApi) -> None:
    """Who accepts `PartialObjectMetadata` gets no content."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"a": {"app": "x"}})
    path = f"/api/v1/namespaces/{namespace}/secrets"
    one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    answer = (await kube_api.call("GET", f"{path}/a", accept=one)).json
    assert (answer["kind"], meta(answer)["labels"], "type" in answer) == ("PartialObjectMetadata", {"app": "x"}, False)
    many = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    answer = (await kube_api.call("GET", path, accept=many)).json
    assert (answer["kind"], names(answer["items"])) == ("PartialObjectMetadataList", ["a"])


async def test_tables_can_be_had(kube_api: KubeApi) -> None:
    """Who accepts a `Table` gets columns and a row for each object."""
    namespace = await kube_api.new_namespace()
    await fill(kube_api, namespace, {"a": {}})
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    table = (await kube_api.call("GET", f"/api/v1/namespaces/{namespace}/secrets", accept=accept)).json
    columns: list[dict[str, Any]] = table["columnDefinitions"]
    assert [column["name"] for column in columns] == ["Name", "Type", "Data", "Age"]
    assert table["rows"][0]["cells"][:3] == ["a", "Opaque", 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/healthz", "ok"),
        ("/readyz", "ok"),
        ("/livez", "ok"),
    ],
)
async def test_health_is_told_to_everybody(kube_api: KubeApi, path: str, wanted: str) -> None:
    """Probes need no credentials."""
    answer = await kube_api.call("GET", path, token="")
    assert (answer.status, answer.body.decode()) == (200, wanted)


async def test_versions_and_groups_are_told(kube_api: KubeApi) -> None:
    """`/version`, groups with their preferred version, and resources with kind, scope, verbs and subresources."""
    version = (await kube_api.call("GET", "/version")).json
    assert version["gitVersion"] == kube_api.version
    groups = {group["name"]: group for group in (await kube_api.call("GET", "/apis")).json["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    assert {"apps", "batch", "discovery.k8s.io", "coordination.k8s.io", "apiextensions.k8s.io"} <= set(groups)
    resources = (await kube_api.call("GET", "/apis/apps/v1")).json["resources"]
    found = {resource["name"]: resource for resource in resources}
    assert found["deployments"]["kind"] == "Deployment"
    assert found["deployments"]["namespaced"] is True
    assert set(found["deployments"]["verbs"]) >= {"create", "delete", "get", "list", "patch", "update", "watch"}
    assert {"deployments/status", "deployments/scale"} <= set(found)


@pytest.mark.parametrize("root", ["/api", "/apis"])
async def test_discovery_can_be_had_at_once(kube_api: KubeApi, root: str) -> None:
    """Aggregated discovery tells all groups and resources in one document."""
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    document = (await kube_api.call("GET", root, accept=accept)).json
    assert document["kind"] == "APIGroupDiscoveryList"
    told = {
        (meta(group).get("name", ""), resource["resource"], resource["scope"])
        for group in document["items"]
        for version in group["versions"]
        for resource in version["resources"]
    }
    assert ("", "pods", "Namespaced") in told or ("apps", "deployments", "Namespaced") in told
