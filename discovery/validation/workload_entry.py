"""Rules of WorkloadEntry, also as an endpoint of a ServiceEntry."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.proto_json import Problem
from discovery.schema.workload_entry import WorkloadEntry
from discovery.validation.fields import check_port, error

__all__ = ["check_workload_entry"]


def check_workload_entry(spec: WorkloadEntry, at: str = "spec") -> Iterator[Problem]:
    """What is wrong with the workload."""
    if not spec.address and not spec.network:
        yield error(f"{at}.address", "want an address, got none", "only a workload on another network may lack one")
    if spec.address.startswith("unix://"):
        if not spec.address.startswith("unix:///"):
            yield error(f"{at}.address", f"want the absolute path of a socket, got {spec.address!r}")
        if spec.ports:
            yield error(f"{at}.ports", "a Unix socket has no ports", "remove the ports")
    for name, port in spec.ports.items():
        yield from check_port(port, f"{at}.ports[{name!r}]")
