from __future__ import annotations

from datetime import timedelta

from discovery.schema.mesh_config import IngressControllerMode, MeshConfig
from discovery.schema.sidecar import OutboundTrafficPolicy, OutboundTrafficPolicyMode


def test_defaults_are_istios() -> None:
    """The defaults that every other default rests on."""
    mesh = MeshConfig()
    assert (mesh.proxy_listen_port, mesh.proxy_inbound_listen_port, mesh.proxy_http_port) == (15001, 15006, 0)
    assert mesh.connect_timeout == timedelta(seconds=10)
    assert mesh.protocol_detection_timeout == timedelta(0)
    assert mesh.outbound_traffic_policy.mode is OutboundTrafficPolicyMode.ALLOW_ANY
    assert mesh.ingress_controller_mode is IngressControllerMode.STRICT
    assert mesh.enable_auto_mtls
    assert (mesh.trust_domain, mesh.root_namespace) == ("cluster.local", "istio-system")
    assert mesh.default_service_export_to == mesh.default_destination_rule_export_to == ("*",)
    assert mesh.locality_lb_setting.enabled


def test_policy_written_without_mode_is_not_the_mesh_default() -> None:
    """The proto's own default of the mode is REGISTRY_ONLY; only the mesh's is ALLOW_ANY."""
    assert OutboundTrafficPolicy().mode is OutboundTrafficPolicyMode.REGISTRY_ONLY
