"""The bootstrap of applications that speak xDS themselves, through the agent's socket, instead of having an Envoy.

Spec: https://github.com/grpc/proposal/blob/master/A27-xds-global-load-balancing.md#xdsclient-and-bootstrap-file
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Final

from agent.bootstrap.node import Node

__all__ = ["build_grpc_bootstrap", "grpc_certificate_files"]

_REFRESH: Final = "900s"


def build_grpc_bootstrap(node: Node, *, xds_socket: PurePath, output_certs: PurePath | None) -> dict[str, Any]:
    """The document.

    Args:
        node: as Envoy would tell it.
        xds_socket: absolute path of the agent's socket.
        output_certs: absolute path of where issued certificates are written; without it there is no mutual TLS.
    """
    document: dict[str, Any] = {
        "xds_servers": [
            {
                "server_uri": f"unix://{xds_socket}",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {
            "id": node.id,
            "metadata": {**node.metadata, "GENERATOR": "grpc"},
            "locality": dict(node.locality),
        },
        "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s",
    }
    if output_certs is not None:
        chain, key, root = grpc_certificate_files(output_certs)
        config = {
            "certificate_file": str(chain),
            "private_key_file": str(key),
            "ca_certificate_file": str(root),
            "refresh_interval": _REFRESH,
        }
        document["certificate_providers"] = {"default": {"plugin_name": "file_watcher", "config": config}}
    return document


def grpc_certificate_files(directory: PurePath) -> tuple[PurePath, PurePath, PurePath]:
    """Chain, key and roots that such an application waits for."""
    return directory / "cert-chain.pem", directory / "key.pem", directory / "root-cert.pem"
