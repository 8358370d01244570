"""WorkloadGroup: what workloads of one kind outside Kubernetes have in common; the pattern of their WorkloadEntries.

Spec: https://istio.io/latest/docs/reference/config/networking/workload-group/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

from discovery.schema.message import Message, NonEmpty, UInt32
from discovery.schema.workload_entry import WorkloadEntry

__all__ = [
    "ExecProbe",
    "GrpcProbe",
    "HttpHeader",
    "HttpProbe",
    "ReadinessProbe",
    "TcpProbe",
    "WorkloadGroup",
    "WorkloadMetadata",
]


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class HttpHeader(Message, frozen=True, kw_only=True):
    """A header of the probe's request."""

    name: Annotated[str, msgspec.Meta(pattern="^[-_A-Za-z0-9]+$")] = ""
    value: str = ""


class HttpProbe(Message, frozen=True, kw_only=True):
    """Healthy when the answer's status is 200 to 399."""

    required = ("port",)

    path: str = ""
    port: UInt32 = 0
    host: str = ""
    scheme: str = ""
    http_headers: tuple[HttpHeader, ...] = ()


class TcpProbe(Message, frozen=True, kw_only=True):
    """Healthy when a connection is accepted."""

    required = ("port",)

    host: str = ""
    port: UInt32 = 0


class ExecProbe(Message, frozen=True, kw_only=True):
    """Healthy when the command ends with status 0; no shell is involved."""

    required = ("command",)

    command: tuple[NonEmpty, ...] = ()


class GrpcProbe(Message, frozen=True, kw_only=True):
    """Healthy when the gRPC health service says SERVING."""

    port: UInt32 = 0
    service: str = ""


class ReadinessProbe(Message, frozen=True, kw_only=True):
    """How the agent finds out whether the application can serve; 0 stands for the default of a time or threshold."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("http_get", "tcp_socket", "exec", "grpc"),)

    initial_delay_seconds: _Count = 0
    timeout_seconds: _Count = 0
    period_seconds: _Count = 0
    success_threshold: _Count = 0
    failure_threshold: _Count = 0
    http_get: HttpProbe | None = None
    tcp_socket: TcpProbe | None = None
    exec: ExecProbe | None = None
    grpc: GrpcProbe | None = None


class WorkloadMetadata(Message, frozen=True, kw_only=True):
    """Metadata for each workload of the group."""

    labels: Annotated[Mapping[str, str], msgspec.Meta(max_length=256)] = {}
    annotations: Annotated[Mapping[str, str], msgspec.Meta(max_length=256)] = {}


class WorkloadGroup(Message, frozen=True, kw_only=True):
    """A group of workloads; the template has everything but the address."""

    metadata: WorkloadMetadata | None = None
    template: WorkloadEntry | None = None
    probe: ReadinessProbe | None = None
