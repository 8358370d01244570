"""A pod with its proxy: templates are applied and merged, then comes what no template can do.

The same input gives the same pod, and an injected pod gives itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from discovery.inject.annotations import check_annotations
from discovery.inject.config import InjectorConfig
from discovery.inject.document import mesh_document
from discovery.inject.documents import Json, annotations_of, copied, find_container, find_proxy, labels_of, list_of
from discovery.inject.environment import set_env, take_env
from discovery.inject.errors import PodError
from discovery.inject.functions import functions
from discovery.inject.gotemplate import Functions, Record, Root, Template, TemplateError
from discovery.inject.names import NETWORK_LABEL, PROXY_CONTAINER, STATUS, TEMPLATES
from discovery.inject.native_sidecar import wanted as native_wanted
from discovery.inject.openshift import DEFAULT_IDS, ProxyIds
from discovery.inject.order import order_containers
from discovery.inject.overrides import clean_pod, injected_before, move_proxy, reapply_overrides
from discovery.inject.probes import rewrite_probes
from discovery.inject.prometheus import merge_prometheus
from discovery.inject.proxy_image import proxy_image
from discovery.inject.strategic_merge import strategic_merge
from discovery.inject.workload import Workload
from discovery.schema.mesh_config import InboundTrafficPolicyMode, MeshConfig
from discovery.schema.yaml_text import YamlError, parse_yaml

__all__ = ["Injection", "inject"]

_CLUSTER = "ISTIO_META_CLUSTER_ID"
_NETWORK = "ISTIO_META_NETWORK"
_DEFAULT_REVISION = "default"


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """All that a pod's injection depends on, besides the pod.

    Attributes:
        values: the chart's values, as templates see them.
        proxy_config: the document of the settings of this pod's proxy.
        workload: what the pod belongs to.
        native: whether the proxy is a native sidecar, unless the pod says otherwise.
        environ: the control plane's variables, for the template function ``env``.
        proxy_env: variables from the webhook's path.
    """

    config: InjectorConfig
    values: Mapping[str, Any]
    mesh: MeshConfig
    proxy_config: Mapping[str, Any]
    workload: Workload
    revision: str = ""
    native: bool = False
    ids: ProxyIds = DEFAULT_IDS
    compliance_policy: str = ""
    environ: Mapping[str, str] = {}
    proxy_env: Mapping[str, str] = {}


def inject(pod: Mapping[str, Any], by: Injection) -> Json:
    """The pod with its proxy; the given one is left alone.

    Raises:
        PodError: the pod or a template cannot be used; nothing is half done.
    """
    check_annotations(annotations_of(pod))
    original: Json = copied(pod)
    original["spec"] = original.get("spec") or {}
    original["metadata"] = original.get("metadata") or {}
    proxy_env = _cluster_env(original, by)
    _take_back(original, proxy_env)
    merged, template = _apply_templates(original, by)
    final: Json = copied(reapply_overrides(merged, original, template))
    _finish(final, template, by, proxy_env)
    return final


def _take_back(pod: Json, proxy_env: Mapping[str, str]) -> None:
    """Take off the variables that an earlier injection set after merging, else they would be sorted in differently."""
    proxy = find_proxy(pod)
    if proxy is not None and injected_before(pod):
        for name in proxy_env:
            take_env(proxy, name)


def _cluster_env(pod: Json, by: Injection) -> dict[str, str]:
    """Cluster and network: of the pod's label, else of the webhook's path, else of the values."""
    overall: Mapping[str, Any] = by.values.get("global") or {}
    found = {
        _CLUSTER: str((overall.get("multiCluster") or {}).get("clusterName") or ""),
        _NETWORK: str(overall.get("network") or ""),
    }
    found |= {key: value for key, value in by.proxy_env.items() if value or key not in found}
    found[_NETWORK] = labels_of(pod).get(NETWORK_LABEL, found[_NETWORK])
    return {key: value for key, value in found.items() if value or key in by.proxy_env}


# -- templates ---------------------------------------------------------------------------------------------------------


def _apply_templates(original: Json, by: Injection) -> tuple[Json, Json]:
    """The pod with all templates merged in, and what the templates made, merged with each other only."""
    cleaned = clean_pod(original)
    native = native_wanted(annotations_of(original), default=by.native)
    data = _template_data(cleaned, by)
    merged = original
    template: Json = {}
    for name in _template_names(original, by.config):
        overlay = _rendered(name, by, data)
        template = strategic_merge(template, overlay)
        if native and find_container(list_of(template, "spec", "initContainers"), PROXY_CONTAINER) is not None:
            merged = move_proxy(merged)
        merged = strategic_merge(merged, overlay)
    return merged, template


def _template_names(pod: Json, config: InjectorConfig) -> Iterator[str]:
    asked = annotations_of(pod).get(TEMPLATES)
    names = [name.strip() for name in asked.split(",")] if asked is not None else config.default_templates
    for name in names:
        yield from config.aliases.get(name, (name,))


def _template_data(pod: Json, by: Injection) -> Root:
    annotations = annotations_of(pod)

    def image(section: str) -> str:
        return proxy_image(by.values, section=section, proxy_config=by.proxy_config, annotations=annotations)

    mode = by.mesh.inbound_traffic_policy.mode
    workload = by.workload
    return Root(
        {
            "TypeMeta": Record({"apiVersion": workload.api_version, "kind": workload.kind}),
            "DeploymentMeta": Record({"name": workload.name, "namespace": workload.namespace}),
            "ObjectMeta": Record(pod["metadata"]),
            "Spec": Record(pod["spec"]),
            "ProxyConfig": Record(by.proxy_config),
            "MeshConfig": Record(mesh_document(by.mesh)),
            "Values": by.values,
            "Revision": by.revision,
            "NativeSidecars": by.native,
            "ProxyImage": image("proxy"),
            "ProxyInitImage": image("proxy_init"),
            "ProxyUID": by.ids.uid,
            "ProxyGID": by.ids.gid,
            "InboundTrafficPolicyMode": "localhost" if mode is InboundTrafficPolicyMode.LOCALHOST else "passthrough",
            "CompliancePolicy": by.compliance_policy,
        }
    )


def _rendered(name: str, by: Injection, data: Root) -> Json:
    template = by.config.templates.get(name)
    if template is None:
        known = ", ".join(sorted(by.config.templates))
        raise PodError(f"template {name!r} is not there, want one of {known}; see annotation {TEMPLATES}")
    try:
        overlay = parse_yaml(template.execute(data, _functions(by, data)))
    except TemplateError as error:
        raise PodError(str(error)) from None
    except YamlError as error:
        raise PodError(f"template {name!r} made no valid YAML: {error}") from None
    if not isinstance(overlay, dict | None):
        raise PodError(f"template {name!r} made {type(overlay).__name__}, want an object")
    return overlay or {}


def _functions(by: Injection, data: Root) -> Functions:
    def render(text: str) -> str:
        return Template.parse("render", text, known).execute(data, known)

    known = functions(by.environ, render)
    return known


# -- after the templates -----------------------------------------------------------------------------------------------


def _finish(final: Json, template: Json, by: Injection, proxy_env: Mapping[str, str]) -> None:
    status_port = int(by.mesh.default_config.status_port)
    proxy = find_proxy(final)
    if proxy is not None:
        set_env(proxy, proxy_env)
    merge_prometheus(final, enabled=by.mesh.enable_prometheus_merge, status_port=status_port)
    rewriting = (by.values.get("sidecarInjectorWebhook") or {}).get("rewriteAppHTTPProbe")
    rewrite_probes(final, enabled=bool(rewriting), status_port=status_port)
    _note(final, template, by, proxy_env.get(_NETWORK, ""))
    order_containers(final, proxy_first=_hold_application(by))


def _note(final: Json, template: Json, by: Injection, network: str) -> None:
    """Labels and annotations that tell others, and our next run, what was done."""
    metadata = final["metadata"]
    if network:
        metadata["labels"] = {**(metadata.get("labels") or {}), NETWORK_LABEL: network}
    status = {
        kind: [str(item.get("name")) for item in list_of(template, "spec", kind)] or None
        for kind in ("initContainers", "containers", "volumes", "imagePullSecrets")
    }
    status_text = msgspec.json.encode({**status, "revision": by.revision or _DEFAULT_REVISION}).decode()
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {**annotations, STATUS: status_text, **by.config.injected_annotations}


def _hold_application(by: Injection) -> bool:
    proxy_values = ((by.values.get("global") or {}).get("proxy")) or {}
    own = by.proxy_config.get("holdApplicationUntilProxyStarts")
    return bool(proxy_values.get("holdApplicationUntilProxyStarts") if own is None else own)
