"""What is read of a cluster for an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from discovery.ctl.cluster_objects import read_cluster
from discovery.kube.client import KubeClient
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import client_of
from tests.kit.kube_cluster import crds, service


def sidecar(name: str, namespace: str) -> dict[str, Any]:
    spec = {"egress": [{"hosts": ["./*"]}]}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": metadata, "spec": spec}


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


async def test_objects_are_documents_as_files_have_them(kube_api: KubeApi) -> None:
    """With their kind, which lists leave out; of ConfigMaps only the control plane's."""
    await kube_api.apply(*crds("sidecars"))
    shop, system = await kube_api.new_namespace(), await kube_api.new_namespace()
    await kube_api.apply(
        service("web", shop), sidecar("all", shop), config_map(shop, "other"), config_map(system, "istio", mesh="{}")
    )
    async with client_of(kube_api) as client:
        found = await read_cluster(client, system)
    assert found.unread == ()
    assert found.server == client.server
    ours = {
        (document["apiVersion"], document["kind"], document["metadata"]["name"])
        for document in found.documents
        if document["metadata"].get("namespace", document["metadata"]["name"]) in (shop, system)
        and document["metadata"]["name"] not in ("default", "kube-root-ca.crt")
    }
    assert ours == {
        ("v1", "Namespace", shop),
        ("v1", "Namespace", system),
        ("v1", "Service", "web"),
        ("v1", "ConfigMap", "istio"),
        ("networking.istio.io/v1", "Sidecar", "all"),
    }


@pytest.mark.kube_double
async def test_lists_are_read_by_pages(kube_api: KubeApi) -> None:
    """However many objects there are."""
    namespace = await kube_api.new_namespace()
    names = {f"s-{number:04}" for number in range(501)}
    for name in sorted(names):
        await kube_api.apply(service(name, namespace))
    async with client_of(kube_api) as client:
        found = await read_cluster(client, "istio-system")
    assert {d["metadata"]["name"] for d in found.documents if d["kind"] == "Service"} >= names


async def test_what_one_may_not_read_is_named(kube_api: KubeApi, tmp_path: Path) -> None:
    """And the rest is read: somebody without access to secrets can analyze all the same."""
    namespace = await kube_api.new_namespace()
    kube_api.enforce_rbac()
    rules = [{"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace}
    api = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    granted = (
        {"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": rules},
        {
            "apiVersion": api,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": namespace},
            "roleRef": role,
            "subjects": [subject],
        },
    )
    await kube_api.apply(service("web", namespace), *granted)
    kubeconfig = kube_api.write_kubeconfig(tmp_path / "reader", await kube_api.token_for(namespace, "reader"))
    async with client_of(kube_api, kubeconfig) as client:
        found = await read_cluster(client, "istio-system")
    assert {document["kind"] for document in found.documents} == {"Service", "Namespace"}
    assert [text.partition(":")[0] for text in found.unread] == [
        "customresourcedefinitions.apiextensions.k8s.io (so no kinds of the mesh are known)",
        "nodes",
        "pods",
        "deployments.apps",
        "secrets",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "configmaps",
    ]
    await kube_api.delete(*granted)


class _Deep:
    """An API server with one Service that is nested deeper than a decoder goes."""

    server = "https://deep"

    async def get(self, path: str, _: Mapping[str, str]) -> bytes:
        deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
        item = b'{"metadata":{"name":"web","namespace":"shop"},"spec":{"selector":{"app":"web"},"deep":%s}}' % deep
        return b'{"metadata":{},"items":[%s]}' % (item if path.endswith("/services") else b"")


async def test_an_object_that_is_nested_too_deeply_does_not_end_the_reading() -> None:
    """What is not too deep of it is told; the rest is a text, as the control plane reads it."""
    found = await read_cluster(cast(KubeClient, _Deep()), "istio-system")
    (service_,) = found.documents
    assert service_["spec"] == {"selector": {"app": "web"}, "deep": "more than 500 levels of nesting"}
