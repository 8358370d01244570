from __future__ import annotations

import pytest

from discovery.registry.service import Port, Protocol
from discovery.registry.target_ports import container_port, declared_target, entry_port
from discovery.schema.kubernetes import ContainerPort, Pod, PodContainer, PodSpec, Service, ServicePort, ServiceSpec
from discovery.schema.service_entry import ServiceEntry
from discovery.schema.workload_entry import WorkloadEntry

HTTP = Port("http", 80, Protocol.HTTP)
POD = Pod(spec=PodSpec(containers=(PodContainer(ports=(ContainerPort(name="api", container_port=9090),)),)))


@pytest.mark.parametrize(("written", "target"), [(8080, 8080), ("8080", 8080), ("api", "api"), (None, None)])
def test_target_of_a_kubernetes_service(written: int | str | None, target: int | str | None) -> None:
    """A number, also in quotes, or a name."""
    ports = (ServicePort(name="grpc", port=81, target_port=1), ServicePort(name="http", port=80, target_port=written))
    assert declared_target(Service(spec=ServiceSpec(ports=ports)), HTTP) == target


def test_target_of_a_service_entry() -> None:
    """The port carries it itself."""
    assert declared_target(ServiceEntry(), Port("http", 80, Protocol.HTTP, 8080)) == 8080
    assert declared_target(ServiceEntry(), HTTP) is None


@pytest.mark.parametrize(("target", "port"), [(None, 80), (8080, 8080), ("api", 9090), ("nope", 0)])
def test_port_of_a_pod(target: int | str | None, port: int) -> None:
    """Named ports are looked for in the containers."""
    assert container_port(POD, target, 80) == port


@pytest.mark.parametrize(
    ("ports", "target", "port"),
    [({}, None, 80), ({}, 8080, 8080), ({"http": 7}, 8080, 7), ({"api": 9}, "api", 9), ({}, "api", 0)],
)
def test_port_of_a_workload_entry(ports: dict[str, int], target: int | str | None, port: int) -> None:
    """Its own map by service port name wins, then the target by name or number, then the service port."""
    assert entry_port(WorkloadEntry(address="10.0.0.1", ports=ports), target, HTTP) == port


def test_unix_sockets_have_no_port() -> None:
    """The path is the whole address."""
    assert entry_port(WorkloadEntry(address="unix:///run/x", ports={"http": 7}), None, HTTP) == 0
