"""CustomResourceDefinitions, for the API server double and for the real one alike."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import ApiCallError, KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube

WIDGET_SPEC: Json = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "color": {"type": "string", "enum": ["red", "blue"]},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}},
            },
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "required": ["size"],
}


class Widgets:
    """A definition of a group of its own, so that tests can share a server."""

    def __init__(self, **version: Any) -> None:
        self.group = f"g{secrets.token_hex(4)}.example.org"
        self.version = version

    @property
    def definition(self) -> Json:
        schema = {"type": "object", "properties": {"spec": WIDGET_SPEC, "status": {"type": "object"}}}
        schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = True  # type: ignore[index]
        versions = [
            {
                "name": name,
                "served": True,
                "storage": name == "v1",
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                **self.version,
            }
            for name in ("v1", "v1beta1")
        ]
        names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wdg"]}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{self.group}"},
            "spec": {"group": self.group, "names": names, "scope": "Namespaced", "versions": versions},
        }

    def widget(self, namespace: str, name: str, version: str = "v1", **spec: Any) -> Json:
        """A widget, of size 1 unless said otherwise."""
        return {
            "apiVersion": f"{self.group}/{version}",
            "kind": "Widget",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"size": 1, **spec},
        }

    def path(self, namespace: str, name: str = "", version: str = "v1") -> str:
        """Of the collection, or of one of it."""
        return f"/apis/{self.group}/{version}/namespaces/{namespace}/widgets" + (f"/{name}" if name else "")


async def test_definition_serves_its_resources(kube_api: KubeApi) -> None:
    """Before there is nothing at the path; after it is established, objects can be made, and discovery tells them."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    assert (await kube_api.call("GET", widgets.path(namespace))).status == 404
    await kube_api.apply(widgets.definition)
    made = await kube_api.create(widgets.widget(namespace, "one"))
    assert (made["kind"], meta(made)["generation"]) == ("Widget", 1)
    resources = (await kube_api.call("GET", f"/apis/{widgets.group}/v1")).json["resources"]
    assert [resource["name"] for resource in resources] == ["widgets", "widgets/status"]
    assert resources[0]["shortNames"] == ["wdg"]
    listed = (await kube_api.call("GET", widgets.path(namespace))).json
    assert (listed["kind"], listed["items"][0]["kind"]) == ("WidgetList", "Widget")
    definition = await kube_api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{widgets.group}")
    assert definition is not None
    conditions = {condition["type"]: condition["status"] for condition in definition["status"]["conditions"]}
    assert conditions["Established"] == "True"
    await kube_api.delete(widgets.definition)


async def test_versions_share_objects(kube_api: KubeApi) -> None:
    """An object written in one version is read in the other, under its words; watches see it too."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    listed = (await kube_api.call("GET", widgets.path(namespace))).json
    version = meta(listed)["resourceVersion"]
    async with kube_api.watch(f"{widgets.group}/v1beta1", "Widget", namespace, resourceVersion=version) as watch:
        await kube_api.create(widgets.widget(namespace, "one"))
        event = await watch.next()
    assert event is not None
    assert event.object["apiVersion"] == f"{widgets.group}/v1beta1"
    other = (await kube_api.call("GET", widgets.path(namespace, "one", "v1beta1"))).json
    assert other["apiVersion"] == f"{widgets.group}/v1beta1"
    await kube_api.delete(widgets.definition)


async def test_update_of_a_custom_object_needs_its_version(kube_api: KubeApi) -> None:
    """Unlike built-in kinds, custom ones cannot be replaced without saying which version."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    made = await kube_api.create(widgets.widget(namespace, "one"))
    with pytest.raises(ApiCallError, match="must be specified for an update") as refusal:
        await kube_api.replace(widgets.widget(namespace, "one", size=2))
    assert refusal.value.answer.status == 422
    changed = await kube_api.replace({**made, "spec": {"size": 2}, "status": {"x": 1}})
    assert (meta(changed)["generation"], "status" in changed) == (2, False)
    told = await kube_api.set_status({**widgets.widget(namespace, "one"), "status": {"x": 1}})
    assert (told["status"], meta(told)["generation"]) == ({"x": 1}, 2)
    await kube_api.delete(widgets.definition)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": "big"}, "spec.size"),
        ({"size": 0}, "spec.size"),
        ({"size": None}, "spec.size"),
        ({"color": "green"}, "spec.color"),
        ({"parts": [{"weight": 1}]}, "spec.parts[0].name"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "spec.parts[1]"),
        ({"parts": {}}, "spec.parts"),
    ],
)
async def test_schema_is_enforced(kube_api: KubeApi, spec: Json, field: str) -> None:
    """An object that breaks its schema is refused, and the field is named."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    body = widgets.widget(namespace, "one", **spec)
    body["spec"] = {name: value for name, value in body["spec"].items() if value is not None}
    answer = await kube_api.call("POST", widgets.path(namespace), body)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert field in {cause["field"] for cause in answer.json["details"]["causes"]}
    await kube_api.delete(widgets.definition)


async def test_unknown_fields_are_pruned(kube_api: KubeApi) -> None:
    """What the schema does not know is dropped, but where it says to preserve it."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    body = widgets.widget(namespace, "one", unknown=1, extra={"free": {"a": 1}}, parts=[{"name": "a", "odd": 1}])
    made = await kube_api.create(body)
    assert made["spec"] == {"size": 1, "extra": {"free": {"a": 1}}, "parts": [{"name": "a"}]}
    await kube_api.delete(widgets.definition)


async def test_defaults_of_the_schema_are_filled_in(kube_api: KubeApi) -> None:
    """A property's default is there when it was left out."""
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "color": {"type": "string", "default": "red"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    widgets, namespace = Widgets(schema=schema), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    made = await kube_api.create(widgets.widget(namespace, "one"))
    assert made["spec"] == {"size": 1, "color": "red"}
    await kube_api.delete(widgets.definition)


async def test_apply_merges_lists_as_the_schema_says(kube_api: KubeApi) -> None:
    """A list that is a map in disguise is owned by item."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    path, kind = widgets.path(namespace, "one"), "application/apply-patch+yaml"
    for manager, part in (("a", "left"), ("b", "right")):
        body = widgets.widget(namespace, "one", parts=[{"name": part}])
        answer = await kube_api.call("PATCH", path, body, query={"fieldManager": manager}, content_type=kind)
        assert answer.status < 300, answer.body
    assert [part["name"] for part in answer.json["spec"]["parts"]] == ["left", "right"]
    strategic = "application/strategic-merge-patch+json"
    assert (await kube_api.call("PATCH", path, {"spec": {}}, content_type=strategic)).status == 415
    await kube_api.delete(widgets.definition)


async def test_removed_definition_takes_objects_and_watches_along(kube_api: KubeApi) -> None:
    """Deleting it deletes the objects, ends their watches and serves the path no more; made again, it starts empty."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    await kube_api.create(widgets.widget(namespace, "one"))
    version = meta((await kube_api.call("GET", widgets.path(namespace))).json)["resourceVersion"]
    async with kube_api.watch(f"{widgets.group}/v1", "Widget", namespace, resourceVersion=version) as watch:
        await kube_api.delete(widgets.definition)
        events = await watch.rest()
    assert [(event.type, event.name) for event in events] == [("DELETED", "one")]
    await kube_api.until_gone(widgets.definition)

    async def unserved() -> bool:
        return (await kube_api.call("GET", widgets.path(namespace))).status == 404

    await eventually(unserved, within_s=30)
    await kube_api.apply(widgets.definition)
    assert (await kube_api.call("GET", widgets.path(namespace))).json["items"] == []
    await kube_api.create(widgets.widget(namespace, "one"))
    await kube_api.delete(widgets.definition)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": "Everywhere"}, "spec.scope"),
        ({"group": "other.example.org"}, "metadata.name"),
    ],
)
async def test_bad_definitions_are_refused(kube_api: KubeApi, changes: Json, field: str) -> None:
    """A definition whose parts contradict each other is refused, and the field is named."""
    definition = Widgets().definition
    definition["spec"] |= changes
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    answer = await kube_api.call("POST", path, definition)
    assert answer.status == 422
    assert field in {cause["field"] for cause in answer.json["details"]["causes"]}


async def test_columns_of_the_definition_are_shown(kube_api: KubeApi) -> None:
    """A table has the columns that the definition asks for."""
    widgets, namespace = Widgets(), await kube_api.new_namespace()
    await kube_api.apply(widgets.definition)
    await kube_api.create(widgets.widget(namespace, "one", size=3))
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    table = (await kube_api.call("GET", widgets.path(namespace), accept=accept)).json
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["one", 3]
    await kube_api.delete(widgets.definition)
