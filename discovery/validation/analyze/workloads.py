"""Deployments, Pods and Services: users, ports and names that do not go with a proxy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Final

from discovery.validation.analyze.injection import in_mesh, refuses_proxy
from discovery.validation.analyze.kubernetes import ServicePort
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import SYSTEM_NAMESPACES, Workload, World, selects
from discovery.validation.protocols import is_protocol

__all__ = ["port_names", "service_associations", "user_ids"]

_PROXY_UID: Final = 1337
_PROXY: Final = "istio-proxy"
_MANAGED: Final = "gateway.istio.io/managed"
_APP_PROTOCOLS: Final = frozenset({"kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"})
_SERVER_FIRST_PORTS: Final = frozenset({25, 53, 3306, 27017})  # taken for TCP whatever their name


def user_ids(world: World) -> Iterator[Message]:
    """The proxy's user is the proxy's alone: its traffic is not captured."""
    for workload in (*world.pods(), *world.deployments()):
        if refuses_proxy(workload):
            continue
        spec = workload.spec
        applications = [container for container in spec.containers if container.name != _PROXY]
        contexts = [container.security_context for container in applications]
        if applications:
            contexts.append(spec.security_context)
        if any(context is not None and context.run_as_user == _PROXY_UID for context in contexts):
            text = f"the application runs as user {_PROXY_UID}, so its traffic goes past the proxy"
            yield about(Code.INVALID_APPLICATION_UID, workload.resource, text, "choose another runAsUser")


def service_associations(world: World) -> Iterator[Message]:
    """Services in front of the same pods agree on what each port is."""
    for workload in world.deployments():
        if _MANAGED in workload.resource.labels or not in_mesh(world, workload):
            continue
        by_port: defaultdict[Hashable, dict[str, str]] = defaultdict(dict)  # service port -> protocol -> service
        by_target: defaultdict[Hashable, dict[int, str]] = defaultdict(dict)  # target port -> service port -> service
        for service, port in _ports(world, workload):
            by_port[port.port].setdefault(port.protocol, service.name)
            by_target[port.target_port or port.port].setdefault(port.port, service.name)
        for number, protocols in by_port.items():
            if len(protocols) > 1:
                told = ", ".join(f"{name} ({protocol})" for protocol, name in protocols.items())
                text = f"port {number} has several protocols in its Services: {told}"
                code = Code.DEPLOYMENT_ASSOCIATED_TO_MULTIPLE_SERVICES
                yield about(code, workload.resource, text, "give the Services different ports, or one protocol")
        for target, numbers in by_target.items():
            if len(numbers) > 1:
                told = ", ".join(f"{name} ({number})" for number, name in numbers.items())
                text = f"target port {target} has several ports in its Services: {told}"
                yield about(Code.DEPLOYMENT_CONFLICTING_PORTS, workload.resource, text, "give them one port")


def _ports(world: World, workload: Workload) -> Iterator[tuple[Resource, ServicePort]]:
    for service in world.of("Service"):
        selector = service.spec.spec.selector
        if service.namespace == workload.resource.namespace and selector and selects(selector, workload.labels):
            yield from ((service, port) for port in service.spec.spec.ports)


def port_names(world: World) -> Iterator[Message]:
    """The names of ports tell their protocols."""
    for service in world.of("Service"):
        if service.namespace in SYSTEM_NAMESPACES:
            continue
        external = service.spec.spec.type == "ExternalName"
        for port in service.spec.spec.ports:
            if external and (port.name == "tcp" or not _tells_protocol(port)):
                text = (
                    f"port {port.port} of an ExternalName has the name {port.name!r}, which may take traffic of others"
                )
                code = Code.EXTERNAL_NAME_SERVICE_TYPE_INVALID_PORT_NAME
                yield about(code, service, text, "name it after its protocol: http, https, tls")
            elif not external and not _tells_protocol(port):
                text = f"port {port.port} has the name {port.name!r}, which tells no protocol; it is sniffed"
                yield about(
                    Code.PORT_NAME_IS_NOT_UNDER_NAMING_CONVENTION,
                    service,
                    text,
                    "write protocol-suffix, or appProtocol",
                )


def _tells_protocol(port: ServicePort) -> bool:
    if port.protocol == "UDP":
        return True
    told = port.app_protocol or port.name
    if told in _APP_PROTOCOLS or told.lower().startswith("grpc-web"):
        return True
    return is_protocol(told.partition("-")[0]) or port.port in _SERVER_FIRST_PORTS
