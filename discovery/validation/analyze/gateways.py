"""Gateways: the pods and Services that carry them, their certificates, and each other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from discovery.schema.gateway import Gateway, GatewayServer
from discovery.validation.analyze.kubernetes import ServicePort
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import Workload, World, selects

__all__ = ["certificates", "conflicts", "ports", "secrets"]


def _told(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


def _pods(world: World, gateway: Resource) -> list[Workload]:
    selector = gateway.spec.selector
    return [pod for pod in world.workloads() if selects(selector, pod.labels)]


def ports(world: World) -> Iterator[Message]:
    """A gateway has pods, and the Service in front of them leads to its ports."""
    for gateway in world.of("Gateway"):
        spec: Gateway = gateway.spec
        pods = _pods(world, gateway)
        if not pods:
            text = f"no workload has the labels {_told(spec.selector)}"
            yield about(
                Code.REFERENCED_RESOURCE_NOT_FOUND, gateway, text, "correct spec.selector, or start the gateway"
            )
            continue
        served = {number for pod in pods for number in _served(world, pod)}
        for server in spec.servers:
            if server.port is not None and server.port.number and server.port.number not in served:
                text = f"no Service in front of pods with {_told(spec.selector)} leads to port {server.port.number}"
                hint = "add the port to the Service, if it is to be reached through it"
                yield about(Code.GATEWAY_PORT_NOT_DEFINED_ON_SERVICE, gateway, text, hint)


def _served(world: World, pod: Workload) -> Iterator[int]:
    for service in world.of("Service"):
        spec = service.spec.spec
        if service.namespace == pod.resource.namespace and spec.selector and selects(spec.selector, pod.labels):
            yield from (_target(port, pod) for port in spec.ports)


def _target(port: ServicePort, pod: Workload) -> int:
    """The port of the pod that a port of a Service leads to."""
    target = port.target_port
    if isinstance(target, int):
        return target or port.port
    if target is None:
        return port.port
    if target.isdecimal():
        return int(target)
    named = (p.container_port for c in pod.spec.containers for p in c.ports if p.name == target)
    return next(named, port.port)


def conflicts(world: World) -> Iterator[Message]:
    """On the same pods, a host of a port belongs to one gateway."""
    gateways = world.of("Gateway")
    for gateway in gateways:
        for server in gateway.spec.servers:
            if server.port is None or not server.port.number:
                continue
            rivals = {
                other.full_name: sorted(set(server.hosts) & set(theirs.hosts))
                for other in gateways
                if other is not gateway and _same_pods(gateway, other)
                for theirs in other.spec.servers
                if _same_port(server, theirs) and set(server.hosts) & set(theirs.hosts)
            }
            if rivals:
                hosts = ", ".join(sorted({host for shared in rivals.values() for host in shared}))
                others = ", ".join(sorted(rivals))
                text = f"port {server.port.number} has the hosts {hosts} in {others} too, for pods that both select"
                hint = "give each host of a port to one gateway"
                yield about(Code.CONFLICTING_GATEWAYS, gateway, text, hint)


def _same_pods(one: Resource, other: Resource) -> bool:
    mine, theirs = one.spec.selector, other.spec.selector
    return selects(mine, theirs) or selects(theirs, mine)


def _same_port(one: GatewayServer, other: GatewayServer) -> bool:
    if one.port is None or other.port is None:
        return False
    return one.port.number == other.port.number and one.bind == other.bind


def certificates(world: World) -> Iterator[Message]:
    """Gateways on the same pods have certificates of their own: clients reuse HTTP/2 connections by certificate."""
    gateways = world.of("Gateway")
    held = {id(gateway): _held(gateway.spec) for gateway in gateways}
    for gateway in gateways:
        rivals = [
            other.full_name
            for other in gateways
            if other is not gateway
            and selects(gateway.spec.selector, other.spec.selector)
            and held[id(gateway)] & held[id(other)]
        ]
        if rivals:
            text = f"{', '.join(rivals)} has the same certificate, so reused HTTP/2 connections may get 404"
            yield about(
                Code.GATEWAY_DUPLICATE_CERTIFICATE, gateway, text, "join the gateways, or their hosts under one"
            )


def _held(spec: Gateway) -> set[tuple[str, ...]]:
    """The certificates of a gateway, by secret or by file."""
    found: set[tuple[str, ...]] = set()
    for server in spec.servers:
        if server.tls is None:
            continue
        found.update((name,) for name in (server.tls.credential_name, *server.tls.credential_names) if name)
        if server.tls.server_certificate and server.tls.private_key:
            found.add((server.tls.server_certificate, server.tls.private_key))
    return found


def secrets(world: World) -> Iterator[Message]:
    """The secrets that gateways name are beside their pods, and hold certificates."""
    for gateway in world.of("Gateway"):
        spec: Gateway = gateway.spec
        pods = _pods(world, gateway)
        if not pods:
            continue
        namespace = pods[0].resource.namespace
        for server in spec.servers:
            names = (server.tls.credential_name, *server.tls.credential_names) if server.tls is not None else ()
            for name in filter(None, names):
                secret = world.find("Secret", namespace, name)
                if secret is None:
                    text = f"there is no Secret {namespace}/{name}"
                    hint = "it must be in the namespace of the gateway's pods"
                    yield about(Code.REFERENCED_RESOURCE_NOT_FOUND, gateway, text, hint)
                elif not _is_key_pair(secret):
                    text = f"the Secret {namespace}/{name} holds no certificate with its key"
                    yield about(Code.INVALID_GATEWAY_CREDENTIAL, gateway, text, "want tls.crt and tls.key in PEM")


def _is_key_pair(secret: Resource) -> bool:
    return any(
        _is_pem(secret, certificate, b"-----BEGIN CERTIFICATE-----") and _is_pem(secret, key, b"PRIVATE KEY-----")
        for certificate, key in (("tls.crt", "tls.key"), ("cert", "key"))
    )


def _is_pem(secret: Resource, name: str, begin: bytes) -> bool:
    text = secret.spec.string_data.get(name)
    if text is not None:
        return begin in text.encode()
    try:
        return begin in base64.b64decode(secret.spec.data.get(name, ""), validate=True)
    except (ValueError, binascii.Error):
        return False
