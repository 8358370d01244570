"""How objects of the Gateway API name others: parents, backends, secrets, targets of policies.

A namespace that is not written is the one of the object that refers; into another one takes a ReferenceGrant there.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#backendobjectreference
"""

from __future__ import annotations

from typing import Final

from discovery.schema.message import Message, NonEmpty, PortNumber

__all__ = [
    "GROUP",
    "BackendObjectReference",
    "BackendRef",
    "LocalObjectReference",
    "ObjectReference",
    "ParametersReference",
    "ParentGateway",
    "ParentReference",
    "PolicyTarget",
    "SecretObjectReference",
]

GROUP: Final = "gateway.networking.k8s.io"


class ParentReference(Message, frozen=True, kw_only=True):
    """What a route wants to be attached to: a Gateway, a ListenerSet, or a Service (group empty) of the mesh.

    ``section_name`` is a listener or a port by name; without it and ``port`` the whole parent is meant.
    """

    required = ("name",)

    group: str = GROUP
    kind: NonEmpty = "Gateway"
    namespace: str = ""
    name: NonEmpty = ""
    section_name: str = ""
    port: PortNumber | None = None


class ParentGateway(Message, frozen=True, kw_only=True):
    """The Gateway that further listeners are for."""

    required = ("name",)

    group: str = GROUP
    kind: NonEmpty = "Gateway"
    namespace: str = ""
    name: NonEmpty = ""


class LocalObjectReference(Message, frozen=True, kw_only=True):
    """An object in the same namespace; an empty group is Kubernetes' core."""

    required = ("group", "kind", "name")

    group: str = ""
    kind: NonEmpty = ""
    name: NonEmpty = ""


class ObjectReference(Message, frozen=True, kw_only=True):
    """An object, perhaps in another namespace."""

    required = ("group", "kind", "name")

    group: str = ""
    kind: NonEmpty = ""
    name: NonEmpty = ""
    namespace: str = ""


class SecretObjectReference(Message, frozen=True, kw_only=True):
    """A Secret, if nothing else is written."""

    required = ("name",)

    group: str = ""
    kind: NonEmpty = "Secret"
    name: NonEmpty = ""
    namespace: str = ""


class ParametersReference(Message, frozen=True, kw_only=True):
    """Where settings of a GatewayClass are; the namespace is for kinds that have one."""

    required = ("group", "kind", "name")

    group: str = ""
    kind: NonEmpty = ""
    name: NonEmpty = ""
    namespace: str = ""


class PolicyTarget(Message, frozen=True, kw_only=True):
    """What a policy is for, in its own namespace; ``section_name`` is a port by name."""

    required = ("group", "kind", "name")

    group: str = ""
    kind: NonEmpty = ""
    name: NonEmpty = ""
    section_name: str = ""


class BackendObjectReference(Message, frozen=True, kw_only=True):
    """Where requests are sent; ``port`` is that of the Service, which needs it."""

    required = ("name",)

    group: str = ""
    kind: NonEmpty = "Service"
    name: NonEmpty = ""
    namespace: str = ""
    port: PortNumber | None = None


class BackendRef(BackendObjectReference, frozen=True, kw_only=True):
    """A backend with its share: weight divided by the sum of the weights; 0 gets nothing."""

    weight: int = 1
