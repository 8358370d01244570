"""ServiceEntry: a service that no platform registry declares.

Spec: https://istio.io/latest/docs/reference/config/networking/service-entry/
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from discovery.schema.message import Message, ProtoEnum, UInt32
from discovery.schema.selector import WorkloadSelector
from discovery.schema.workload_entry import WorkloadEntry

__all__ = ["Location", "Resolution", "ServiceEntry", "ServicePort"]


_Name = Annotated[str, msgspec.Meta(max_length=256)]
_Address = Annotated[str, msgspec.Meta(max_length=64)]


class Location(ProtoEnum):
    """Whether the service is part of the mesh; external services get no mutual TLS by themselves."""

    MESH_EXTERNAL = "MESH_EXTERNAL"
    MESH_INTERNAL = "MESH_INTERNAL"


class Resolution(ProtoEnum):
    """How the addresses behind the hosts are found."""

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"


class ServicePort(Message, frozen=True, kw_only=True):
    """A port of the service; ``target_port`` 0 means ``number``."""

    required = ("number", "name")

    number: UInt32 = 0
    protocol: _Name = ""
    name: _Name = ""
    target_port: UInt32 = 0


class ServiceEntry(Message, frozen=True, kw_only=True):
    """Hosts, ports and endpoints of a service."""

    required = ("hosts",)

    hosts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=256)] = ()
    addresses: Annotated[tuple[_Address, ...], msgspec.Meta(max_length=256)] = ()
    ports: Annotated[tuple[ServicePort, ...], msgspec.Meta(max_length=256)] = ()
    location: Location = Location.MESH_EXTERNAL
    resolution: Resolution = Resolution.NONE
    endpoints: Annotated[tuple[WorkloadEntry, ...], msgspec.Meta(max_length=4096)] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
