"""The settings of one pod's proxy: the mesh's, then ProxyConfig objects, then the pod's own annotation.

Spec: https://istio.io/latest/docs/reference/config/networking/proxy-config/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.inject.document import proxy_config_document
from discovery.inject.errors import PodError
from discovery.inject.names import PROXY_CONFIG
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object, age_order
from discovery.schema.proto_json import read
from discovery.schema.proxy_config import ProxyConfig
from discovery.schema.workload_proxy_config import WorkloadProxyConfig
from discovery.schema.yaml_text import YamlError, parse_yaml
from discovery.wire.proxy_config import ProxyConfigError, merge_proxy_config

__all__ = ["effective_proxy_config", "overlay_annotation"]


def effective_proxy_config(
    mesh: MeshConfig,
    objects: Iterable[Object] = (),
    *,
    namespace: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """The document of all settings that apply to a pod. ``objects`` are the ProxyConfigs of the cluster.

    Raises:
        PodError: the annotation cannot be read.
    """
    document = proxy_config_document(mesh.default_config)
    for obj in _applying(objects, mesh.root_namespace, namespace, labels):
        document = merge_proxy_config(document, _as_mesh_settings(obj.spec))
    return overlay_annotation(document, annotations.get(PROXY_CONFIG, ""))


def _applying(
    objects: Iterable[Object], root_namespace: str, namespace: str, labels: Mapping[str, str]
) -> Iterable[Object]:
    """Those that apply, the weakest first: the root namespace's, the namespace's, the one that selects the pod."""
    found: dict[int, Object] = {}
    for obj in sorted(objects, key=age_order):
        wanted = obj.spec.selector.wanted if obj.spec.selector is not None else {}
        if wanted and obj.namespace == namespace and wanted.items() <= labels.items():
            found.setdefault(2, obj)
        elif not wanted and obj.namespace == namespace and namespace != root_namespace:
            found.setdefault(1, obj)
        elif not wanted and obj.namespace == root_namespace:
            found.setdefault(0, obj)
    return [found[place] for place in sorted(found)]


def _as_mesh_settings(spec: WorkloadProxyConfig) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if spec.concurrency is not None:
        document["concurrency"] = spec.concurrency
    if spec.environment_variables:
        document["proxyMetadata"] = dict(spec.environment_variables)
    if spec.image is not None:
        document["image"] = {"imageType": spec.image.image_type}
    return document


def overlay_annotation(document: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The settings with those of the annotation laid over them.

    Raises:
        PodError: the text is no ProxyConfig.
    """
    if not text.strip():
        return dict(document)
    where = f"annotation {PROXY_CONFIG}"
    try:
        own = parse_yaml(text)
        if not isinstance(own, dict):
            raise PodError(f"{where}: want an object, got {own!r}")
        _, problems = read(ProxyConfig, own)
        merged = merge_proxy_config(document, own)
    except YamlError as error:
        raise PodError(f"{where}: no valid YAML: {error}") from None
    except ProxyConfigError as error:
        raise PodError(f"{where}: {error}") from None
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise PodError(f"{where}: {'; '.join(f'{problem.path}: {problem.text}' for problem in wrong)}")
    return merged
