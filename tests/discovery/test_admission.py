"""The webhooks of a control plane, called by an API server itself."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from discovery.admission import Admission, StoreSurroundings
from discovery.engine import Database
from discovery.inject.builtin import TEMPLATE_NAMES, builtin_template, builtin_values
from discovery.kube.client import connect
from discovery.kube.config import KubeConfig
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import run_all
from discovery.schema.decode import decode
from discovery.settings import FLAGS, Settings, load_settings
from discovery.store.state import ObjectChange, Store
from discovery.trust import Trust
from discovery.webhooks.server import WebhookServer
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import ApiCallError, KubeApi

CONFIG = {
    "policy": "enabled",
    "templates": {name: builtin_template(name) for name in TEMPLATE_NAMES},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
}


def stored(*documents: dict[str, Any]) -> Store:
    """A store with these objects."""
    store = Store(Database())
    store.apply([ObjectChange(obj.key, obj) for document in documents for obj in decode(document).objects])
    return store


def node(name: str, kubelet: str) -> dict[str, Any]:
    """A node of a version."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"nodeInfo": {"kubeletVersion": kubelet}},
    }


def test_surroundings_follow_the_store() -> None:
    """Nodes, ProxyConfigs and namespaces, as they are when asked."""
    store = stored(
        node("a", "v1.33.1"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": {"x": "y"}}},
    )
    around = StoreSurroundings(store)
    assert around.kubelets() == {"a": "v1.33.1"}
    assert around.namespace_annotations("shop") == {"x": "y"}
    assert around.namespace_annotations("none") == {}
    assert list(around.proxy_configs()) == []
    document = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "ProxyConfig",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"concurrency": 1},
    }
    changed = [decode(document).objects[0], decode(node("a", "v1.34.0")).objects[0]]
    store.apply([ObjectChange(obj.key, obj) for obj in changed])
    assert around.kubelets() == {"a": "v1.34.0"}
    assert [obj.name for obj in around.proxy_configs()] == ["p"]
    assert around.mesh.trust_domain == "cluster.local"


def settings(kubeconfig: Path, namespace: str, **environ: str) -> Settings:
    """Of a control plane in a namespace."""
    given = {flag.field: flag.default for flag in FLAGS}
    given |= {"kubeconfig": str(kubeconfig), "namespace": namespace, "httpsAddr": "127.0.0.1:0"}
    return load_settings(given, {"ROOT_CA_DIR": "", **environ})


class Running:
    """The webhooks at work, and how an API server is told of them."""

    def __init__(self, admission: Admission, server: WebhookServer, trust: Trust, readiness: Readiness) -> None:
        self.admission = admission
        self.readiness = readiness
        self._url = f"https://127.0.0.1:{server.port}"
        self._bundle = base64.b64encode(trust.serving_roots_pem().encode()).decode()

    def configuration(self, kind: str, path: str, rule: dict[str, Any], namespace: str) -> dict[str, Any]:
        """A webhook configuration that leads here, for one namespace."""
        hook = {
            "name": "test.sidecar-injector.istio.io",
            "clientConfig": {"url": self._url + path, "caBundle": self._bundle},
            "rules": [{"operations": ["CREATE", "UPDATE"], "apiVersions": ["*"], **rule}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": f"{kind.lower()}-{namespace}"},
            "webhooks": [hook],
        }


@asynccontextmanager
async def running(api: KubeApi, namespace: str, files: Path, *documents: dict[str, Any]) -> AsyncIterator[Running]:
    """The webhooks of a control plane that reads its configuration from the API server."""
    clock, readiness = SystemClock(), Readiness()
    wanted = settings(api.kubeconfig, namespace)
    trust = Trust(wanted, trust_domain="cluster.local", clock=clock)
    client = await connect(KubeConfig(kubeconfig=str(api.kubeconfig)))
    admission = Admission(
        wanted,
        stored(*documents),
        trust,
        readiness,
        registry=CollectorRegistry(),
        timing=Timing(clock),
        client=client,
        files=files,
    )
    services, until = admission.services(), asyncio.Event()
    (server,) = (service for service in services if isinstance(service, WebhookServer))
    async with asyncio.TaskGroup() as group:
        group.create_task(run_all(services, until=until))
        await eventually(lambda: server.port != 0)
        await readiness.wait()
        yield Running(admission, server, trust, readiness)
        until.set()
    await client.close()


def config_map(namespace: str, config: Any = CONFIG) -> dict[str, Any]:
    """The injector's ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "istio-sidecar-injector", "namespace": namespace},
        "data": {"config": json.dumps(config), "values": json.dumps(builtin_values())},
    }


async def test_an_api_server_has_pods_injected(kube_api: KubeApi, tmp_path: Path) -> None:
    """By the ConfigMap as it is now; one that cannot be used changes nothing and is reported."""
    place = await kube_api.new_namespace()
    await kube_api.apply(config_map(place))
    rule = {"apiGroups": [""], "resources": ["pods"]}
    async with running(kube_api, place, tmp_path / "none", node("a", "v1.34.0")) as webhooks:
        await eventually(lambda: not webhooks.admission.findings)
        hook = webhooks.configuration("MutatingWebhookConfiguration", "/inject", rule, place)
        hook["webhooks"][0]["rules"][0]["operations"] = ["CREATE"]
        try:
            await kube_api.apply(hook)
            (pod,) = await kube_api.apply({**POD, "metadata": {**POD["metadata"], "namespace": place}})  # type: ignore[dict-item]
            assert [item["name"] for item in pod["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
            assert pod["metadata"]["labels"]["security.istio.io/tlsMode"] == "istio"
            await kube_api.apply(config_map(place, {"templates": {"sidecar": "{{ if }}"}}))
            await eventually(lambda: bool(webhooks.admission.findings))
            assert "last good one stays" in str(webhooks.admission.findings[0])
            again = {"name": "again", "namespace": place}
            (pod,) = await kube_api.apply({**POD, "metadata": again})
            assert len(pod["spec"]["initContainers"]) == 2
            bad = {"name": "bad", "namespace": place, "annotations": {"sidecar.istio.io/proxyCPU": "much"}}
            with pytest.raises(ApiCallError, match="proxyCPU"):
                await kube_api.apply({**POD, "metadata": bad})
        finally:
            await kube_api.delete(hook)


async def test_without_a_configuration_pods_are_refused(kube_api: KubeApi, tmp_path: Path) -> None:
    """Rather than started outside of every policy; the control plane is ready, for others have no use for it."""
    place = await kube_api.new_namespace()
    rule = {"apiGroups": [""], "resources": ["pods"]}
    async with running(kube_api, place, tmp_path / "none") as webhooks:
        assert webhooks.readiness.ready
        hook = webhooks.configuration("MutatingWebhookConfiguration", "/inject", rule, place)
        try:
            await kube_api.apply(hook)
            with pytest.raises(ApiCallError, match="no injector configuration yet"):
                await kube_api.apply({**POD, "metadata": {"name": "web", "namespace": place}})
        finally:
            await kube_api.delete(hook)


async def test_files_go_before_the_config_map(kube_api: KubeApi, tmp_path: Path) -> None:
    """As at istiod."""
    place = await kube_api.new_namespace()
    (tmp_path / "config").write_text(json.dumps(CONFIG))
    (tmp_path / "values").write_text("{}")
    async with running(kube_api, place, tmp_path) as webhooks:
        assert webhooks.admission.findings == ()


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "virtualservices.networking.istio.io"},
    "spec": {
        "group": "networking.istio.io",
        "scope": "Namespaced",
        "names": {"kind": "VirtualService", "plural": "virtualservices", "singular": "virtualservice"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}


async def test_an_api_server_refuses_bad_configuration(kube_api: KubeApi, tmp_path: Path) -> None:
    """With what is wrong in its answer; good configuration is stored."""
    place = await kube_api.new_namespace()
    await kube_api.apply(DEFINITION)
    rule = {"apiGroups": ["networking.istio.io"], "resources": ["*"]}
    metadata = {"name": "web", "namespace": place}
    document = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata}
    async with running(kube_api, place, tmp_path / "none") as webhooks:
        hook = webhooks.configuration("ValidatingWebhookConfiguration", "/validate", rule, place)
        try:
            await kube_api.apply(hook)
            with pytest.raises(ApiCallError, match=r"configuration is invalid: .*spec\.http"):
                await kube_api.apply({**document, "spec": {"hosts": ["web"], "http": [{"timeout": "soon"}]}})
            route = {"route": [{"destination": {"host": "web"}}]}
            await kube_api.apply({**document, "spec": {"hosts": ["web"], "http": [route]}})
        finally:
            await kube_api.delete(hook)
