"""All that the control plane is told, read once at the start: flags under the names that users of istiod know, and
environment variables."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec

from discovery.admission_settings import ADMISSION_VARIABLES, AdmissionSettings, read_admission_settings
from discovery.settings_reader import Address, SettingsReader
from discovery.token_settings import TOKEN_VARIABLES, TokenSettings, read_token_settings
from discovery.writing_settings import WRITING_VARIABLES, WritingSettings, read_writing_settings

__all__ = ["FLAGS", "VARIABLES", "Address", "Flag", "Settings", "SettingsError", "Variable", "load_settings"]


class SettingsError(ValueError):
    """The control plane cannot start as told; ``findings`` are all the reasons, not only the first."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


class Flag(NamedTuple):
    """A flag of ``pilot-discovery discovery``."""

    names: tuple[str, ...]
    group: str
    default: Any
    help: str

    @property
    def field(self) -> str:
        """The key of its value."""
        return self.names[0].lstrip("-").replace("-", "_")


_PORTS: Final = "Ports (an empty address turns the port off; port 0 is chosen by the system and printed)"
_WEBHOOKS: Final = ":15017"
_CONFIG: Final = "Configuration"
_SECURITY: Final = "Security"
_LOGGING: Final = "Logging"

FLAGS: Final[tuple[Flag, ...]] = (
    Flag(
        ("--configDir", "--config-dir"),
        _CONFIG,
        "",
        "Directory of YAML, watched, instead of the cluster's configuration; with --kubeconfig, Services, Pods and "
        "endpoints still come from the cluster, without it there is no cluster.",
    ),
    Flag(("--meshConfig",), _CONFIG, "./etc/istio/config/mesh", "Mesh configuration file; need not exist."),
    Flag(
        ("--registries",),
        _CONFIG,
        "Kubernetes",
        "Where services come from besides ServiceEntry: Kubernetes (the cluster that is read, if any), or nothing.",
    ),
    Flag(
        ("--kubeconfig",),
        _CONFIG,
        "",
        "Cluster to read; empty: the one this pod runs in, if it is one and no --configDir.",
    ),
    Flag(("--kubernetesApiQPS",), _CONFIG, "80", "Requests per second to the API server; 0: as many as are made."),
    Flag(("--kubernetesApiBurst",), _CONFIG, "160", "Requests that may be made at once beyond that rate."),
    Flag(("--clusterID",), _CONFIG, "Kubernetes", "Name of the local cluster (CLUSTER_ID)."),
    Flag(("--domain",), _CONFIG, "cluster.local", "DNS suffix of Kubernetes services."),
    Flag(("--namespace", "-n"), _CONFIG, "istio-system", "Namespace of the control plane (POD_NAMESPACE)."),
    Flag(("--grpcAddr",), _PORTS, ":15010", "xDS without TLS."),
    Flag(("--secureGRPCAddr",), _PORTS, ":15012", "xDS and the certificate authority over TLS."),
    Flag(("--httpAddr",), _PORTS, ":8080", "Readiness, debug endpoints and the web UI."),
    Flag(("--httpsAddr",), _PORTS, _WEBHOOKS, "Webhooks; without a cluster only where another address is given."),
    Flag(("--monitoringAddr",), _PORTS, ":15014", "Metrics, version and debug endpoints."),
    Flag(("--caCertFile",), _SECURITY, "", "Roots for verifying client certificates at the secure port."),
    Flag(("--tlsCertFile",), _SECURITY, "", "Certificate chain of the secure port."),
    Flag(("--tlsKeyFile",), _SECURITY, "", "Private key of the secure port."),
    Flag(("--caDir",), _SECURITY, "", "Where a self-signed authority is kept; empty: it lives as long as the process."),
    Flag(("--tokenKeysFile",), _SECURITY, "", "JWKS file that tokens of TOKEN_ISSUER are verified with."),
    Flag(
        ("--devTokenDir",),
        _SECURITY,
        "",
        "Directory of a token issuer for development, made if missing; never for production.",
    ),
    Flag(("--binary-path",), _SECURITY, "", "Envoy binary in front of the secure port; empty: it is searched for."),
    Flag(("--keepaliveInterval",), "Serving", "30s", "Ping idle connections this often."),
    Flag(("--keepaliveTimeout",), "Serving", "10s", "Close a connection whose ping was not answered for this long."),
    Flag(
        ("--keepaliveMaxServerConnectionAge",),
        "Serving",
        "0s",
        "Close connections older than this, so that proxies spread over replicas; 0s: never.",
    ),
    Flag(("--shutdownDuration",), "Serving", "10s", "How long open streams may take to end at shutdown."),
    Flag(("--log_output_level",), _LOGGING, "default:info", "Level, or scope:level,...; none error warn info debug."),
    Flag(("--log_as_json",), _LOGGING, default=False, help="Write log lines as JSON."),
)


class Variable(NamedTuple):
    """An environment variable that changes behaviour."""

    name: str
    default: str
    help: str


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable("PILOT_DEBOUNCE_AFTER", "100ms", "Quiet time after which a burst of changes is pushed."),
    Variable("PILOT_DEBOUNCE_MAX", "10s", "Longest time that a burst may hold back a push."),
    Variable("PILOT_ENABLE_EDS_DEBOUNCE", "false", "Whether endpoint changes wait like others. (istiod: true)"),
    Variable("PILOT_ENABLE_VHDS", "true", "Serve virtual hosts on their own to delta proxies that can take them."),
    Variable(
        "PILOT_ENABLE_IP_AUTOALLOCATE",
        "true",
        "Hosts without an address get one for every proxy that captures DNS; false: only if it says DNS_AUTO_ALLOCATE.",
    ),
    Variable(
        "ROOT_CA_DIR", "./etc/cacerts", "Plugged-in authority: ca-cert.pem ca-key.pem root-cert.pem cert-chain.pem."
    ),
    Variable("DEFAULT_WORKLOAD_CERT_TTL", "24h", "Life of a workload certificate when none is asked for."),
    Variable("MAX_WORKLOAD_CERT_TTL", "2160h", "Longest life that may be asked for."),
    Variable("CITADEL_SELF_SIGNED_CA_CERT_TTL", "87600h", "Life of a self-signed root."),
    Variable("TOKEN_AUDIENCES", "istio-ca", "Comma list; a token must be meant for one of them."),
    Variable("TOKEN_ISSUER", "", "Issuer of the tokens that --tokenKeysFile verifies."),
    Variable("XDS_AUTH", "true", "Whether xDS callers on the secure port must authenticate."),
    Variable("PILOT_ENABLE_XDS_IDENTITY_CHECK", "true", "Whether a caller must be the node that it claims to be."),
    Variable("ISTIOD_CUSTOM_HOST", "", "Further DNS names of the serving certificate, comma list."),
    Variable("REVISION", "", "Revision of this control plane."),
    Variable("SHARED_MESH_CONFIG", "", "Name of a ConfigMap below the one of this revision, in the same namespace."),
    Variable("ISTIO_WATCH_NAMESPACE", "", "Read objects of this namespace only; empty: of all."),
    Variable("PILOT_IGNORE_RESOURCES", "", "CRDs not to read, comma list; *.group for all of a group."),
    Variable("PILOT_INCLUDE_RESOURCES", "", "Exceptions from PILOT_IGNORE_RESOURCES."),
    Variable("PILOT_ENABLE_GATEWAY_API", "true", "Whether kinds of the Gateway API are read, where installed."),
    Variable("KUBERNETES_SERVICE_HOST", "", "Set in every pod: the API server's address."),
    Variable("KUBERNETES_SERVICE_PORT", "", "Set in every pod: the API server's port."),
    Variable("POD_NAMESPACE", "istio-system", "Namespace of the control plane."),
    Variable("POD_NAME", "", "Name of this replica; empty: that of the host."),
    Variable(
        "PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION",
        "true",
        "Whether proxies that name a WorkloadGroup get a WorkloadEntry, and agents' reports of health count.",
    ),
    Variable(
        "PILOT_WORKLOAD_ENTRY_GRACE_PERIOD", "10s", "How long such an entry stays when its proxy is not connected."
    ),
    Variable(
        "PILOT_WORKLOAD_ENTRY_VALIDATE_IDENTITY",
        "true",
        "Whether only a proxy with the verified identity of the workload gets one.",
    ),
    Variable("CLUSTER_ID", "Kubernetes", "Name of the local cluster."),
    Variable("ISTIO_DUAL_STACK", "false", "A pod with addresses of both families is one endpoint with both, not two."),
    *(Variable(*row) for row in TOKEN_VARIABLES),
    *(Variable(*row) for row in WRITING_VARIABLES),
    *(Variable(*row) for row in ADMISSION_VARIABLES),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one control plane runs by. Addresses are None where the port is off."""

    config_dir: str
    kubeconfig: str
    registries: tuple[str, ...]
    kubernetes_qps: float
    kubernetes_burst: int
    pod_environ: Mapping[str, str]  # how a pod finds its API server
    shared_mesh_config: str
    watch_namespace: str
    ignored_resources: tuple[str, ...]
    included_resources: tuple[str, ...]
    gateway_api: bool
    mesh_config: str
    cluster_id: str
    domain: str
    namespace: str
    grpc: Address | None
    secure_grpc: Address | None
    http: Address | None
    monitoring: Address | None
    ca_cert_file: str
    tls_cert_file: str
    tls_key_file: str
    ca_dir: str
    token_keys_file: str
    dev_token_dir: str
    binary_path: str
    keepalive_interval: timedelta
    keepalive_timeout: timedelta
    max_connection_age: timedelta | None
    shutdown: timedelta
    log_output_level: str
    log_as_json: bool
    debounce_after: timedelta
    debounce_max: timedelta
    debounce_endpoints: bool
    vhds: bool
    auto_allocate: bool
    root_ca_dir: str
    default_ttl: timedelta
    max_ttl: timedelta
    self_signed_ttl: timedelta
    token_audiences: tuple[str, ...]
    token_issuer: str
    tokens: TokenSettings
    authenticate: bool
    check_identity: bool
    custom_hosts: tuple[str, ...]
    revision: str
    pod_name: str
    register_workloads: bool
    workload_entry_grace: timedelta
    validate_workload_identity: bool
    writing: WritingSettings
    https: Address | None
    admission: AdmissionSettings
    dual_stack: bool

    @property
    def reads_cluster(self) -> bool:
        """Whether there is an API server to read from."""
        return bool(self.kubeconfig) or (not self.config_dir and all(self.pod_environ.values()))


def process_environ() -> dict[str, str]:
    """The environment of this process, as it is now."""
    return dict(os.environ)  # noqa: TID251 - the one place


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Read everything; ``flags`` has a value for the ``field`` of each of ``FLAGS``.

    Raises:
        SettingsError: something is wrong that the control plane cannot start with.
    """
    read = SettingsReader(flags, environ, {variable.name: variable.default for variable in VARIABLES})
    age = read.duration(read.flag("keepaliveMaxServerConnectionAge"), "--keepaliveMaxServerConnectionAge")
    settings = Settings(
        config_dir=read.flag("configDir"),
        kubeconfig=read.flag("kubeconfig"),
        registries=_list(read.flag("registries")),
        kubernetes_qps=read.number("kubernetesApiQPS"),
        kubernetes_burst=int(read.number("kubernetesApiBurst")),
        pod_environ={name: read.variable(name) for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")},
        shared_mesh_config=read.variable("SHARED_MESH_CONFIG"),
        watch_namespace=read.variable("ISTIO_WATCH_NAMESPACE"),
        ignored_resources=_list(read.variable("PILOT_IGNORE_RESOURCES")),
        included_resources=_list(read.variable("PILOT_INCLUDE_RESOURCES")),
        gateway_api=read.switch("PILOT_ENABLE_GATEWAY_API"),
        mesh_config=read.flag("meshConfig"),
        cluster_id=read.flag_or_variable("clusterID", "CLUSTER_ID", "Kubernetes"),
        domain=read.flag("domain"),
        namespace=read.flag_or_variable("namespace", "POD_NAMESPACE", "istio-system"),
        grpc=read.address("grpcAddr"),
        secure_grpc=read.address("secureGRPCAddr"),
        http=read.address("httpAddr"),
        monitoring=read.address("monitoringAddr"),
        ca_cert_file=read.flag("caCertFile"),
        tls_cert_file=read.flag("tlsCertFile"),
        tls_key_file=read.flag("tlsKeyFile"),
        ca_dir=read.flag("caDir"),
        token_keys_file=read.flag("tokenKeysFile"),
        dev_token_dir=read.flag("devTokenDir"),
        binary_path=read.flag("binary_path"),
        keepalive_interval=read.duration(read.flag("keepaliveInterval"), "--keepaliveInterval"),
        keepalive_timeout=read.duration(read.flag("keepaliveTimeout"), "--keepaliveTimeout"),
        max_connection_age=age or None,
        shutdown=read.duration(read.flag("shutdownDuration"), "--shutdownDuration"),
        log_output_level=read.flag("log_output_level"),
        log_as_json=bool(flags["log_as_json"]),
        debounce_after=read.duration(read.variable("PILOT_DEBOUNCE_AFTER"), "PILOT_DEBOUNCE_AFTER"),
        debounce_max=read.duration(read.variable("PILOT_DEBOUNCE_MAX"), "PILOT_DEBOUNCE_MAX"),
        debounce_endpoints=read.switch("PILOT_ENABLE_EDS_DEBOUNCE"),
        vhds=read.switch("PILOT_ENABLE_VHDS"),
        auto_allocate=read.switch("PILOT_ENABLE_IP_AUTOALLOCATE"),
        root_ca_dir=read.variable("ROOT_CA_DIR"),
        default_ttl=read.duration(read.variable("DEFAULT_WORKLOAD_CERT_TTL"), "DEFAULT_WORKLOAD_CERT_TTL"),
        max_ttl=read.duration(read.variable("MAX_WORKLOAD_CERT_TTL"), "MAX_WORKLOAD_CERT_TTL"),
        self_signed_ttl=read.duration(
            read.variable("CITADEL_SELF_SIGNED_CA_CERT_TTL"), "CITADEL_SELF_SIGNED_CA_CERT_TTL"
        ),
        token_audiences=_list(read.variable("TOKEN_AUDIENCES")),
        token_issuer=read.variable("TOKEN_ISSUER"),
        tokens=read_token_settings(read),
        authenticate=read.switch("XDS_AUTH"),
        check_identity=read.switch("PILOT_ENABLE_XDS_IDENTITY_CHECK"),
        custom_hosts=_list(read.variable("ISTIOD_CUSTOM_HOST")),
        revision=read.variable("REVISION"),
        pod_name=read.variable("POD_NAME") or socket.gethostname(),
        register_workloads=read.switch("PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION"),
        workload_entry_grace=read.duration(
            read.variable("PILOT_WORKLOAD_ENTRY_GRACE_PERIOD"), "PILOT_WORKLOAD_ENTRY_GRACE_PERIOD"
        ),
        validate_workload_identity=read.switch("PILOT_WORKLOAD_ENTRY_VALIDATE_IDENTITY"),
        writing=read_writing_settings(read),
        https=read.address("httpsAddr"),
        admission=read_admission_settings(read, environ),
        dual_stack=read.switch("ISTIO_DUAL_STACK"),
    )
    if not settings.reads_cluster and read.flag("httpsAddr") == _WEBHOOKS:
        settings = msgspec.structs.replace(settings, https=None)  # nobody is there to call them
    read.findings += _contradictions(settings)
    if read.findings:
        raise SettingsError(read.findings)
    return settings


def _contradictions(settings: Settings) -> list[str]:
    findings = []
    if not settings.config_dir and not settings.reads_cluster:
        findings.append(
            "no source of configuration: give --configDir, a directory of YAML, or --kubeconfig, a cluster; "
            "within a cluster neither is needed, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
        )
    unknown = set(settings.registries) - {"Kubernetes"}
    if unknown:
        findings.append(f"--registries: want Kubernetes or nothing, got {', '.join(sorted(unknown))}")
    pair = (settings.tls_cert_file, settings.tls_key_file)
    if any(pair) and not all(pair):
        findings.append("--tlsCertFile and --tlsKeyFile belong together: give both or neither")
    if settings.token_keys_file and not settings.token_issuer:
        findings.append("--tokenKeysFile needs TOKEN_ISSUER: whose tokens the keys verify")
    return findings
