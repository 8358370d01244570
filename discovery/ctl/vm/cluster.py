"""What a person with access to the cluster need not write down: the group, mesh configuration, roots and a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from certs.errors import CertsError
from certs.pem import load_certificates
from discovery.ctl.errors import CtlError
from discovery.ctl.kube_client import opened_client
from discovery.ctl.vm.read import group_from, mesh_of
from discovery.kube.errors import NotFoundError
from discovery.kube.resources import CONFIG_MAPS, Resource
from discovery.schema.meta import Object, Origin
from discovery.sources.injector_config import injector_config_map
from discovery.sources.kubernetes_mesh import mesh_config_map

if TYPE_CHECKING:
    from discovery.kube.client import KubeClient

__all__ = ["ClusterReader", "opened_cluster"]

_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts")
_GROUPS: Final = Resource("networking.istio.io", "v1", "workloadgroups")
_ROOTS: Final = "istio-ca-root-cert"
_AUDIENCE: Final = "istio-ca"
_DEFAULT_CLUSTER: Final = "Kubernetes"


@asynccontextmanager
async def opened_cluster(kubeconfig: str, context: str) -> AsyncIterator[ClusterReader]:
    """The cluster of a kubeconfig (paths joined by ``:``), for as long as the block lasts.

    Raises:
        CtlError: the kubeconfig cannot be used; within the block: an answer is missing.
    """
    async with opened_client(kubeconfig, context) as client:
        yield ClusterReader(client)


class ClusterReader:
    """Asks one API server. Raises ``KubeError`` where it does not answer, ``CtlError`` where nothing is there."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def group(self, namespace: str, name: str) -> Object:
        """A WorkloadGroup."""
        try:
            raw = await self._client.get(_GROUPS.object(namespace, name))
        except NotFoundError as error:
            raise CtlError(f"{self._client.server}: no WorkloadGroup {namespace}/{name}; apply it first") from error
        return group_from(msgspec.json.decode(raw), origin=Origin(f"cluster {self._client.server}"))

    async def mesh(self, istio_namespace: str, revision: str) -> dict[str, Any]:
        """The mesh configuration of a revision as it is written; empty where there is none."""
        name = mesh_config_map(revision)
        text = (await self._config_map(istio_namespace, name)).get("mesh", "")
        return mesh_of(text, where=f"ConfigMap {istio_namespace}/{name}")

    async def cluster_id(self, istio_namespace: str, revision: str) -> str:
        """What the control plane calls the cluster: as the injector tells proxies."""
        data = await self._config_map(istio_namespace, injector_config_map(revision))
        try:
            values = msgspec.json.decode(data.get("values", "{}"), type=dict[str, Any])
            return str(values["global"]["multiCluster"]["clusterName"] or _DEFAULT_CLUSTER)
        except (KeyError, TypeError, msgspec.MsgspecError):
            return _DEFAULT_CLUSTER

    async def roots(self, namespace: str) -> bytes:
        """The roots of the mesh, PEM, as pods of the namespace have them."""
        where = f"ConfigMap {namespace}/{_ROOTS}"
        data = (await self._config_map(namespace, _ROOTS)).get("root-cert.pem", "").encode()
        if not data:
            raise CtlError(
                f"no {where} with the mesh's roots: does a control plane run, and does it serve {namespace}?"
            )
        try:
            load_certificates(data, where=where)
        except CertsError as error:
            raise CtlError(str(error)) from error
        return data

    async def token(self, namespace: str, account: str, *, duration_s: int) -> str:
        """A fresh token of a service account for the mesh's authority.

        Spec: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
        """
        path = _ACCOUNTS.object(namespace, account, "token")
        spec = {"audiences": [_AUDIENCE], "expirationSeconds": duration_s}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self._client.create(path, msgspec.json.encode(body))
        except NotFoundError as error:
            told = f"no service account {account} in namespace {namespace}"
            raise CtlError(f"{told}; kubectl create serviceaccount {account} -n {namespace}") from error
        return str(msgspec.json.decode(answer)["status"]["token"])

    async def _config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        try:
            item = msgspec.json.decode(await self._client.get(CONFIG_MAPS.object(namespace, name)))
        except NotFoundError:
            return {}
        return item.get("data") or {}
