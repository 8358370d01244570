"""Rules of WorkloadEntry, also as an endpoint of a ServiceEntry and as the template of a WorkloadGroup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.schema.workload_entry import WorkloadEntry
from discovery.validation.fields import check_host, check_labels, check_port, error

__all__ = ["check_workload", "check_workload_entry"]

_SOCKET: Final = "unix://"
_PORT_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,60}[a-zA-Z0-9])?\Z")


def check_workload_entry(spec: WorkloadEntry, at: str = "spec") -> Iterator[Problem]:
    """What is wrong with a workload that is somewhere."""
    if not spec.address and not spec.network:
        yield error(f"{at}.address", "want an address, got none", "only a workload on another network may lack one")
    yield from check_workload(spec, at)


def check_workload(spec: WorkloadEntry, at: str) -> Iterator[Problem]:
    """What is wrong with the rest, which a template has too."""
    path = spec.address.removeprefix(_SOCKET)
    if spec.address.startswith(_SOCKET):
        if not path.startswith(("/", "@")) or path.endswith("/"):
            yield error(f"{at}.address", f"want unix:///path or unix://@name, got {spec.address!r}")
        if spec.ports:
            yield error(f"{at}.ports", "a Unix socket has no ports", "remove the ports")
    elif spec.address:
        yield from check_host(spec.address, f"{at}.address", wildcard=False)
    yield from check_labels(spec.labels, f"{at}.labels")
    for name, port in spec.ports.items():
        if not _PORT_NAME.match(name):
            yield error(f"{at}.ports[{name!r}]", f"want the name of a port, got {name!r}")
        yield from check_port(port, f"{at}.ports[{name!r}]")
