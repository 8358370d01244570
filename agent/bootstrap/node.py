"""Who this proxy says it is: id, cluster, locality and metadata of Envoy's node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.bootstrap.metadata import collect_raw, typed
from discovery.wire import labels as label_keys
from discovery.wire.node import NodeId, NodeType
from discovery.wire.proxy_config import ProxyConfig, encode_proxy_config

__all__ = ["Node", "NodeKey", "build_node", "node_id", "pilot_san"]

_CONTROL_PLANE_NAME: Final = "istiod.istio-system.svc"
_DNS_KEYS: Final = ("DNS_CAPTURE", "ENABLE_DNS_SERVER")
_TRUE: Final = frozenset({"1", "t", "true"})
_APP_LABELS: Final = ("app", "app.kubernetes.io/name", label_keys.CANONICAL_NAME)
_TRACING_LABELS: Final = (label_keys.CANONICAL_NAME, "app.kubernetes.io/name", "app")


class NodeKey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the node depends on.

    Attributes:
        environ: the process environment; only ``ISTIO_META_*`` and ``ISTIO_METAJSON_*`` are read.
        pod_labels: the labels file; None where there is none (a VM).
        annotations: the annotations file; empty where there is none.
        agent_keys: keys that the agent owns: ports, socket file, outlier log; zero values are left out.
        metadata_discovery: overrides the default, which is whether HBONE is on; None does not.
    """

    id: str
    proxy_config: ProxyConfig
    environ: Mapping[str, str] = {}
    name: str = ""
    namespace: str = ""
    service_account: str = ""
    instance_ips: tuple[str, ...] = ()
    pilot_san: tuple[str, ...] = ()
    pod_labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] = {}
    platform_labels: Mapping[str, str] = {}
    agent_keys: Mapping[str, str | int] = {}
    istio_version: str = ""
    metadata_discovery: bool | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Envoy's node; ``warnings`` tell what was skipped while it was made."""

    id: str
    cluster: str
    locality: Mapping[str, str]
    metadata: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def annotations(self) -> Mapping[str, str]:
        """The pod's annotations, from which Envoy's statistics are configured."""
        found: Mapping[str, str] = self.metadata.get("ANNOTATIONS", {})
        return found

    def flag(self, key: str) -> bool:
        """Whether a boolean key is set."""
        return bool(self.metadata.get(key) == "true")


def node_id(kind: NodeType, ip: str, *, name: str, namespace: str, domain: str) -> str:
    """``<type>~<ip>~<name>.<namespace>~<domain>``."""
    return str(NodeId(kind, ip, f"{name}.{namespace}", domain))


def pilot_san(config: ProxyConfig) -> tuple[str, ...]:
    """The name that the control plane's certificate must have; empty without TLS."""
    if config.control_plane_auth_policy != "MUTUAL_TLS":
        return ()
    host = config.discovery_address.rpartition(":")[0].strip("[]")
    return (_CONTROL_PLANE_NAME if "localhost" in host else host,)


def build_node(key: NodeKey) -> Node:
    """The node as the control plane will see it.

    Raises:
        MetadataError: a typed key has a wrong value.
    """
    raw = collect_raw(key.environ, key.proxy_config.proxy_metadata)
    values = dict(raw.values)
    values.update(_identity(key, raw.values))
    labels, static = _labels(key, values)
    locality = _locality(labels, static)
    values["LABELS"], values["STATIC_LABELS"] = labels, static
    values["ANNOTATIONS"] = key.annotations
    if any(str(values.get(key, "")).lower() in _TRUE for key in _DNS_KEYS):
        values.setdefault("DNS_SRV", "true")  # ports of hosts, for the DNS proxy answers SRV
    metadata = typed(values)
    discovery = key.metadata_discovery
    if discovery is None:
        discovery = metadata.get("ENABLE_HBONE") == "true"
    metadata["METADATA_DISCOVERY"] = "true" if discovery else "false"  # the one flag that is always said
    return Node(
        id=key.id,
        cluster=_cluster(key, labels, str(metadata.get("WORKLOAD_NAME", ""))),
        locality=locality,
        metadata=dict(sorted(metadata.items())),
        warnings=raw.warnings,
    )


def _identity(key: NodeKey, raw: Mapping[str, Any]) -> dict[str, Any]:
    owned: dict[str, Any] = {
        "PROXY_CONFIG": encode_proxy_config(key.proxy_config),
        "INSTANCE_IPS": list(dict.fromkeys(key.instance_ips)),
        "PILOT_SAN": list(key.pilot_san),
        **key.agent_keys,
    }
    named = {"NAME": key.name, "NAMESPACE": key.namespace, "SERVICE_ACCOUNT": key.service_account}
    owned.update({name: value for name, value in named.items() if value})
    if key.istio_version and not raw.get("ISTIO_VERSION"):
        owned["ISTIO_VERSION"] = key.istio_version
    return owned


def _labels(key: NodeKey, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels of the workload and those of them that do not come from its pod."""
    static = {**dict(values.get("STATIC_LABELS") or {}), **key.platform_labels}
    above = key.pod_labels if key.pod_labels is not None else dict(values.get("LABELS") or {})
    labels = {**static, **above}
    labels.pop("pod-template-hash", None)  # it changes with every rollout and says nothing
    return labels, static


def _locality(labels: dict[str, str], static: dict[str, str]) -> dict[str, str]:
    """``region/zone/subzone``; rewrites the legacy label into that form, for a label value cannot hold a slash."""
    text = labels.get(label_keys.LOCALITY) or labels.get(label_keys.LOCALITY_LEGACY) or ""
    if not text:
        return {}
    if "/" not in text:
        text = text.replace(".", "/")
    for target in (labels, static):
        if label_keys.LOCALITY_LEGACY in target:
            target[label_keys.LOCALITY_LEGACY] = text
    parts = zip(("region", "zone", "sub_zone"), text.split("/"), strict=False)
    return {name: part for name, part in parts if part}


def _cluster(key: NodeKey, labels: Mapping[str, str], workload: str) -> str:
    naming, namespace = key.proxy_config.tracing_service_name, key.namespace
    if not key.proxy_config.service_cluster and naming != "APP_LABEL_AND_NAMESPACE":
        base = _first(labels, _TRACING_LABELS) or workload or "istio-proxy"
        return base if naming == "CANONICAL_NAME_ONLY" or not namespace else f"{base}.{namespace}"
    if key.proxy_config.service_cluster not in ("", "istio-proxy"):
        return key.proxy_config.service_cluster
    base = _first(labels, _APP_LABELS) or workload or "istio-proxy"
    return f"{base}.{namespace}" if namespace else base


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
