"""The files that go to a virtual machine, as bytes. Pure; the command writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.proxy_config import build_proxy_config, discovery_host
from discovery.ctl.vm.request import DEFAULT_REVISION, VmRequest, check_request
from discovery.schema.yaml_writing import render_yaml
from discovery.wire.ports import DISCOVERY_SECURE_GRPC

__all__ = ["TOKEN_FILE", "build_files", "render_environment"]

TOKEN_FILE: Final = "istio-token"  # noqa: S105 - a name

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NOT_CAPTURED: Final = "22,15090,15021,15020"  # ssh, and what the agent and its Envoy serve themselves


def build_files(request: VmRequest) -> dict[str, bytes]:
    """Content by file name: ``cluster.env``, ``mesh.yaml``, ``hosts``, ``istio-token``, ``root-cert.pem``.

    Raises:
        CtlError: the request, the mesh configuration or the group is not fit for it.
    """
    check_request(request)
    config = build_proxy_config(request)
    environment = {**_environment(request), **config["proxyMetadata"]}
    hosts = f"{request.ingress_ip} {discovery_host(request)}\n" if request.ingress_ip else ""
    return {
        "cluster.env": render_environment(environment).encode(),
        "mesh.yaml": render_yaml({"defaultConfig": config}, sort_keys=True).encode(),
        "hosts": hosts.encode(),
        TOKEN_FILE: request.token.encode(),
        "root-cert.pem": request.root_cert,
    }


def _environment(request: VmRequest) -> dict[str, str]:
    ports = request.template.ports
    variables: dict[str, str] = {
        "ISTIO_INBOUND_PORTS": ",".join(str(port) for port in sorted(set(ports.values()))) or "*",
        "ISTIO_NAMESPACE": request.namespace,
        "ISTIO_SERVICE": f"{request.name}.{request.namespace}",
        "ISTIO_SERVICE_CIDR": "*",
        "ISTIO_LOCAL_EXCLUDE_PORTS": _NOT_CAPTURED,
        "SERVICE_ACCOUNT": request.service_account,
    }
    if request.revision and request.revision != DEFAULT_REVISION:
        variables["CA_ADDR"] = f"{discovery_host(request)}:{DISCOVERY_SECURE_GRPC}"
    if request.internal_ip:
        variables["ISTIO_SVC_IP"] = request.internal_ip
    elif request.external_ip:
        variables["ISTIO_SVC_IP"] = request.external_ip
        variables["REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION"] = "true"  # the machine itself may not have the address
    return variables


def render_environment(variables: Mapping[str, Any]) -> str:
    """Sorted lines ``NAME='value'`` for a shell, in which a value can hold any character.

    Raises:
        CtlError: a name is none, so the file would run as a command.
    """
    wrong = sorted(name for name in variables if not _NAME.match(name))
    if wrong:
        names = ", ".join(map(repr, wrong))
        raise CtlError(f"proxyMetadata: {names} cannot be an environment variable; want letters, digits and _")
    quoted = {name: str(value).replace("'", "'\\''") for name, value in variables.items()}
    return "".join(f"{name}='{quoted[name]}'\n" for name in sorted(quoted))
