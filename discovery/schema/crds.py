"""The CustomResourceDefinitions of the Istio kinds, made from the structs that read them.

So the API server knows the same fields, enums, bounds and oneofs as we do, and prunes what nobody would read. They are
deterministic: the charts hold the text that is made here, and a test keeps the two equal.

Spec: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind
from discovery.schema.open_api import object_schema

__all__ = ["custom_resource_definitions"]

_AGE: Final = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "When the object was made, by the clock of the API server.",
}


class _Column(NamedTuple):
    """What ``kubectl get`` shows of an object."""

    name: str
    path: str
    description: str


class _Names(NamedTuple):
    """What a kind is called besides its name; ``stored`` is empty where the best version is what etcd holds."""

    plural: str
    short: str = ""
    columns: tuple[_Column, ...] = ()
    stored: str = ""
    spec: bool = False  # an object without ``spec`` is refused, though no field of it is required


_HOSTS: Final = _Column("Hosts", ".spec.hosts", "The hosts that the object is about.")

_NAMES: Final[Mapping[Kind, _Names]] = {
    Kind.SERVICE_ENTRY: _Names(
        "serviceentries",
        "se",
        (
            _HOSTS,
            _Column("Location", ".spec.location", "Whether the service is part of the mesh."),
            _Column("Resolution", ".spec.resolution", "How the addresses of its endpoints are found."),
        ),
    ),
    Kind.WORKLOAD_ENTRY: _Names(
        "workloadentries", "we", (_Column("Address", ".spec.address", "Where the workload is reached."),), spec=True
    ),
    Kind.WORKLOAD_GROUP: _Names("workloadgroups", "wg", spec=True),
    Kind.VIRTUAL_SERVICE: _Names(
        "virtualservices",
        "vs",
        (_Column("Gateways", ".spec.gateways", "Where the routes hold; none named: in sidecars."), _HOSTS),
    ),
    Kind.DESTINATION_RULE: _Names(
        "destinationrules", "dr", (_Column("Host", ".spec.host", "The service that the policies are for."),)
    ),
    Kind.SIDECAR: _Names("sidecars"),
    Kind.GATEWAY: _Names("gateways", "gw"),
    Kind.ENVOY_FILTER: _Names("envoyfilters"),
    Kind.PROXY_CONFIG: _Names("proxyconfigs"),
    Kind.PEER_AUTHENTICATION: _Names(
        "peerauthentications", "pa", (_Column("Mode", ".spec.mtls.mode", "Whether mutual TLS is asked for."),)
    ),
    Kind.AUTHORIZATION_POLICY: _Names(
        "authorizationpolicies", "ap", (_Column("Action", ".spec.action", "What happens to what the rules match."),)
    ),
    Kind.REQUEST_AUTHENTICATION: _Names("requestauthentications", "ra"),
    Kind.TELEMETRY: _Names("telemetries", "telemetry", stored="v1alpha1"),
    Kind.WASM_PLUGIN: _Names("wasmplugins"),
    Kind.TRAFFIC_EXTENSION: _Names("trafficextensions", spec=True),
}


def custom_resource_definitions() -> dict[str, dict[str, Any]]:
    """The definitions by name (``virtualservices.networking.istio.io``), sorted, as plain data for YAML or JSON."""
    found = [_definition(kind, names) for kind, names in _NAMES.items()]
    return {
        document["metadata"]["name"]: document for document in sorted(found, key=lambda d: str(d["metadata"]["name"]))
    }


def _definition(kind: Kind, names: _Names) -> dict[str, Any]:
    info = KINDS[kind]
    spec = object_schema(info.struct)
    spec_required = names.spec or "required" in spec
    whole = {
        "type": "object",
        "properties": {"spec": spec, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        **({"required": ["spec"]} if spec_required else {}),
    }
    columns = [
        {"name": c.name, "type": "string", "jsonPath": c.path, "description": c.description} for c in names.columns
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{names.plural}.{info.group}",
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {"app.kubernetes.io/part-of": "pilot-mesh"},
        },
        "spec": {
            "group": info.group,
            "scope": "Namespaced" if info.namespaced else "Cluster",
            "names": {
                "kind": str(kind),
                "listKind": f"{kind}List",
                "plural": names.plural,
                "singular": str(kind).lower(),
                **({"shortNames": [names.short]} if names.short else {}),
                "categories": ["istio-io", info.group.replace(".", "-").removesuffix("-io") + "-io"],
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == (names.stored or info.versions[0]),
                    "additionalPrinterColumns": [*columns, _AGE],
                    "schema": {"openAPIV3Schema": whole},
                    "subresources": {"status": {}},
                }
                for version in info.versions
            ],
        },
    }
