"""Who runs where: addresses, ports, command lines and environments of the demo. Pure.

What the workloads are is read from the YAML that the control plane reads too. Each has a loopback address of its own,
so they may all use the same ports there; only the ports that an agent and its Envoy open beside the mesh's differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from discovery.schema.yaml_text import parse_yaml, split_documents

__all__ = [
    "APP_PORT",
    "BLOCKS",
    "CLIENT",
    "MESH_PORT",
    "SERVICE_PORT",
    "AgentPorts",
    "Block",
    "Variant",
    "Workload",
    "agent_argv",
    "agent_environment",
    "app_argv",
    "discovery_argv",
    "discovery_environment",
    "pod_labels",
    "read_workloads",
]

SERVICE_PORT: Final = 9080  # of every service, and of the sidecars' listeners for their own applications
MESH_PORT: Final = 9443  # of the sidecars' listeners for the mesh
APP_PORT: Final = 8080
CLIENT: Final = "client"
BLOCKS: Final = 20

_WRITTEN_PREFIX: Final = "127.0.10."
_ISTIOD: Final = "istiod.istio-system.svc"  # a name in the control plane's certificate

# Which services an application asks; the only thing that the YAML does not know.
_CALLS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("productpage", "v1"): ("details", "reviews"),
    ("reviews", "v2"): ("ratings",),
    ("reviews", "v3"): ("ratings",),
}


class Variant(StrEnum):
    """How configuration travels."""

    DELTA = "delta"  # only differences, virtual hosts one by one
    DELTA_RDS = "delta-rds"  # only differences, but a route configuration in one piece
    SOTW = "sotw"  # whole states


class AgentPorts(NamedTuple):
    """Ports that one agent and its Envoy open on the host."""

    status: int
    admin: int
    envoy_status: int
    prometheus: int


class Block(NamedTuple):
    """Addresses and ports of one running demo; several can run at the same time."""

    number: int = 0

    @property
    def prefix(self) -> str:
        """What all its addresses begin with."""
        return f"127.0.{10 + self.number}."

    @property
    def control_plane(self) -> str:
        """The address of ``pilot-discovery``, on which it has its usual ports."""
        return self.prefix + "1"

    def relocate(self, text: str) -> str:
        """The example's YAML with the addresses of this block."""
        return text.replace(_WRITTEN_PREFIX, self.prefix)

    def agent_ports(self, workload: int) -> AgentPorts:
        """Ports of the agent of that workload, counted from 0; below the range that systems give away by themselves."""
        first = 20000 + 100 * self.number + 4 * workload
        return AgentPorts(first, first + 1, first + 2, first + 3)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One WorkloadEntry."""

    name: str
    namespace: str
    address: str
    labels: Mapping[str, str]
    service_account: str

    @property
    def app(self) -> str:
        """Which service it belongs to."""
        return self.labels["app"]

    @property
    def version(self) -> str:
        """Which version of it."""
        return self.labels["version"]

    @property
    def identity(self) -> str:
        """The SPIFFE id that its certificate must carry."""
        return f"spiffe://cluster.local/ns/{self.namespace}/sa/{self.service_account}"


def read_workloads(text: str) -> tuple[Workload, ...]:
    """The WorkloadEntries of YAML text, in order."""
    found = []
    for piece in split_documents(text):
        document: Any = parse_yaml(piece.text)
        if isinstance(document, dict) and document.get("kind") == "WorkloadEntry":
            meta, spec = document["metadata"], document["spec"]
            found.append(
                Workload(
                    name=meta["name"],
                    namespace=meta["namespace"],
                    address=spec["address"],
                    labels=spec["labels"],
                    service_account=spec["serviceAccount"],
                )
            )
    return tuple(found)


# -- command lines and environments ------------------------------------------------------------------------------------


def discovery_argv(block: Block, program: str, *, mesh: Path, config: Path, state: Path) -> tuple[str, ...]:
    """``pilot-discovery`` on a directory of YAML; ``state`` holds its authority and the issuer of tokens."""
    address = block.control_plane
    return (
        program,
        "discovery",
        "--registries=",
        f"--configDir={config}",
        f"--meshConfig={mesh}",
        f"--caDir={state / 'ca'}",
        f"--devTokenDir={state / 'tokens'}",
        "--grpcAddr=",  # nobody here talks to it in plaintext
        f"--secureGRPCAddr={address}:15012",
        f"--httpAddr={address}:8080",
        f"--monitoringAddr={address}:15014",
        "--shutdownDuration=1s",
    )


def discovery_environment(variant: Variant) -> dict[str, str]:
    """What ``pilot-discovery`` is told besides its flags."""
    return {"PILOT_ENABLE_VHDS": "true" if variant is Variant.DELTA else "false"}


def agent_argv(program: str) -> tuple[str, ...]:
    """``pilot-agent`` beside a workload; the rest is in its environment."""
    return program, "proxy", "sidecar", "--concurrency=1"


def agent_environment(
    block: Block, workload: Workload, ports: AgentPorts, *, variant: Variant = Variant.DELTA
) -> dict[str, str]:
    """What an injector would set for a pod, and other ports, as many agents share this host."""
    proxy_config = {
        "discoveryAddress": f"{block.control_plane}:15012",
        "statusPort": ports.status,
        "proxyAdminPort": ports.admin,
        "terminationDrainDuration": "0s",
        # By default Envoy counts this for listeners and clusters only; the demo looks at all types.
        "proxyStatsMatcher": {"inclusionSuffixes": ["update_rejected"]},
    }
    return {
        "POD_NAME": workload.name,
        "POD_NAMESPACE": workload.namespace,
        "SERVICE_ACCOUNT": workload.service_account,
        "INSTANCE_IP": workload.address,
        "PROXY_CONFIG": json.dumps(proxy_config),
        "ISTIOD_SAN": _ISTIOD,
        "ISTIO_DELTA_XDS": "false" if variant is Variant.SOTW else "true",
        "ENVOY_STATUS_PORT": str(ports.envoy_status),
        "ENVOY_PROMETHEUS_PORT": str(ports.prometheus),
        "ECC_SIGNATURE_ALGORITHM": "ECDSA",  # keys that are quick to make
        "ISTIO_META_CLUSTER_ID": "Kubernetes",
        "ISTIO_META_INTERCEPTION_MODE": "NONE",
    }


def pod_labels(workload: Workload) -> str:
    """The labels file that a kubelet would mount."""
    return "".join(f"{key}={json.dumps(value)}\n" for key, value in sorted(workload.labels.items()))


def app_argv(python: str, workload: Workload) -> tuple[str, ...]:
    """The application of a workload: it serves its own address and calls through its own address."""
    calls = _CALLS.get((workload.app, workload.version), ())
    return (
        python,
        "-m",
        "examples.apps.bookinfo",
        f"--name={workload.app}",
        f"--version={workload.version}",
        f"--listen={workload.address}:{APP_PORT}",
        f"--through={workload.address}:{SERVICE_PORT}",
        *(f"--call={service}:{SERVICE_PORT}" for service in calls),
    )
