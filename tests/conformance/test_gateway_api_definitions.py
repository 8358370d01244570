"""The Gateway API's own definitions and objects: our types know their fields, defaults, and what must be written."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from discovery.schema.decode import decode
from discovery.schema.findings import Finding, has_errors
from discovery.schema.gateway_api.references import GROUP
from discovery.schema.kinds import KindInfo, find_kind
from discovery.schema.message import Message
from discovery.schema.yaml_text import parse_yaml, split_documents
from tests.kit.conformance import CONFORMANCE_ROOT
from tests.kit.kube_api.handle import KubeApi
from tests.kube.server import ControlPlane

_DEFINITIONS: Final = CONFORMANCE_ROOT / "crds" / "gateway-api"
_OBJECTS: Final = CONFORMANCE_ROOT / "gateway-api"
_OLDER: Final = frozenset({"frontendValidation", "cookieConfig", "idleTimeout", "sessionName"})
"""Fields that definitions had once; clusters have them for some years to come."""
_SCALARS: Final[Mapping[Any, str]] = {str: "string", int: "integer", bool: "boolean"}


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file; the class that a test of theirs is run with is Istio's."""
    text = path.read_text(encoding="utf-8").replace("{GATEWAY_CLASS_NAME}", "istio")
    for piece in split_documents(text):
        document = parse_yaml(piece.text)
        if isinstance(document, dict) and "kind" in document:
            yield document


def _definitions(channel: str) -> list[dict[str, Any]]:
    """The definitions of kinds that we read."""
    found = [document for path in sorted((_DEFINITIONS / channel).glob("*.yaml")) for document in _documents(path)]
    return [d for d in found if d["kind"] == "CustomResourceDefinition" and _info(d["spec"]) is not None]


def _info(spec: Mapping[str, Any]) -> KindInfo | None:
    return find_kind(spec["group"], spec["names"]["kind"])


# -- fields ------------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """Where a type is not as a schema."""

    path: str
    what: str


def _bare(wanted: Any) -> Any:
    """The type of a field without bounds and None."""
    if get_origin(wanted) is Annotated:
        return _bare(get_args(wanted)[0])
    if get_origin(wanted) in (Union, types.UnionType):
        return next(_bare(arg) for arg in get_args(wanted) if arg is not types.NoneType)
    return wanted


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _differences(struct: type[Message], schema: Mapping[str, Any], at: str = "spec") -> Iterator[Difference]:
    """Fields that one of them lacks, other types and defaults, and what we require though they do not."""
    hints = get_type_hints(struct, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    known = schema.get("properties", {})
    required = {field.encode_name for field in fields.values() if field.name in struct.required}
    yield from (Difference(f"{at}.{name}", "lacking") for name in known.keys() - fields.keys())
    yield from (Difference(f"{at}.{name}", "ours only") for name in fields.keys() - known.keys())
    yield from (Difference(f"{at}.{name}", "required") for name in required - set(schema.get("required", ())))
    for name in known.keys() & fields.keys():
        yield from _of_field(_bare(hints[fields[name].name]), fields[name], known[name], f"{at}.{name}")


def _of_field(
    wanted: Any, field: msgspec.structs.FieldInfo, schema: Mapping[str, Any], at: str
) -> Iterator[Difference]:
    default = schema.get("default")
    if isinstance(default, str | int) and field.default != default:
        yield Difference(at, f"default {default!r}")
    if get_origin(wanted) is tuple:
        item = _bare(get_args(wanted)[0])
        if schema["type"] != "array":
            yield Difference(at, "no list")
        elif _is_struct(item):
            yield from _differences(item, schema["items"], f"{at}[]")
    elif _is_struct(wanted):
        yield from _differences(wanted, schema, at)
    elif schema["type"] != _SCALARS.get(wanted, "object" if get_origin(wanted) else "string"):
        yield Difference(at, schema["type"])


@pytest.mark.parametrize("definition", _definitions("experimental"), ids=lambda d: d["spec"]["names"]["kind"])
def test_fields_are_those_of_the_definitions(definition: dict[str, Any]) -> None:
    """All of them with their types and defaults, in every version; besides only some that there were once."""
    info = _info(definition["spec"])
    assert info is not None
    versions = {version["name"]: version for version in definition["spec"]["versions"]}
    assert versions.keys() <= set(info.versions)
    assert info.namespaced is (definition["spec"]["scope"] == "Namespaced")
    assert issubclass(info.struct, Message)
    for version in versions.values():
        schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        found = set(_differences(info.struct, schema))
        older = {one for one in found if one.what == "ours only" and one.path.rpartition(".")[2] in _OLDER}
        assert found - older == set()


@pytest.mark.parametrize("definition", _definitions("standard"), ids=lambda d: d["spec"]["names"]["kind"])
def test_the_standard_channel_has_no_more(definition: dict[str, Any]) -> None:
    """What is experimental is ours only there."""
    info = _info(definition["spec"])
    assert info is not None
    assert issubclass(info.struct, Message)
    for version in definition["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert {one for one in _differences(info.struct, schema) if one.what != "ours only"} == set()


# -- objects -----------------------------------------------------------------------------------------------------------


def _objects() -> list[dict[str, Any]]:
    """Objects of the group that people write, in the cases' files; those below `deployment` a controller wrote."""
    files = [*sorted(_OBJECTS.glob("*.yaml")), *sorted((_OBJECTS / "conformance").rglob("*.yaml"))]
    return [d for path in files for d in _documents(path) if str(d.get("apiVersion", "")).startswith(f"{GROUP}/")]


@pytest.mark.skipif(not _OBJECTS.is_dir(), reason="the cases are not there")
def test_objects_are_read() -> None:
    """Every one of a kind that we read, without a finding; of one that we do not (UDPRoute) with a warning."""
    objects = _objects()
    findings: list[Finding] = []
    unread: set[str] = set()
    for document in objects:
        decoded = decode(document)
        if find_kind(GROUP, document["kind"]) is None:
            unread.add(document["kind"])
            assert decoded.findings
            assert not has_errors(decoded.findings)
        else:
            findings += decoded.findings
            assert len(decoded.objects) == 1
    assert len(objects) > 250
    assert unread == {"UDPRoute"}
    assert [str(finding) for finding in findings] == []


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """An API server with the definitions."""
    definitions = _definitions("experimental")
    if not definitions:
        pytest.skip("the definitions are not there")
    async with KubeApi(control_plane.address) as opened:
        await opened.apply(*definitions)
        yield opened
        await opened.delete(*definitions)
        await opened.until_gone(*definitions)


async def test_defaults_are_those_that_an_api_server_fills_in(api: KubeApi) -> None:
    """So a file means the same as an object in a cluster: everything that it admits, in dry runs, as it comes back."""
    place = await api.new_namespace()
    admitted = 0
    for document in _objects():
        info = find_kind(GROUP, document["kind"])
        if info is None or document["apiVersion"].rpartition("/")[2] not in info.versions:
            continue
        item = {**document, "metadata": {"name": document["metadata"]["name"].lower()}}
        if info.namespaced:
            item["metadata"]["namespace"] = place
        path = await api.path(item["apiVersion"], item["kind"], place if info.namespaced else "")
        answer = await api.call("POST", path, item, query={"dryRun": "All"})
        if answer.status == 201:
            admitted += 1
            (ours,), (theirs,) = decode(item).objects, decode(msgspec.json.decode(answer.body)).objects
            assert ours.spec == theirs.spec
    assert admitted > 200
