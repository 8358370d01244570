"""What the server's own admission steps add: cluster addresses, service accounts of pods, content of new namespaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from tests.kit.kube_api.callers import User
from tests.kit.kube_api.definitions import check_definition
from tests.kit.kube_api.errors import forbidden, internal, invalid
from tests.kit.kube_api.identity import generated_name, new_uid
from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, copied, meta
from tests.kit.kube_api.ownership import record_update
from tests.kit.kube_api.state import NAMESPACES, SERVICE_ACCOUNTS, SERVICES, State, WriteOptions
from tests.kit.kube_api.store import Event, EventType

__all__ = ["TOKEN_DIRECTORY", "BuiltinAdmission"]

TOKEN_DIRECTORY: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_CONFIG_MAPS: Final = ResourceId("", "configmaps")
_SERVICE_NETWORK: Final = ipaddress.ip_network("10.96.0.0/16")
_FIRST_NODE_PORT: Final = 30000
_TOKEN_LIFE_S: Final = 3607
"""The real plugin's: an hour and a little, so that the kubelet can tell it from a user's choice."""


class BuiltinAdmission:
    """The steps by kind, and the follow-ups of new namespaces."""

    def __init__(self, state: State, ca_pem: bytes) -> None:
        self._state = state
        self._ca_pem = ca_pem
        self._addresses_given = 0
        self._asked_for: set[str] = set()
        state.store.observe(self._on_event)

    def steps(self) -> Mapping[str, Callable[[Json], Json]]:
        """By kind: from the object as sent, with defaults, to the object as webhooks see it."""
        return {"CustomResourceDefinition": check_definition, "Pod": self._pod, "Service": self._service}

    def _service(self, item: Json) -> Json:
        item = copied(item)
        spec = item["spec"]
        if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
            spec["clusterIP"] = self._free_address()
        else:
            self._asked_for.add(spec.get("clusterIP", ""))
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
        if spec["type"] in ("NodePort", "LoadBalancer"):
            self._give_node_ports(spec)
        if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
            raise invalid(
                "Service", "", meta(item).get("name", ""), [("spec.ports", "FieldValueRequired", "Required value")]
            )
        return item

    def _free_address(self) -> str:
        """The next address that no service has asked for; the first of the network is the API server's own."""
        for offset in range(self._addresses_given + 2, _SERVICE_NETWORK.num_addresses - 1):
            self._addresses_given += 1
            address = str(_SERVICE_NETWORK[offset])
            if address not in self._asked_for:
                return address
        raise internal("no more cluster addresses")

    def _give_node_ports(self, spec: Json) -> None:
        services = self._state.store.all(SERVICES).values()
        taken = {port.get("nodePort") for service in services for port in service["spec"].get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = next(number for number in range(_FIRST_NODE_PORT, 32768) if number not in taken)
                taken.add(port["nodePort"])

    def _pod(self, item: Json) -> Json:
        spec, name = item["spec"], meta(item).get("name", "")
        if not spec.get("containers"):
            raise invalid("Pod", "", name, [("spec.containers", "FieldValueRequired", "Required value")])
        namespace, account = meta(item)["namespace"], spec["serviceAccountName"]
        found = self._state.store.get(SERVICE_ACCOUNTS, (namespace, account))
        if found is None:
            missing = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden("pods", "", name, missing)
        automount = spec.get("automountServiceAccountToken", found.get("automountServiceAccountToken", True))
        return _with_token(copied(item)) if automount else item

    def _on_event(self, event: Event) -> None:
        if event.resource != NAMESPACES or event.type is not EventType.ADDED:
            return
        namespace = meta(event.item)["name"]
        self._add(SERVICE_ACCOUNTS, "v1", "ServiceAccount", namespace, "default", {})
        root = {"data": {"ca.crt": self._ca_pem.decode()}}
        self._add(_CONFIG_MAPS, "v1", "ConfigMap", namespace, "kube-root-ca.crt", root)

    def _add(self, resource: ResourceId, version: str, kind: str, namespace: str, name: str, content: Json) -> None:
        metadata = {"name": name, "namespace": namespace, "uid": new_uid(), "creationTimestamp": self._state.now_text()}
        item: Json = {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
        options = WriteOptions(user=User(name="system:kube-controller-manager"), manager="kube-controller-manager")
        served = self._state.kinds.of_resource(resource)[0]
        self._state.store.put(resource, record_update(served, None, item, options, self._state.now_text()))


def _with_token(item: Json) -> Json:
    """The pod with the projected token mounted into every container that mounts nothing there itself."""
    spec = item["spec"]
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    bare = [
        container
        for container in containers
        if all(mount.get("mountPath") != TOKEN_DIRECTORY for mount in container.get("volumeMounts") or ())
    ]
    if not bare:
        return item
    volume = next(
        (volume["name"] for volume in spec.get("volumes") or () if volume["name"].startswith("kube-api-access-")), ""
    )
    if not volume:
        volume = generated_name("kube-api-access-")
        spec.setdefault("volumes", []).append(_token_volume(volume))
    for container in bare:
        mount = {"name": volume, "readOnly": True, "mountPath": TOKEN_DIRECTORY}
        container.setdefault("volumeMounts", []).append(mount)
    return item


def _token_volume(name: str) -> Json:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[Json] = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_LIFE_S, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
