"""All that the agent is told, read once at the start: flags, environment, mesh file, files about the pod.

ProxyConfig comes in layers: Istio's defaults, the mesh file, ``PROXY_CONFIG``, the pod's annotation, single overrides.
Relative paths stay relative to the working directory, so that agents in different directories share one host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.bootstrap.json_forms import split_address
from agent.bootstrap.podinfo import parse_podinfo
from agent.environment import Environment, read_environment
from discovery.wire.durations import parse_duration
from discovery.wire.node import NodeType
from discovery.wire.proxy_config import (
    DEFAULTS,
    ProxyConfig,
    ProxyConfigError,
    decode_proxy_config,
    encode_proxy_config,
    merge_proxy_config,
)

__all__ = ["Flags", "Settings", "SettingsError", "load_settings", "process_environ", "use_system_resolver"]

POD_LABELS: Final = "./etc/istio/pod/labels"
POD_ANNOTATIONS: Final = "./etc/istio/pod/annotations"
_XDS_HEADER: Final = "XDS_HEADER_"
_CA_HEADER: Final = "CA_HEADER_"
_MAX_RSA_BITS: Final = 8192  # as certs.keys, which is too large to be imported for it
_OTHER_TYPES: Final = ("waypoint", "ztunnel", "agentgateway")


class SettingsError(ValueError):
    """The agent cannot start as told; ``findings`` are all the reasons, not only the first."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """Flags of ``pilot-agent proxy``."""

    role: str = "sidecar"
    domain: str = ""
    mesh_config: str = "./etc/istio/config/mesh"
    service_cluster: str = "istio-proxy"
    proxy_log_level: str = "warning"
    proxy_component_log_level: str = ""
    concurrency: int = 0
    outlier_log_path: str = ""
    sts_port: int = 0
    binary_path: str = ""
    log_output_level: str = "default:info"
    log_as_json: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent runs by.

    Attributes:
        domain: DNS suffix of the node id.
        config: the effective ProxyConfig.
        node_environ: ``ISTIO_META_*`` and ``ISTIO_METAJSON_*``.
        pod_labels: None where there is no labels file (a VM).
        binary_is_chosen: somebody named Envoy's path; otherwise it is searched for.
        warnings: what was ignored while reading.
    """

    role: NodeType
    domain: str
    flags: Flags
    env: Environment
    config: ProxyConfig
    node_environ: Mapping[str, str] = {}
    xds_headers: Mapping[str, str] = {}
    ca_headers: Mapping[str, str] = {}
    pod_labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] = {}
    binary_is_chosen: bool = False
    warnings: tuple[str, ...] = ()


def process_environ() -> dict[str, str]:
    """The environment of this process, as it is now."""
    return dict(os.environ)  # noqa: TID251 - the one place


def use_system_resolver() -> None:
    """Have gRPC look names up as every other program of the machine does; before gRPC is imported.

    Its own resolver asks a name server for the second address family of a name of which ``/etc/hosts`` has one, as the
    hosts file of a virtual machine has of the control plane's. Where no name server answers, that takes 10 s, longer
    than a connection may take: the machine would never connect. GRPC_DNS_RESOLVER, if set, stays.
    """
    os.environ.setdefault("GRPC_DNS_RESOLVER", "native")  # noqa: TID251 - gRPC's core reads it from there


def load_settings(flags: Flags, environ: Mapping[str, str], *, directory: Path) -> Settings:
    """Read everything. ``directory``: what relative paths are relative to.

    Raises:
        SettingsError: something is wrong that the agent cannot start with.
    """
    findings: list[str] = []
    env, warnings = read_environment(environ)
    role = _role(flags.role, findings)
    labels = _read_podinfo(directory / POD_LABELS, findings)
    annotations = _read_podinfo(directory / POD_ANNOTATIONS, findings) or {}
    layers = _layers(flags, env, annotations, directory, findings)
    config, chosen = _merge(layers, flags, env, findings)
    _check(config, env, findings)
    if findings:
        raise SettingsError(findings)
    return Settings(
        role=role,
        domain=flags.domain or (f"{env.pod_namespace}.svc.cluster.local" if env.pod_namespace else ""),
        flags=flags,
        env=env,
        config=config,
        node_environ={
            key: value for key, value in environ.items() if key.startswith(("ISTIO_META_", "ISTIO_METAJSON_"))
        },
        xds_headers=_headers(environ, _XDS_HEADER),
        ca_headers=_headers(environ, _CA_HEADER),
        pod_labels=labels,
        annotations=annotations,
        binary_is_chosen=chosen,
        warnings=warnings,
    )


def _headers(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in environ.items() if key.startswith(prefix)}


def _role(text: str, findings: list[str]) -> NodeType:
    if text in (NodeType.SIDECAR, NodeType.ROUTER):
        return NodeType(text)
    if text in _OTHER_TYPES:
        findings.append(f"proxy type {text!r} is not served by this agent, want sidecar or router")
    else:
        findings.append(f"invalid proxy Type: {text}; want sidecar or router")
    return NodeType.SIDECAR


def _read_podinfo(path: Path, findings: list[str]) -> dict[str, str] | None:
    try:
        return parse_podinfo(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        findings.append(f"{path}: {error.strerror or error}, want what the kubelet writes of the pod, or no file")
        return None


def _document(text: str, where: str, findings: list[str]) -> dict[str, Any]:
    """A YAML or JSON object; JSON is tried first, for the YAML reader costs a megabyte of memory."""
    try:
        document = msgspec.json.decode(text) if text.strip() else {}
    except msgspec.DecodeError:
        import yaml

        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            findings.append(f"{where}: neither YAML nor JSON: {' '.join(str(error).split())}")
            return {}
    if document is None:
        return {}
    if not isinstance(document, dict):
        findings.append(f"{where}: want an object, found {type(document).__name__}")
        return {}
    return document


def _layers(
    flags: Flags, env: Environment, annotations: Mapping[str, str], directory: Path, findings: list[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Documents above the defaults, lowest first, each with where it came from."""
    layers = [(f"mesh file {flags.mesh_config}", _mesh_defaults(directory, flags.mesh_config, findings))]
    if env.proxy_config:
        layers.append(("PROXY_CONFIG", _document(env.proxy_config, "PROXY_CONFIG", findings)))
    if annotated := annotations.get("proxy.istio.io/config"):
        where = "annotation proxy.istio.io/config"
        layers.append((where, _document(annotated, where, findings)))
    overrides: dict[str, Any] = {}
    if flags.service_cluster != Flags().service_cluster:
        overrides["serviceCluster"] = flags.service_cluster
    if address := annotations.get("sidecar.istio.io/discoveryAddress"):
        overrides["discoveryAddress"] = address
    if port := annotations.get("status.sidecar.istio.io/port"):
        overrides["statusPort"] = port
    layers.append(("flags and annotations", overrides))
    return layers


def _mesh_defaults(directory: Path, name: str, findings: list[str]) -> dict[str, Any]:
    """What the mesh file says of proxies; without the file nothing, which is normal in pods: all is in PROXY_CONFIG."""
    where = f"mesh file {name}"
    try:
        text = (directory / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        findings.append(f"{where}: {error.strerror or error}")
        return {}
    except UnicodeDecodeError as error:
        findings.append(f"{where}: byte {error.start} is no UTF-8, want YAML or JSON")
        return {}
    mesh = _document(text, where, findings)
    defaults = mesh.get("defaultConfig") or mesh.get("default_config") or {}
    if not isinstance(defaults, dict):
        findings.append(f"{where}: defaultConfig: want an object, found {type(defaults).__name__}")
        return {}
    return defaults


def _merge(
    layers: list[tuple[str, dict[str, Any]]], flags: Flags, env: Environment, findings: list[str]
) -> tuple[ProxyConfig, bool]:
    """The effective ProxyConfig, and whether somebody named the binary."""
    merged: dict[str, Any] = dict(DEFAULTS)
    for where, layer in layers:
        try:
            merged = merge_proxy_config(merged, layer)
        except ProxyConfigError as error:
            findings.append(f"{where}: {error}")
    chosen = bool(flags.binary_path) or merged.get("binaryPath") != DEFAULTS["binaryPath"]
    if flags.binary_path:
        merged["binaryPath"] = flags.binary_path
    if flags.concurrency:
        merged["concurrency"] = flags.concurrency
    elif merged.get("concurrency") is None and env.cpu_limit:
        merged["concurrency"] = env.cpu_limit
    try:
        config = decode_proxy_config(merged)
    except ProxyConfigError as error:
        findings.append(str(error))
        return decode_proxy_config(DEFAULTS), chosen
    return _with_host_ip(config, env.host_ip), chosen


def _with_host_ip(config: ProxyConfig, host_ip: str) -> ProxyConfig:
    """``$(HOST_IP)`` in the addresses that Envoy itself calls."""
    if not host_ip:
        return config
    bracketed = f"[{host_ip}]" if ":" in host_ip else host_ip
    document = encode_proxy_config(config)
    for key in ("tracing", "envoyMetricsService", "envoyAccessLogService", "statsdUdpAddress"):
        if key in document:
            text = msgspec.json.encode(document[key]).decode()
            text = text.replace("[$(HOST_IP)]", bracketed).replace("$(HOST_IP)", bracketed)
            document[key] = msgspec.json.decode(text)
    return decode_proxy_config(document)


def _check(config: ProxyConfig, env: Environment, findings: list[str]) -> None:
    for name, text in (
        ("configPath", config.config_path),
        ("binaryPath", config.binary_path),
        ("discoveryAddress", config.discovery_address),
    ):
        if not text:
            findings.append(f"ProxyConfig {name} is empty")
    if not config.service_cluster and config.tracing_service_name == "APP_LABEL_AND_NAMESPACE":
        findings.append("ProxyConfig serviceCluster is empty")
    _check_addresses(config, findings)
    _check_ports(config, env, findings)
    if config.concurrency is not None and config.concurrency < 0:
        findings.append(f"concurrency is {config.concurrency}, want a number of worker threads, or 0 for all CPUs")
    for name, text in (
        ("drainDuration", config.drain_duration),
        ("terminationDrainDuration", config.termination_drain_duration),
    ):
        if text and (seconds := parse_duration(text)) < 0:
            findings.append(f"ProxyConfig {name} is {seconds:g} s, want no negative duration")
    if env.dns_forward_timeout_s <= 0:
        text = f"DNS_FORWARD_TIMEOUT is {env.dns_forward_timeout_s:g} s, in which no name server answers; want more"
        findings.append(text)
    _check_identity(env, findings)


def _check_ports(config: ProxyConfig, env: Environment, findings: list[str]) -> None:
    """Each in its range, and its own: Envoy's word for a port that is taken twice would not say by whom."""
    if not 0 < config.proxy_admin_port < 65536:
        findings.append(f"ProxyConfig proxyAdminPort is {config.proxy_admin_port}, want 1 to 65535")
    optional = {
        "ProxyConfig statusPort": config.status_port,
        "ENVOY_STATUS_PORT": env.status_port,
        "ENVOY_PROMETHEUS_PORT": env.prometheus_port,
        "ENVOY_SECURE_METRICS_PORT": env.secure_metrics_port,
        "ENVOY_SECURE_MERGED_METRICS_PORT": env.secure_merged_metrics_port,
    }
    ours = not (env.disable_envoy or config.custom_config_file)  # else nobody listens there, or the file says who does
    owners = {config.proxy_admin_port: "ProxyConfig proxyAdminPort"}
    for name, port in optional.items():
        if not 0 <= port < 65536:
            findings.append(f"{name} is {port}, want 1 to 65535, or 0 for none")
        elif ours and port and (owner := owners.setdefault(port, name)) != name:
            findings.append(f"{name} is {port}, as {owner} is; want a port of its own")


def _check_addresses(config: ProxyConfig, findings: list[str]) -> None:
    tracing = config.tracing
    tracers = (tracing.zipkin, tracing.lightstep, tracing.datadog) if tracing else ()
    services = (config.envoy_metrics_service, config.envoy_access_log_service)
    for name, address in (
        ("discoveryAddress", config.discovery_address),
        ("statsdUdpAddress", config.statsd_udp_address),
        *(("tracing", tracer.address) for tracer in tracers if tracer),
        *(("Envoy service", service.address) for service in services if service),
    ):
        if address and "$(HOST_IP)" not in address:
            try:
                split_address(address)
            except ValueError as error:
                findings.append(f"ProxyConfig {name}: {error}")


def _check_identity(env: Environment, findings: list[str]) -> None:
    if env.file_mounted_certs and env.prov_cert:
        findings.append("FILE_MOUNTED_CERTS and PROV_CERT exclude each other; unset one of them")
    if "/" in env.workload_socket or env.workload_socket in ("", ".", ".."):
        findings.append(f"WORKLOAD_IDENTITY_SOCKET_FILE={env.workload_socket!r}: want a file name without a directory")
    if not 2048 <= env.rsa_key_size <= _MAX_RSA_BITS:
        findings.append(f"WORKLOAD_RSA_KEY_SIZE={env.rsa_key_size}: want 2048 to {_MAX_RSA_BITS}")
    # What was asked for to be secure is not silently something else.
    for name, value, known in (
        ("ECC_SIGNATURE_ALGORITHM", env.ecc_algorithm, ("", "ECDSA")),
        ("ECC_CURVE", env.ecc_curve, ("", "P256", "P384")),
        ("COMPLIANCE_POLICY", env.compliance_policy, ("", "fips-140-2", "fips-140-3", "pqc")),
    ):
        if value not in known:
            findings.append(f"{name}={value!r} is unknown, want {' or '.join(known[1:])}, or leave it unset")
    if env.ca_provider not in ("Citadel", "GkeWorkloadCertificate"):
        findings.append(f"CA_PROVIDER={env.ca_provider!r} is not supported, want Citadel")
