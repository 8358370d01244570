"""The inputs of the query database: one cell per object, plus the indexes that selection starts from.

Indexes are inputs, not queries, so that a change to one object touches one key of each index instead of re-running a
query over all objects. ``store.state`` keeps them in step with the objects.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from discovery.engine import Input
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, Object, ObjectKey

__all__ = [
    "ADDRESS",
    "CLUSTER",
    "HOST",
    "MESH",
    "NAMES",
    "NAMESPACES",
    "OBJECT",
    "SLICES",
    "ClusterFacts",
    "InNamespace",
    "ServiceName",
]


class InNamespace(NamedTuple):
    """A kind within a namespace."""

    kind: Kind
    namespace: str


class ServiceName(NamedTuple):
    """A Kubernetes Service by name."""

    namespace: str
    name: str


class ClusterFacts(NamedTuple):
    """What the process was started with, as far as configuration depends on it."""

    domain: str = "cluster.local"  # DNS suffix of Kubernetes services
    cluster_id: str = "Kubernetes"
    has_pods: bool = (
        False  # Pods are read from an API server: one that an endpoint names and that is not there will come
    )
    dual_stack: bool = False  # a Pod of two address families is one endpoint


# The object itself, None when there is none.
OBJECT: Final[Input[ObjectKey, Object | None]] = Input("object", default=None)
# Names of all objects of a kind in a namespace.
NAMES: Final[Input[InNamespace, frozenset[str]]] = Input("names", default=frozenset())
# Namespaces that hold at least one object of a kind.
NAMESPACES: Final[Input[Kind, frozenset[str]]] = Input("namespaces", default=frozenset())
# EndpointSlices of a Kubernetes Service (by label kubernetes.io/service-name).
SLICES: Final[Input[ServiceName, frozenset[ObjectKey]]] = Input("slices", default=frozenset())
# Objects that put an endpoint or workload at an address: EndpointSlice, Pod, WorkloadEntry, ServiceEntry.
ADDRESS: Final[Input[str, frozenset[ObjectKey]]] = Input("address", default=frozenset())
# Services and ServiceEntries that declare a host name (lower case).
HOST: Final[Input[str, frozenset[ObjectKey]]] = Input("host", default=frozenset())
# The mesh configuration; the only key is None.
MESH: Final[Input[None, MeshConfig]] = Input("mesh", default=MeshConfig())
# The local cluster; the only key is None.
CLUSTER: Final[Input[None, ClusterFacts]] = Input("cluster", default=ClusterFacts())
