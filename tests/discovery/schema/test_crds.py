from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from discovery.schema.crds import custom_resource_definitions
from discovery.schema.kinds import KINDS
from discovery.schema.yaml_text import parse_yaml, split_documents
from tests.kit.conformance import CONFORMANCE_ROOT
from tests.kit.kube_api.handle import ApiCallError, KubeApi
from tests.kit.structural_schema import complaints

FOLDER = Path(__file__).parents[3] / "charts" / "base" / "files" / "crds"
DEFINITIONS = custom_resource_definitions()
BY_KIND = {(d["spec"]["group"], d["spec"]["names"]["kind"]): d for d in DEFINITIONS.values()}


class _Plain(yaml.SafeDumper):
    """Writes what is there twice, twice."""

    def ignore_aliases(self, data: object) -> bool:
        """Always: anchors are not for people."""
        return True


def _text(definition: dict[str, Any]) -> str:
    return yaml.dump(definition, Dumper=_Plain, sort_keys=False, width=118)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_the_chart_holds_what_is_generated(name: str, update_goldens: bool) -> None:
    """`pytest --update-goldens` writes the files of the chart anew after a change of a struct."""
    path = FOLDER / f"{name}.yaml"
    if update_goldens:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(DEFINITIONS[name]), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == _text(DEFINITIONS[name]), "run pytest --update-goldens on this test"


def test_the_chart_holds_no_more() -> None:
    """A definition of a kind that nobody reads would promise too much."""
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(DEFINITIONS)


def test_every_istio_kind_has_a_definition() -> None:
    """With all versions that are read, exactly one of them stored, and a status that is written apart."""
    wanted = {(info.group, str(info.kind)) for info in KINDS.values() if info.group.endswith(".istio.io")}
    assert set(BY_KIND) == wanted
    for definition in DEFINITIONS.values():
        versions = definition["spec"]["versions"]
        info = next(info for info in KINDS.values() if (info.group, str(info.kind)) == _identity(definition))
        assert tuple(version["name"] for version in versions) == info.versions
        assert [version["storage"] for version in versions].count(True) == 1
        assert all(version["served"] and version["subresources"] == {"status": {}} for version in versions)
        assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def _identity(definition: dict[str, Any]) -> tuple[str, str]:
    return definition["spec"]["group"], definition["spec"]["names"]["kind"]


def test_names_people_type() -> None:
    """``kubectl get vs`` and ``kubectl get istio-io`` work, and show what matters."""
    spec = DEFINITIONS["virtualservices.networking.istio.io"]["spec"]
    assert spec["names"]["shortNames"] == ["vs"]
    assert spec["names"]["categories"] == ["istio-io", "networking-istio-io"]
    assert [column["name"] for column in spec["versions"][0]["additionalPrinterColumns"]] == [
        "Gateways",
        "Hosts",
        "Age",
    ]


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file; what is no YAML (templates) is none."""
    text = path.read_text(encoding="utf-8")
    if "{{" in text:
        return
    for piece in split_documents(text):
        document = parse_yaml(piece.text)
        if isinstance(document, dict):
            yield document


def _files() -> list[Path]:
    samples = sorted((CONFORMANCE_ROOT / "samples").rglob("*.yaml"))
    return [*samples, *(CONFORMANCE_ROOT / "validation").glob("*-valid/*.yaml")]


@pytest.mark.skipif(not CONFORMANCE_ROOT.is_dir(), reason="the conformance data is not there")
def test_valid_objects_are_admitted() -> None:
    """Every object of the samples and every valid case has all of its fields in the schema."""
    seen, problems = 0, []
    for path in _files():
        for document in _documents(path):
            group, _, version = str(document.get("apiVersion", "")).partition("/")
            definition = BY_KIND.get((group, str(document.get("kind"))))
            if definition is None or version not in [v["name"] for v in definition["spec"]["versions"]]:
                continue
            seen += 1
            schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            whole = {key: document[key] for key in ("spec", "status") if key in document}
            problems += [f"{path.name}: {complaint}" for complaint in complaints(schema, whole)]
    assert problems == []
    assert seen > 50


async def _conditions(api: KubeApi, name: str) -> dict[str, str]:
    definition = await api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    assert definition is not None
    return {condition["type"]: condition["status"] for condition in definition["status"]["conditions"]}


@pytest.mark.kube
async def test_a_real_server_takes_them(kube_api: KubeApi) -> None:
    """Every definition is structural and served, and objects are judged by it."""
    await kube_api.apply(*DEFINITIONS.values())
    for name in DEFINITIONS:
        conditions = await _conditions(kube_api, name)
        assert conditions.get("Established") == "True", name
        assert "NonStructuralSchema" not in conditions, name
    wrong = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"hosts": ["a"], "http": [{"match": [{"uri": {"exact": "/", "prefix": "/"}}]}]},
    }
    with pytest.raises(ApiCallError, match="uri"):
        await kube_api.create(wrong, dryRun="All")


@pytest.mark.kube
@pytest.mark.skipif(not CONFORMANCE_ROOT.is_dir(), reason="the conformance data is not there")
async def test_a_real_server_admits_valid_objects(kube_api: KubeApi) -> None:
    """And prunes none of their fields."""
    await kube_api.apply(*DEFINITIONS.values())
    seen = 0
    for path in _files():
        for document in _documents(path):
            group, _, version = str(document.get("apiVersion", "")).partition("/")
            definition = BY_KIND.get((group, str(document.get("kind"))))
            if definition is None or version not in [v["name"] for v in definition["spec"]["versions"]]:
                continue
            placed = {**document, "metadata": {**document["metadata"], "namespace": "default"}}
            placed.pop("_err", None)
            made = await kube_api.create(placed, dryRun="All", fieldValidation="Strict")
            assert made.get("spec") == document.get("spec"), path
            seen += 1
    assert seen > 50
