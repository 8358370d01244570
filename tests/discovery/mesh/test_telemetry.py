"""How Telemetry of the mesh, a namespace and a workload combine."""

from __future__ import annotations

import pytest

from discovery.mesh.telemetry import (
    AccessLogChoice,
    LoggedWorkload,
    access_logging,
    extension_provider,
    telemetry_label_keys,
)
from discovery.schema.mesh_config import DefaultProviders, MeshConfig
from discovery.schema.telemetry import WorkloadMode
from tests.kit.mesh_db import MeshDb

CLIENT = LoggedWorkload("shop", (("app", "reviews"),), WorkloadMode.CLIENT)
SERVER = CLIENT._replace(mode=WorkloadMode.SERVER)


def telemetry(name: str, logging: str, *, namespace: str = "shop", more: str = "", created: str = "2024-01-01") -> str:
    return f"""
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}T00:00:00Z"}}
spec: {{{more} accessLogging: {logging}}}
"""


def providers(*names: str) -> str:
    return "providers: [" + ", ".join(f"{{name: {name}}}" for name in names) + "]"


def chosen(*texts: str, workload: LoggedWorkload = CLIENT, defaults: tuple[str, ...] = ()) -> list[str] | None:
    mesh = MeshConfig(default_providers=DefaultProviders(access_logging=defaults))
    found = access_logging(MeshDb("".join(texts), mesh=mesh).db, workload)
    return None if found is None else [choice.provider for choice in found]


ROOT = telemetry("mesh", f"[{{{providers('root')}}}]", namespace="istio-system")
NAMESPACE = telemetry("ns", f"[{{{providers('ns')}}}]")
WORKLOAD = telemetry("own", f"[{{{providers('own')}}}]", more="selector: {matchLabels: {app: reviews}},")
OFF = telemetry("none", "[{disabled: true}]")


def test_nothing_said() -> None:
    """The defaults of the mesh; without them nobody decides."""
    assert chosen() is None
    assert chosen(defaults=("b", "a")) == ["a", "b"]


def test_the_closest_level_that_names_providers_counts() -> None:
    """Workload before namespace before mesh."""
    assert chosen(ROOT) == ["root"]
    assert chosen(ROOT, NAMESPACE) == ["ns"]
    assert chosen(ROOT, NAMESPACE, WORKLOAD) == ["own"]
    assert chosen(ROOT, NAMESPACE, WORKLOAD, workload=CLIENT._replace(labels=())) == ["ns"]
    assert chosen(WORKLOAD, workload=CLIENT._replace(namespace="elsewhere")) is None


def test_without_providers_it_is_about_those_above() -> None:
    """Turning logs off needs no names: those of the mesh's defaults, or of the level above."""
    assert chosen(OFF, defaults=("envoy",)) == []
    assert chosen(ROOT, OFF) == []
    assert chosen(OFF) is None


def test_modes_are_decided_apart() -> None:
    """What is said of a workload's own calls says nothing of those it serves."""
    text = telemetry(
        "a", f"[{{match: {{mode: CLIENT}}, {providers('c')}}}, {{match: {{mode: SERVER}}, {providers('s')}}}]"
    )
    assert chosen(text) == ["c"]
    assert chosen(text, workload=SERVER) == ["s"]
    both = telemetry("a", f"[{{match: {{mode: CLIENT_AND_SERVER}}, {providers('b')}}}]")
    assert chosen(both) == chosen(both, workload=SERVER) == ["b"]


def test_the_last_statement_about_a_provider_counts() -> None:
    """Within one object too: a filter, then off."""
    filtered = telemetry(
        "a", f"[{{{providers('a', 'b')}, filter: {{expression: x}}}}, {{{providers('b')}, disabled: true}}]"
    )
    assert access_logging(MeshDb(filtered).db, CLIENT) == (AccessLogChoice("a", "x"),)


def test_of_a_level_the_oldest_counts() -> None:
    """Two objects for the whole namespace: the older one."""
    older = telemetry("z", f"[{{{providers('older')}}}]", created="2023-01-01")
    assert chosen(NAMESPACE, older) == ["older"]


@pytest.mark.parametrize("target", ["targetRef: {kind: Gateway, name: g},", "targetRefs: [{kind: Gateway, name: g}],"])
def test_attached_to_something_else(target: str) -> None:
    """Telemetry of a Gateway or Service is none of the namespace's workloads."""
    assert chosen(telemetry("a", f"[{{{providers('a')}}}]", more=target)) is None


def test_only_labels_that_selectors_use_matter() -> None:
    """The other labels of a workload stay out of every key."""
    mesh = MeshDb(ROOT + NAMESPACE + WORKLOAD)
    assert telemetry_label_keys(mesh.db, "shop") == {"app"}
    assert telemetry_label_keys(mesh.db, "elsewhere") == frozenset()


def test_a_change_elsewhere_decides_nothing_anew() -> None:
    """Telemetry of another namespace, and other parts of one's own."""
    mesh = MeshDb(NAMESPACE)
    access_logging(mesh.db, CLIENT)
    mesh.apply(telemetry("other", f"[{{{providers('x')}}}]", namespace="elsewhere").removeprefix("\n---"))
    mesh.apply(
        NAMESPACE.removeprefix("\n---").replace("spec: {", "spec: {metrics: [{providers: [{name: prometheus}]}], ")
    )
    access_logging(mesh.db, CLIENT)
    assert mesh.db.runs_by_query[access_logging.name] == 1


def test_providers_by_name() -> None:
    """Those of the mesh configuration; Istio has three built in."""
    db = MeshDb().db
    assert extension_provider(db, "unknown") is None
    found = extension_provider(db, "envoy")
    assert found is not None
    assert found.envoy_file_access_log is not None
