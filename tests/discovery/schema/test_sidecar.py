from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.server_tls import ServerTLSMode
from discovery.schema.sidecar import CaptureMode, OutboundTrafficPolicyMode, Sidecar
from tests.kit.manifests import istio


def test_listeners_and_scope() -> None:
    """Ingress and egress listeners, and what happens to unknown traffic."""
    sidecar = istio(
        Kind.SIDECAR,
        """
        workloadSelector: {labels: {app: web}}
        ingress: [{port: {number: 80, protocol: HTTP, name: h}, defaultEndpoint: "127.0.0.1:8080", tls: {mode: SIMPLE}}]
        egress: [{port: {number: 81, protocol: HTTP, name: e}, bind: 127.0.0.1, captureMode: NONE, hosts: ["./*"]}]
        outboundTrafficPolicy: {mode: REGISTRY_ONLY}
        """,
    ).spec
    assert isinstance(sidecar, Sidecar)
    assert sidecar.workload_selector is not None
    assert sidecar.workload_selector.wanted == {"app": "web"}
    assert sidecar.ingress[0].tls is not None
    assert sidecar.ingress[0].tls.mode is ServerTLSMode.SIMPLE
    assert sidecar.egress[0].capture_mode is CaptureMode.NONE
    assert sidecar.outbound_traffic_policy is not None
    assert sidecar.outbound_traffic_policy.mode is OutboundTrafficPolicyMode.REGISTRY_ONLY
