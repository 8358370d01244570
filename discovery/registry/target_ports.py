"""The port on which a workload serves a service port: the one rule for clients (endpoints) and servers (listeners)."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.registry.service import Port
from discovery.schema import kubernetes
from discovery.schema.workload_entry import WorkloadEntry

__all__ = ["container_port", "declared_target", "entry_port"]


def declared_target(declaring: object, port: Port) -> int | str | None:
    """The target port that a Service or ServiceEntry states for one of its ports: a number, a name, or None.

    ``declaring``: the ``spec`` of the object that declares the service.
    """
    if isinstance(declaring, kubernetes.Service):
        written = next((p for p in declaring.spec.ports if (p.port, p.name) == (port.number, port.name)), None)
        target = written.target_port if written else None
        return int(target) if isinstance(target, str) and target.isdecimal() else target or None
    return port.target_port or None


def container_port(pod: kubernetes.Pod, target: int | str | None, number: int) -> int:
    """The port of a Pod; 0 where it has no container port of the name asked for."""
    if not isinstance(target, str):
        return target or number
    ports = (port for container in pod.spec.containers for port in container.ports)
    return next((port.container_port for port in ports if port.name == target), 0)


def entry_port(entry: WorkloadEntry, target: int | str | None, port: Port) -> int:
    """The port of a WorkloadEntry: its own ``ports`` by the service port's name or the target's, else the target.

    0 where the target is a name that the entry does not have, and for Unix sockets.
    """
    ports: Mapping[str, int] = entry.ports
    if entry.address.startswith("unix://"):
        return 0
    if port.name in ports:
        return ports[port.name]
    if isinstance(target, str):
        return ports.get(target, 0)
    return target or port.number
