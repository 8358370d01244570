"""From settings to what is to be started: node, bootstrap, command line, paths. Pure; ``app`` carries it out."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Final

import msgspec

from agent.bind.binding import bind_bootstrap, parse_binding
from agent.bootstrap import Bootstrap, BootstrapKey, Node, NodeKey, build_bootstrap, build_node
from agent.bootstrap.addresses import AddressPlan, plan_addresses
from agent.bootstrap.clusters import Sockets
from agent.bootstrap.json_forms import ClientFiles
from agent.bootstrap.listeners import ListenerKey
from agent.bootstrap.node import node_id, pilot_san
from agent.envoy.args import ArgsKey, build_args
from agent.envoy.hot_restart import HotRestart
from agent.settings import Settings

__all__ = ["ISTIO_VERSION", "Host", "Launch", "Paths", "plan_launch"]

# The release of Istio whose wire contracts we keep; control planes choose features by it.
ISTIO_VERSION: Final = "1.32.0"

_UDS: Final = "./var/run/secrets"


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Files and sockets of one agent, relative to its working directory unless configured otherwise."""

    xds_socket: str
    sds_socket: str
    sds_files_socket: str = f"{_UDS}/credential-uds/files-socket"
    bootstrap_file: str
    lightstep_token: str

    @classmethod
    def of(cls, settings: Settings) -> Paths:
        """By the configuration directory and the socket's name."""
        directory = settings.config.config_path
        return cls(
            xds_socket=os.path.join(directory, "XDS"),
            sds_socket=f"{_UDS}/workload-spiffe-uds/{settings.env.workload_socket}",
            bootstrap_file=os.path.join(directory, "envoy-rev.json"),
            lightstep_token=os.path.join(directory, "lightstep_access_token.txt"),
        )


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on the host, as far as the launch depends on it.

    Attributes:
        ips: addresses of the workload, the one it is known by first.
        envoy: path of the binary.
        istio_envoy: whether that binary has Istio's own extensions.
        dns_cluster: whether it has ``DnsCluster``; older ones know only the fields that it replaced.
        foreign_sds: whether somebody else serves the SDS socket.
        credential_socket: whether an external provider serves gateway credentials.
        config_override: JSON to lay over the bootstrap.
        statsd_address: the resolved one; empty without statsd.
        cpus: how many processors the container may use at most; 0 without a limit.
        hot_restart: what Envoys that follow each other share; None where none follows.
    """

    ips: tuple[str, ...]
    envoy: str = "envoy"
    istio_envoy: bool = False
    dns_cluster: bool = False
    foreign_sds: bool = False
    credential_socket: bool = False
    config_override: str = ""
    statsd_address: str = ""
    cpus: int = 0
    hot_restart: HotRestart | None = None


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One Envoy, ready to be started; with a custom configuration file there is no bootstrap to write."""

    node: Node
    addresses: AddressPlan
    paths: Paths
    argv: tuple[str, ...]
    bootstrap: Bootstrap | None


def plan_launch(settings: Settings, host: Host, *, epoch: int = 0) -> Launch:
    """Everything that follows from settings and host. ``epoch``: see ``HotRestart``.

    Raises:
        MetadataError: a typed metadata key has a wrong value.
        ValueError: an address or a JSON text in the configuration cannot be read.
    """
    config, env, paths = settings.config, settings.env, Paths.of(settings)
    addresses = plan_addresses(host.ips, dual_stack=env.dual_stack)
    node = build_node(
        NodeKey(
            id=node_id(
                settings.role, host.ips[0], name=env.pod_name, namespace=env.pod_namespace, domain=settings.domain
            ),
            proxy_config=config,
            environ=settings.node_environ,
            name=env.pod_name,
            namespace=env.pod_namespace,
            service_account=env.service_account,
            instance_ips=host.ips,
            pilot_san=pilot_san(config),
            pod_labels=settings.pod_labels,
            annotations=settings.annotations,
            agent_keys=agent_keys(settings, host),
            istio_version=ISTIO_VERSION,
            metadata_discovery=env.metadata_discovery,
        )
    )
    bootstrap = None
    if not config.custom_config_file:
        bootstrap = build_bootstrap(bootstrap_key(settings, host, node=node, addresses=addresses, epoch=epoch))
        binding = parse_binding(env.bind_address, env.bind_device)
        if binding is not None:
            bound = bind_bootstrap(bootstrap.document, binding)
            bootstrap = msgspec.structs.replace(bootstrap, document=bound)
    args = _args(settings, host, addresses, config.custom_config_file or paths.bootstrap_file)
    args = msgspec.structs.replace(args, hot_restart=host.hot_restart, epoch=epoch)
    return Launch(node=node, addresses=addresses, paths=paths, argv=build_args(args), bootstrap=bootstrap)


def agent_keys(settings: Settings, host: Host) -> Mapping[str, str | int]:
    """Metadata that the agent itself owns."""
    env, keys = settings.env, settings.flags
    return {
        "ENVOY_STATUS_PORT": env.status_port,
        "ENVOY_PROMETHEUS_PORT": env.prometheus_port,
        "ENVOY_SECURE_METRICS_PORT": env.secure_metrics_port,
        "ENVOY_SECURE_MERGED_METRICS_PORT": env.secure_merged_metrics_port,
        "WORKLOAD_IDENTITY_SOCKET_FILE": env.workload_socket,
        "OUTLIER_LOG_PATH": keys.outlier_log_path,
        "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true" if env.exit_on_zero_connections else "",
        **({"BOUND_UPSTREAM": "true"} if env.bind_address or env.bind_device else {}),
        **({"STS_PORT": str(keys.sts_port)} if keys.sts_port else {}),
        **({"credential": "true"} if host.credential_socket else {}),
        **({"file-credential": "true"} if host.foreign_sds else {}),
    }


def bootstrap_key(
    settings: Settings, host: Host, *, node: Node, addresses: AddressPlan, epoch: int = 0
) -> BootstrapKey:
    """The builder's argument for these settings."""
    env, paths = settings.env, Paths.of(settings)
    metadata = node.metadata
    return BootstrapKey(
        node=node,
        config=msgspec.structs.replace(settings.config, statsd_udp_address=host.statsd_address),
        addresses=addresses,
        sockets=Sockets(
            xds=paths.xds_socket,
            sds=paths.sds_socket,
            sds_files=paths.sds_files_socket if host.foreign_sds else "",
        ),
        listeners=_listener_key(settings, addresses),
        instance_ips=host.ips,
        client_files=ClientFiles(
            certificate=str(metadata.get("TLS_CLIENT_CERT_CHAIN", "")),
            key=str(metadata.get("TLS_CLIENT_KEY", "")),
            root=str(metadata.get("TLS_CLIENT_ROOT_CERT", "")),
        ),
        delta_xds=env.delta_xds,
        log_as_json=settings.flags.log_as_json,
        outlier_log_path=settings.flags.outlier_log_path,
        compliance_policy=env.compliance_policy,
        strip_fragment=env.strip_fragment,
        count_connections=env.exit_on_zero_connections,
        istio_extensions=host.istio_envoy,
        dns_extension=host.dns_cluster,
        epoch=epoch,
        lightstep_token_file=paths.lightstep_token,
    )


def _listener_key(settings: Settings, addresses: AddressPlan) -> ListenerKey:
    env, config = settings.env, settings.config
    return ListenerKey(
        addresses=addresses,
        status_port=env.status_port,
        prometheus_port=env.prometheus_port,
        secure_metrics_port=env.secure_metrics_port,
        secure_merged_metrics_port=env.secure_merged_metrics_port,
        compress=config.stats_compression is not False,
        localhost_only=config.proxy_metadata.get("METRICS_LOCALHOST_ACCESS_ONLY") == "true",
        proxy_protocol=env.status_proxy_protocol,
    )


def _args(settings: Settings, host: Host, addresses: AddressPlan, config_file: str) -> ArgsKey:
    config, flags, env = settings.config, settings.flags, settings.env
    return ArgsKey(
        binary=host.envoy,
        config_file=config_file,
        drain_duration=config.drain_duration or "45s",
        ip_version=addresses.ip_version,
        file_flush_interval=config.file_flush_interval,
        file_flush_min_size_kb=config.file_flush_min_size_kb,
        log_level=flags.proxy_log_level,
        component_log_level=flags.proxy_component_log_level,
        skip_deprecated_logs=env.skip_deprecated_logs,
        core_dump=env.core_dump,
        config_override=host.config_override,
        concurrency=config.concurrency or host.cpus,
    )
