"""Rules of WorkloadGroup: the pattern of workloads, and the check of their health."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.proto_json import Problem
from discovery.schema.workload_group import ReadinessProbe, WorkloadGroup
from discovery.validation.fields import check_port, error
from discovery.validation.workload_entry import check_workload

__all__ = ["check_workload_group"]


def check_workload_group(spec: WorkloadGroup) -> Iterator[Problem]:
    """What is wrong with the group."""
    if spec.template is None:
        yield error("spec.template", "want the pattern of the workloads, got none", "template: {} has all defaults")
    else:
        yield from check_workload(spec.template, "spec.template")
    if spec.probe is not None:
        yield from _probe(spec.probe, "spec.probe")


def _probe(probe: ReadinessProbe, at: str) -> Iterator[Problem]:
    if probe.http_get is None and probe.tcp_socket is None and probe.grpc is None and probe.exec is None:
        yield error(at, "want httpGet, tcpSocket, grpc or exec, got none", "remove the probe")
    for name, checked in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket), ("grpc", probe.grpc)):
        if checked is not None:
            yield from check_port(checked.port, f"{at}.{name}.port")
    if probe.http_get is not None and probe.http_get.scheme not in ("", "HTTP", "HTTPS"):
        yield error(f"{at}.httpGet.scheme", f"want HTTP or HTTPS, got {probe.http_get.scheme!r}")
    if probe.exec is not None and not probe.exec.command:
        yield error(f"{at}.exec.command", "want a command, got none")
