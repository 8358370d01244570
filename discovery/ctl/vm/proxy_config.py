"""ProxyConfig of a virtual machine's agent: the mesh's, the group's annotation, what the group itself says. Pure.

Only what differs from Istio's defaults is kept: the agent lays the file over the same defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.request import DEFAULT_REVISION, VmRequest
from discovery.schema.workload_group import ReadinessProbe
from discovery.schema.yaml_text import YamlError, parse_yaml
from discovery.wire.ports import DISCOVERY_SECURE_GRPC
from discovery.wire.proxy_config import DEFAULTS, ProxyConfigError, decode_proxy_config, merge_proxy_config

__all__ = ["build_proxy_config", "discovery_host", "probe_document"]

_ANNOTATION: Final = "proxy.istio.io/config"
_CANONICAL_NAME: Final = "service.istio.io/canonical-name"
_CANONICAL_REVISION: Final = "service.istio.io/canonical-revision"
_NAME_LABELS: Final = (_CANONICAL_NAME, "app.kubernetes.io/name", "app")
_REVISION_LABELS: Final = (_CANONICAL_REVISION, "app.kubernetes.io/version", "version")


def build_proxy_config(request: VmRequest) -> dict[str, Any]:
    """The document for ``defaultConfig``.

    Raises:
        CtlError: the mesh's ProxyConfig or the group's annotation cannot be read.
    """
    below = _member(request.mesh, "defaultConfig", "default_config")
    config = _merge({}, below, "mesh configuration, defaultConfig")
    config = _merge(config, _annotated(request), f"{request.told}, annotation {_ANNOTATION}")
    computed: dict[str, Any] = {"proxyMetadata": _metadata(request, mesh_id=str(config.get("meshId", "")))}
    if address := _discovery_address(request, written=str(config.get("discoveryAddress", ""))):
        computed["discoveryAddress"] = address
    if request.spec.probe is not None:
        computed["readinessProbe"] = probe_document(request.spec.probe)
    config = _merge(config, computed, request.told)
    return {key: value for key, value in config.items() if key not in DEFAULTS or DEFAULTS[key] != value}


def discovery_host(request: VmRequest) -> str:
    """The name under which the control plane of the revision is known."""
    named = request.revision and request.revision != DEFAULT_REVISION
    return f"istiod{f'-{request.revision}' if named else ''}.{request.istio_namespace}.svc"


def probe_document(probe: ReadinessProbe) -> dict[str, Any]:
    """Protobuf's JSON form: zero values left out, except messages that are there but empty."""
    document: dict[str, Any] = _without_zeros(msgspec.to_builtins(probe))
    return document


def _without_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_zeros(member) for key, member in value.items()}
        return {key: member for key, member in kept.items() if member not in (None, "", 0, [])}
    return [_without_zeros(member) for member in value] if isinstance(value, list | tuple) else value


def _member(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((document[name] for name in names if document.get(name)), {})


def _annotated(request: VmRequest) -> Mapping[str, Any]:
    metadata = request.spec.metadata
    text = metadata.annotations.get(_ANNOTATION, "") if metadata else ""
    try:
        document = parse_yaml(text) if text.strip() else {}
    except YamlError as error:
        raise CtlError(f"{request.told}: annotation {_ANNOTATION} is no YAML: {error}") from error
    if not isinstance(document, dict):
        raise CtlError(f"{request.told}: annotation {_ANNOTATION}: want a ProxyConfig, got {type(document).__name__}")
    return document


def _merge(below: Mapping[str, Any], above: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        merged = merge_proxy_config(below, above)
        decode_proxy_config({**DEFAULTS, **merged})
    except ProxyConfigError as error:
        raise CtlError(f"{where}: {error}") from error
    return merged


def _discovery_address(request: VmRequest, *, written: str) -> str:
    """Empty: what is written holds. A revision, or a namespace of one's own, says more than the mesh's address."""
    address = f"{discovery_host(request)}:{DISCOVERY_SECURE_GRPC}"
    return "" if written and address == DEFAULTS["discoveryAddress"] else address


def _metadata(request: VmRequest, *, mesh_id: str) -> dict[str, str]:
    labels = request.labels
    name = next((labels[key] for key in _NAME_LABELS if labels.get(key)), request.name)
    revision = next((labels[key] for key in _REVISION_LABELS if labels.get(key)), "latest")
    told = {**labels, _CANONICAL_NAME: name, _CANONICAL_REVISION: revision}
    metadata = {
        "CANONICAL_SERVICE": name,
        "CANONICAL_REVISION": revision,
        "POD_NAMESPACE": request.namespace,
        "SERVICE_ACCOUNT": request.service_account,
        "TRUST_DOMAIN": str(request.mesh.get("trustDomain") or request.mesh.get("trust_domain") or ""),
        "ISTIO_META_CLUSTER_ID": request.cluster_id,
        "ISTIO_META_MESH_ID": mesh_id,
        "ISTIO_META_NETWORK": request.template.network,
        "ISTIO_META_WORKLOAD_NAME": request.name,
        "ISTIO_METAJSON_LABELS": msgspec.json.encode(told, order="sorted").decode(),
    }
    if ports := request.template.ports:
        told_ports = [{"name": port, "containerPort": ports[port], "protocol": ""} for port in sorted(ports)]
        metadata["ISTIO_META_POD_PORTS"] = msgspec.json.encode(told_ports).decode()
    if request.capture_dns:
        metadata["ISTIO_META_DNS_CAPTURE"] = "true"
    if request.auto_register:
        metadata["ISTIO_META_AUTO_REGISTER_GROUP"] = request.name
    return metadata
