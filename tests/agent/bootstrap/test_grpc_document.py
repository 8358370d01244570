"""The bootstrap of applications that speak xDS themselves."""

from __future__ import annotations

from pathlib import PurePosixPath

from agent.bootstrap.grpc_document import build_grpc_bootstrap
from agent.bootstrap.node import Node

NODE = Node(id="sidecar~10.0.0.1~a.b~c", cluster="x", locality={"region": "r"}, metadata={"NAMESPACE": "b"})


def test_document() -> None:
    """In the shape that gRPC's libraries read; certificates only where some are written."""
    socket = PurePosixPath("/etc/istio/proxy/XDS")
    plain = build_grpc_bootstrap(NODE, xds_socket=socket, output_certs=None)
    assert plain == {
        "xds_servers": [
            {
                "server_uri": "unix:///etc/istio/proxy/XDS",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {
            "id": "sidecar~10.0.0.1~a.b~c",
            "metadata": {"NAMESPACE": "b", "GENERATOR": "grpc"},
            "locality": {"region": "r"},
        },
        "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s",
    }
    secure = build_grpc_bootstrap(NODE, xds_socket=socket, output_certs=PurePosixPath("/certs"))
    assert secure.pop("certificate_providers") == {
        "default": {
            "plugin_name": "file_watcher",
            "config": {
                "certificate_file": "/certs/cert-chain.pem",
                "private_key_file": "/certs/key.pem",
                "ca_certificate_file": "/certs/root-cert.pem",
                "refresh_interval": "900s",
            },
        }
    }
    assert secure == plain
