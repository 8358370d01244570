"""What a conformance case of injection means: values, mesh configuration, and how two pods are compared."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import yaml

from discovery.inject.builtin import config_from_values, values_of_chart
from discovery.inject.config import InjectorConfig
from discovery.inject.native_sidecar import NativeSidecars, nodes_run_them
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import has_errors
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from tests.kit.conformance import CONFORMANCE_ROOT, Case

__all__ = ["InjectCase", "normalised", "with_owner"]

_PARSED: Final = ("PROXY_CONFIG", "ISTIO_META_POD_PORTS", "ISTIO_KUBE_APP_PROBERS", "ISTIO_PROMETHEUS_ANNOTATIONS")
_STATUS: Final = "sidecar.istio.io/status"
_OVERRIDES: Final = "proxy.istio.io/overrides"
_SUFFIXES: Final = {
    "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "": Decimal(1),
}  # fmt: skip


class InjectCase:
    """The settings of a case, or of one of its variants."""

    def __init__(self, case: Case, variant: Mapping[str, Any] | None = None) -> None:
        settings = {key: value for key, value in {**case.data, **(variant or {})}.items() if value is not None}
        self._case = case
        self.revision: str = settings.get("revision", "")
        env = {**case["defaults"].get("env", {}), **settings.get("env", {})} if settings.get("env") else {}
        self.environ: dict[str, str] = {name: str(value) for name, value in env.items()}
        self.kubelets = {node["name"]: node["kubeletVersion"] for node in settings.get("nodes", ())}
        self.namespaces: dict[str, dict[str, str]] = {
            entry["name"]: entry.get("annotations", {}) for entry in settings.get("namespaces", ())
        }
        self.values = values_of_chart(self._values(settings))
        self.config: InjectorConfig = config_from_values(self.values)
        self.mesh_document = self._mesh_document(settings)
        self.mesh = self._mesh()

    @property
    def native(self) -> bool:
        """Whether the nodes run native sidecars."""
        setting = NativeSidecars(self.environ.get("ENABLE_NATIVE_SIDECARS", "auto"))
        return nodes_run_them(setting, self.kubelets)

    def _values(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        (wrapped,) = yaml.safe_load(self._case.text(settings["values"])).values()
        values: dict[str, Any] = wrapped
        for setting in (*self._case["defaults"].get("set", ()), *settings.get("set", ())):
            path, _, text = setting.partition("=")
            path = {"components.cni.enabled": "pilot.cni.enabled"}.get(path, path.removeprefix("values."))
            if path.startswith("components.") or path == "profile":
                continue
            for key in reversed(path.split(".")):
                text = {key: _typed(text) if isinstance(text, str) else text}
            values = _merged(values, text)
        if "overlay" in settings:
            overlay = yaml.safe_load(self._case.text(settings["overlay"]))
            values = _merged(values, overlay["spec"]["values"])
        return _merged(values, values.get("pilot") or {})  # the chart's own name for what stands at its top level

    def _mesh_document(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        common = CONFORMANCE_ROOT / "common" / "mesh-config-defaults.yaml"
        document: dict[str, Any] = yaml.safe_load(common.read_text(encoding="utf-8"))
        document = _merged(document, self._case["defaults"]["mesh_config"])
        return _merged(document, settings["mesh_config"])

    def _mesh(self) -> MeshConfig:
        mesh, findings = decode_mesh_config(self.mesh_document, origin=Origin())
        assert mesh is not None
        assert not has_errors(findings)
        return mesh


def _typed(text: str) -> Any:
    """A value as Helm reads it on the command line."""
    return yaml.safe_load(text) if text else ""


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """As Helm merges values: maps by key, null takes away."""
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def with_owner(pod: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """A pod as its controller would make it from the template in ``document``."""
    if document["kind"] == "Pod":
        return pod
    name = document["metadata"]["name"]
    owner = {"apiVersion": document["apiVersion"], "kind": document["kind"], "name": name, "controller": True}
    metadata = {**(pod.get("metadata") or {}), "generateName": name, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}


def normalised(pod: Mapping[str, Any]) -> Any:
    """A pod template in the form in which two of them are compared."""
    pod = copy.deepcopy(dict(pod))
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    annotations.pop(_STATUS, None)
    if _OVERRIDES in annotations:
        annotations[_OVERRIDES] = overrides = yaml.safe_load(annotations[_OVERRIDES])
        for kind in ("containers", "initContainers"):
            for container in overrides.get(kind) or ():
                _compare_quantities(container)
    spec = pod.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for variable in container.get("env") or ():
            if variable["name"] in _PARSED or variable["name"].startswith("ISTIO_METAJSON_"):
                variable["value"] = yaml.safe_load(variable["value"])
        _compare_quantities(container)
    return _without_empty(pod)


def _compare_quantities(container: dict[str, Any]) -> None:
    for kind in ("limits", "requests"):
        quantities = (container.get("resources") or {}).get(kind) or {}
        quantities.update({name: _quantity(value) for name, value in quantities.items()})


def _quantity(value: Any) -> Decimal:
    text = str(value)
    number = text.rstrip("kmMGTi")
    return Decimal(number) * _SUFFIXES[text.removeprefix(number)]


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {key: _without_empty(member) for key, member in value.items()}
        return {key: member for key, member in cleaned.items() if member is not None and member not in ({}, [])}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
