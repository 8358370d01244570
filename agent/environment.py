"""The environment variables of ``pilot-agent proxy`` as one typed value: name, type, default and meaning in one place.

Identity comes in through the pod's fields, behaviour through variables that Istio's users know. A text that is set but
empty is empty; a number, boolean or duration that cannot be read gives its default and a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NewType, get_type_hints

import msgspec

from discovery.wire.durations import parse_duration

__all__ = ["Environment", "Seconds", "Variable", "read_environment", "variables"]

Seconds = NewType("Seconds", float)

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Variable(msgspec.Struct, frozen=True):
    """Name of a variable and what it does."""

    name: str
    doc: str


_V = Variable


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says. Durations are seconds."""

    instance_ip: Annotated[str, _V("INSTANCE_IP", "First IP address of the workload.")] = ""
    pod_name: Annotated[str, _V("POD_NAME", "Name of the pod; third part of the node id.")] = ""
    pod_namespace: Annotated[str, _V("POD_NAMESPACE", "Namespace of the pod; third part of the node id.")] = ""
    service_account: Annotated[str, _V("SERVICE_ACCOUNT", "Service account; part of the identity asked for.")] = ""
    host_ip: Annotated[str, _V("HOST_IP", "Replaces $(HOST_IP) in addresses of tracers, statsd and access logs.")] = ""
    proxy_config: Annotated[str, _V("PROXY_CONFIG", "ProxyConfig as YAML or JSON, over the mesh file.")] = ""
    trust_domain: Annotated[str, _V("TRUST_DOMAIN", "Trust domain of the identity asked for.")] = "cluster.local"
    cpu_limit: Annotated[int, _V("ISTIO_CPU_LIMIT", "Worker threads of Envoy where nothing else says how many.")] = 0
    bootstrap_override: Annotated[
        str, _V("ISTIO_BOOTSTRAP_OVERRIDE", "File that Envoy merges over its bootstrap (--config-yaml).")
    ] = ""
    bootstrap_template: Annotated[
        str, _V("ISTIO_BOOTSTRAP", "Not supported: text templates; a warning is logged if set.")
    ] = ""

    disable_envoy: Annotated[
        bool, _V("DISABLE_ENVOY", "No Envoy: certificates go to OUTPUT_CERTS, applications speak xDS themselves.")
    ] = False
    grpc_bootstrap: Annotated[
        str, _V("GRPC_XDS_BOOTSTRAP", "Bootstrap file for applications that speak xDS themselves; empty: none.")
    ] = "./etc/istio/proxy/grpc-bootstrap.json"

    delta_xds: Annotated[bool, _V("ISTIO_DELTA_XDS", "Envoy asks for differences instead of whole states.")] = True
    xds_root_ca: Annotated[str, _V("XDS_ROOT_CA", "Roots to trust the control plane by; SYSTEM: the system's.")] = ""
    ca_root_ca: Annotated[str, _V("CA_ROOT_CA", "Roots to trust the CA by; SYSTEM: the system's.")] = ""
    istiod_san: Annotated[str, _V("ISTIOD_SAN", "Name that the control plane's certificate must have.")] = ""
    keepalive_interval_s: Annotated[Seconds, _V("GRPC_KEEPALIVE_INTERVAL", "Between pings to the control plane.")] = (
        Seconds(30)
    )
    keepalive_timeout_s: Annotated[
        Seconds, _V("GRPC_KEEPALIVE_TIMEOUT", "A ping unanswered for so long ends the connection.")
    ] = Seconds(10)
    max_streams: Annotated[int, _V("ISTIO_GPRC_MAXSTREAMS", "Concurrent streams of the Unix sockets.")] = 100_000
    max_request_bytes: Annotated[
        int, _V("ISTIO_GPRC_MAXRECVMSGSIZE", "Largest request taken on the Unix sockets, in bytes.")
    ] = 4 << 20

    ca_addr: Annotated[str, _V("CA_ADDR", "Address of the CA; unset: the discovery address.")] = ""
    ca_provider: Annotated[str, _V("CA_PROVIDER", "Kind of CA; only Citadel.")] = "Citadel"
    pilot_cert_provider: Annotated[
        str, _V("PILOT_CERT_PROVIDER", "Where the control plane's root is: istiod, custom or none.")
    ] = "istiod"
    prov_cert: Annotated[str, _V("PROV_CERT", "Directory of a client certificate that was there before us.")] = ""
    output_certs: Annotated[str, _V("OUTPUT_CERTS", "Directory to which each issued certificate is written.")] = ""
    file_mounted_certs: Annotated[
        bool, _V("FILE_MOUNTED_CERTS", "The identity is in files; never ask the CA. Not with PROV_CERT.")
    ] = False
    secret_ttl_s: Annotated[Seconds, _V("SECRET_TTL", "Lifetime asked for.")] = Seconds(86_400)
    secret_grace_ratio: Annotated[
        float, _V("SECRET_GRACE_PERIOD_RATIO", "Renew when this share of the lifetime is left.")
    ] = 0.5
    secret_grace_jitter: Annotated[
        float, _V("SECRET_GRACE_PERIOD_RATIO_JITTER", "Spread of that share, to either side.")
    ] = 0.01
    rsa_key_size: Annotated[int, _V("WORKLOAD_RSA_KEY_SIZE", "Bits of RSA keys; at least 2048.")] = 2048
    pkcs8_key: Annotated[bool, _V("PKCS8_KEY", "Encode keys as PKCS#8.")] = False
    ecc_algorithm: Annotated[str, _V("ECC_SIGNATURE_ALGORITHM", "ECDSA selects elliptic curve keys.")] = ""
    ecc_curve: Annotated[str, _V("ECC_CURVE", "P256 or P384.")] = "P256"
    file_debounce_s: Annotated[
        Seconds, _V("FILE_DEBOUNCE_DURATION", "First wait when key and certificate files do not match.")
    ] = Seconds(0.1)
    workload_socket: Annotated[
        str, _V("WORKLOAD_IDENTITY_SOCKET_FILE", "File name of the SDS socket; another than socket: a foreign server.")
    ] = "socket"
    ca_crl: Annotated[bool, _V("PILOT_ENABLE_CA_CRL", "Attach the revocation list if it is mounted.")] = True
    kubernetes_host: Annotated[
        str, _V("KUBERNETES_SERVICE_HOST", "Set in pods: written certificates may then be read by all.")
    ] = ""
    compliance_policy: Annotated[str, _V("COMPLIANCE_POLICY", "fips-140-2, fips-140-3 or pqc.")] = ""

    status_port: Annotated[int, _V("ENVOY_STATUS_PORT", "Envoy's own health port.")] = 15021
    prometheus_port: Annotated[int, _V("ENVOY_PROMETHEUS_PORT", "Envoy's own statistics port.")] = 15090
    secure_metrics_port: Annotated[int, _V("ENVOY_SECURE_METRICS_PORT", "The same behind mutual TLS; 0: none.")] = 0
    secure_merged_metrics_port: Annotated[
        int, _V("ENVOY_SECURE_MERGED_METRICS_PORT", "Merged statistics behind mutual TLS; 0: none.")
    ] = 0
    status_proxy_protocol: Annotated[
        bool, _V("ENVOY_STATUS_PORT_ENABLE_PROXY_PROTOCOL", "Expect PROXY protocol on the health port.")
    ] = False
    merge_envoy_stats: Annotated[
        bool, _V("PILOT_AGENT_MERGE_ENVOY_STATS", "Envoy's statistics are part of the merged scrape.")
    ] = True
    metrics_localhost_only: Annotated[
        bool, _V("METRICS_LOCALHOST_ACCESS_ONLY", "Statistics are told on loopback only.")
    ] = False

    app_probers: Annotated[
        str, _V("ISTIO_KUBE_APP_PROBERS", "The application's probes by path, as JSON; written by the injector.")
    ] = ""
    probe_http2: Annotated[
        bool, _V("ISTIO_ENABLE_HTTP2_PROBING", "HTTPS probes offer HTTP/2 to the application, as kubelet does.")
    ] = True
    probe_keepalive: Annotated[
        bool, _V("ENABLE_PROBE_KEEPALIVE_CONNECTIONS", "Connections to the application are used for several probes.")
    ] = False
    probe_localhost: Annotated[
        bool, _V("REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION", "Probe localhost instead of the pod's address.")
    ] = False
    prometheus_annotations: Annotated[
        str,
        _V("ISTIO_PROMETHEUS_ANNOTATIONS", "Where the application tells its metrics, as JSON; merged with Envoy's."),
    ] = ""

    bind_address: Annotated[
        str,
        _V(
            "PILOT_AGENT_BIND_ADDRESS",
            "Source address of Envoy's and the agent's connections to other machines; one of each IP family, by comma.",
        ),
    ] = ""
    bind_device: Annotated[str, _V("PILOT_AGENT_BIND_DEVICE", "Network interface by which such connections leave.")] = (
        ""
    )

    dns_proxy_addr: Annotated[
        str,
        _V(
            "DNS_PROXY_ADDR",
            "Where the DNS proxy listens, if the proxy has one; port 53 needs root or CAP_NET_BIND_SERVICE.",
        ),
    ] = "localhost:15053"
    dns_forward_parallel: Annotated[
        bool, _V("DNS_FORWARD_PARALLEL", "Ask all name servers of the host at once instead of one after the other.")
    ] = False
    proxy_config_xds: Annotated[
        bool,
        _V("PROXY_CONFIG_XDS_AGENT", "Trust the roots too that the control plane tells (meshConfig.caCertificates)."),
    ] = False
    dns_forward_timeout_s: Annotated[Seconds, _V("DNS_FORWARD_TIMEOUT", "How long each name server has.")] = Seconds(5)

    exit_on_zero_connections: Annotated[
        bool, _V("EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "Drain until no connection is left.")
    ] = False
    minimum_drain_s: Annotated[
        Seconds, _V("MINIMUM_DRAIN_DURATION", "Before connections are counted for the first time.")
    ] = Seconds(5)
    maximum_drain_s: Annotated[
        Seconds, _V("MAXIMUM_DRAIN_DURATION", "Such a drain ends after so long, whatever is still connected.")
    ] = Seconds(86_400)
    envoy_max_restarts: Annotated[
        int,
        _V(
            "ENVOY_MAX_RESTARTS", "Times in a row that an Envoy that crashed is started again; 0: the platform does it."
        ),
    ] = 0
    envoy_hot_restart: Annotated[
        bool,
        _V("ENVOY_HOT_RESTART", "SIGHUP replaces Envoy by its binary as it is then, without losing a connection."),
    ] = False
    skip_deprecated_logs: Annotated[
        bool, _V("ENVOY_SKIP_DEPRECATED_LOGS", "Envoy says nothing about deprecated fields.")
    ] = True
    core_dump: Annotated[bool, _V("ISTIO_ENVOY_ENABLE_CORE_DUMP", "Envoy may write core dumps.")] = False
    dual_stack: Annotated[bool, _V("ISTIO_DUAL_STACK", "Serve both IP families.")] = False
    metadata_discovery: Annotated[
        bool | None, _V("PEER_METADATA_DISCOVERY", "Overrides the default, which follows ISTIO_META_ENABLE_HBONE.")
    ] = None
    strip_fragment: Annotated[
        bool, _V("HTTP_STRIP_FRAGMENT_FROM_PATH_UNSAFE_IF_DISABLED", "False keeps fragments in paths.")
    ] = True


def variables() -> tuple[tuple[str, Variable, type, Any], ...]:
    """Field, variable, type and default of each, in order; the reference page is made of it."""
    hints = get_type_hints(Environment, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Environment):
        kind, variable = hints[field.name].__args__[0], hints[field.name].__metadata__[0]
        rows.append((field.name, variable, kind, field.default))
    return tuple(rows)


def _boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("want true or false")


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError("want no negative duration")
    return seconds


_READERS: Final[Mapping[Any, Callable[[str], Any]]] = {
    str: str,
    int: int,
    float: float,
    bool: _boolean,
    Seconds: _seconds,
    bool | None: _boolean,
}


def read_environment(environ: Mapping[str, str]) -> tuple[Environment, tuple[str, ...]]:
    """The typed environment, and a warning for each value that could not be read."""
    values: dict[str, Any] = {}
    warnings = []
    for field, variable, kind, default in variables():
        text = environ.get(variable.name)
        if text is None or (text == "" and kind is not str):
            continue
        try:
            values[field] = _READERS[kind](text)
        except ValueError as error:
            warnings.append(f"{variable.name}={text!r} is ignored ({error}); taking {default!r}")
    return Environment(**values), tuple(warnings)
