"""Rules of Sidecar."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.proto_json import Problem
from discovery.schema.server_tls import ServerTLSMode, ServerTLSSettings
from discovery.schema.sidecar import (
    CaptureMode,
    IstioEgressListener,
    IstioIngressListener,
    OutboundTrafficPolicy,
    OutboundTrafficPolicyMode,
    Sidecar,
)
from discovery.validation.fields import check_address, check_host, check_port, check_selector, error, is_label, warning
from discovery.validation.http_route import check_destination
from discovery.validation.protocols import TLS_PROTOCOLS

__all__ = ["check_sidecar"]

_OWN_ADDRESSES = ("127.0.0.1:", "0.0.0.0:", "[::1]:", "[::]:")


def check_sidecar(spec: Sidecar) -> Iterator[Problem]:
    """What is wrong with the scope."""
    yield from check_selector(spec.workload_selector, "spec.workloadSelector")
    if spec.workload_selector is not None and not spec.workload_selector.wanted:
        yield warning("spec.workloadSelector", "is empty, so the object is for the whole namespace", "remove it")
    policy = spec.outbound_traffic_policy
    nothing = not spec.ingress and not spec.egress and policy is None
    if nothing and spec.workload_selector is None and spec.inbound_connection_pool is None:
        yield error("spec", "want ingress, egress or outboundTrafficPolicy, got none")
    if policy is not None:
        yield from _outbound(policy, "spec.outboundTrafficPolicy")
    ports: set[int] = set()
    for i, ingress in enumerate(spec.ingress):
        yield from _ingress(ingress, f"spec.ingress[{i}]", ports)
    numbers: set[int] = set()
    for i, egress in enumerate(spec.egress):
        at = f"spec.egress[{i}]"
        if egress.port is None and i < len(spec.egress) - 1:
            yield error(at, "a listener without port takes all traffic, so it must be the last", "move it to the end")
        if egress.port is not None and egress.port.number:
            if egress.port.number in numbers:
                yield error(f"{at}.port.number", f"port {egress.port.number} is there twice", "join the listeners")
            numbers.add(egress.port.number)
        yield from _egress(egress, at)


def _ingress(ingress: IstioIngressListener, at: str, ports: set[int]) -> Iterator[Problem]:
    if ingress.port is None:
        yield error(f"{at}.port", "want a port, got none")
    else:
        yield from check_port(ingress.port.number, f"{at}.port.number")
        if ingress.port.number in ports:
            yield error(f"{at}.port.number", f"port {ingress.port.number} is there twice", "remove one of them")
        ports.add(ingress.port.number)
    if ingress.bind:
        yield from check_address(ingress.bind, f"{at}.bind")
    if ingress.tls is not None:
        yield from _ingress_tls(ingress, ingress.tls, f"{at}.tls")
    yield from _default_endpoint(ingress.default_endpoint, f"{at}.defaultEndpoint")


def _ingress_tls(ingress: IstioIngressListener, tls: ServerTLSSettings, at: str) -> Iterator[Problem]:
    protocol = ingress.port.protocol.upper() if ingress.port is not None else ""
    if protocol not in TLS_PROTOCOLS:
        yield error(at, f"does not go with protocol {protocol or '(none)'}", "use protocol HTTPS or TLS")
    if tls.mode in (ServerTLSMode.ISTIO_MUTUAL, ServerTLSMode.AUTO_PASSTHROUGH):
        yield error(f"{at}.mode", f"{tls.mode} is not possible in a sidecar", "use SIMPLE, MUTUAL or OPTIONAL_MUTUAL")
    for name, there in (
        ("httpsRedirect", tls.https_redirect),
        ("credentialName", tls.credential_name),
        ("credentialNames", tls.credential_names),
        ("tlsCertificates", tls.tls_certificates),
        ("subjectAltNames", tls.subject_alt_names),
    ):
        if there:
            yield error(f"{at}.{name}", "is not possible in a sidecar", "use files of the proxy")


def _outbound(policy: OutboundTrafficPolicy, at: str) -> Iterator[Problem]:
    if policy.mode is OutboundTrafficPolicyMode.ALLOW_ANY_DYNAMIC_DNS:
        yield error(f"{at}.mode", f"{policy.mode} is a setting of the mesh, not of a sidecar", "use ALLOW_ANY")
    if policy.egress_proxy is not None:
        if policy.mode is not OutboundTrafficPolicyMode.ALLOW_ANY:
            yield error(f"{at}.egressProxy", f"does not go with mode {policy.mode}", "it is for mode ALLOW_ANY")
        yield from check_destination(policy.egress_proxy, f"{at}.egressProxy")


def _default_endpoint(endpoint: str, at: str) -> Iterator[Problem]:
    if not endpoint or endpoint.startswith("unix://"):
        return
    if not endpoint.startswith(_OWN_ADDRESSES):
        want = "want 127.0.0.1, 0.0.0.0, [::1] or [::] with a port, or unix:///path"
        yield error(at, f"{want}, got {endpoint!r}")
        return
    port = endpoint.rpartition(":")[2]
    if not port.isdecimal():
        yield error(at, f"want a port at the end, got {endpoint!r}")
        return
    yield from check_port(int(port), at)


def _egress(egress: IstioEgressListener, at: str) -> Iterator[Problem]:
    if not egress.hosts:
        yield error(f"{at}.hosts", "want at least one host, got none", '"*/*" is all of them')
    if len(set(egress.hosts)) < len(egress.hosts):
        yield warning(f"{at}.hosts", "the same host is there twice")
    if "*/*" in egress.hosts and len(egress.hosts) > 1:
        yield warning(f"{at}.hosts", "'*/*' has all the other hosts in it")
    for i, host in enumerate(egress.hosts):
        namespace, slash, name = host.partition("/")
        if not slash or not (namespace in ("*", ".", "~") or is_label(namespace)):
            yield error(f"{at}.hosts[{i}]", f"want namespace/host, got {host!r}", "'./' is the own namespace")
            continue
        yield from check_host(name, f"{at}.hosts[{i}]")
    if egress.port is not None and egress.port.number:
        yield from check_port(egress.port.number, f"{at}.port.number")
        if egress.bind:
            yield from check_address(egress.bind, f"{at}.bind")
    unix = egress.bind.startswith("unix://")
    if egress.port is not None and not egress.port.number and not unix:
        yield error(f"{at}.port.number", "want a port from 1 to 65535, got 0", "only a unix:// bind has none")
    if unix and egress.capture_mode is CaptureMode.IPTABLES:
        yield error(f"{at}.captureMode", "nothing is redirected to a Unix socket", "use DEFAULT or NONE")
