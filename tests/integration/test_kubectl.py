"""The real kubectl works with the API server double as with the real one: it reads, edits, applies, watches, waits."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json
from tests.kit.kubectl import Kubectl
from tests.kit.prerequisites import kubectl_binary

pytestmark = [pytest.mark.kube, pytest.mark.kubectl]


@pytest.fixture
async def kubectl(kube_api: KubeApi, tmp_path: Path) -> Kubectl:
    """kubectl as the administrator, in a fresh namespace."""
    binary = kubectl_binary()
    assert binary is not None
    return Kubectl(binary, kube_api.kubeconfig, home=tmp_path, namespace=await kube_api.new_namespace())


def service(**fields: Any) -> str:
    """The manifest of a Service; `labels` and ports may be given."""
    ports = fields.pop("ports", [{"name": "http", "port": 80}])
    item = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", **fields},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }
    return str(yaml.safe_dump(item))


async def shown(kubectl: Kubectl, *words: str) -> Json:
    """An object as kubectl prints it."""
    return msgspec.json.decode(await kubectl("get", *words, "-o", "json"), type=dict[str, Any])


async def test_kubectl_gets(kubectl: Kubectl) -> None:
    """Tables, YAML, JSON paths, selectors, several kinds, and a clear word about what is not there."""
    await kubectl("apply", "-f", "-", stdin=service(labels={"app": "web"}))
    table = (await kubectl("get", "svc")).splitlines()
    assert table[0].split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert table[1].split()[:2] == ["web", "ClusterIP"]
    assert yaml.safe_load(await kubectl("get", "service", "web", "-o", "yaml"))["spec"]["ports"][0]["port"] == 80
    assert await kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort}") == "80"
    assert await kubectl("get", "svc,secrets", "-l", "app=web", "-o", "name") == "service/web\n"
    assert "default" in await kubectl("get", "namespaces", "-o", "name")
    done = await kubectl.run("get", "svc", "none")
    assert (done.code, done.err.strip()) == (1, 'Error from server (NotFound): services "none" not found')


async def test_kubectl_applies_on_the_client(kubectl: Kubectl) -> None:
    """Created, unchanged, configured; a field that leaves the manifest leaves the object, what others set stays."""
    first = service(labels={"a": "1", "b": "1"})
    assert await kubectl("apply", "-f", "-", stdin=first) == "service/web created\n"
    assert await kubectl("apply", "-f", "-", stdin=first) == "service/web unchanged\n"
    await kubectl("label", "svc", "web", "c=1")
    second = service(labels={"a": "2"}, ports=[{"name": "tls", "port": 443}])
    assert await kubectl("apply", "-f", "-", stdin=second) == "service/web configured\n"
    web = await shown(kubectl, "svc", "web")
    assert web["metadata"]["labels"] == {"a": "2", "c": "1"}
    assert [port["port"] for port in web["spec"]["ports"]] == [443]


async def test_kubectl_applies_on_the_server(kubectl: Kubectl) -> None:
    """Conflicts with another manager are told, and can be forced."""
    first, second = service(labels={"a": "1"}), service(labels={"a": "2"})
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", stdin=first)
    other = ("apply", "--server-side", "--field-manager", "other", "-f", "-")
    done = await kubectl.run(*other, stdin=second)
    assert done.code == 1
    assert 'conflict with "kubectl"' in done.err
    assert ".metadata.labels.a" in done.err
    await kubectl(*other, "--force-conflicts", stdin=second)
    assert (await shown(kubectl, "svc", "web"))["metadata"]["labels"] == {"a": "2"}


async def test_kubectl_edits(kubectl: Kubectl) -> None:
    """An edit in the editor reaches the object; nothing changed is no edit."""
    await kubectl("apply", "-f", "-", stdin=service())
    edit = {"KUBE_EDITOR": "sed -i -e s/sessionAffinity:.*/sessionAffinity:\\ ClientIP/"}
    assert await kubectl("edit", "svc", "web", environment=edit) == "service/web edited\n"
    assert (await shown(kubectl, "svc", "web"))["spec"]["sessionAffinity"] == "ClientIP"
    done = await kubectl.run("edit", "svc", "web", environment={"KUBE_EDITOR": "true"})
    assert "no changes made" in done.out + done.err


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}),
        ("merge", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}),
        ("json", [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8080}]),
    ],
)
async def test_kubectl_patches(kubectl: Kubectl, kind: str, patch: Any) -> None:
    """All three kinds of patch."""
    await kubectl("apply", "-f", "-", stdin=service())
    await kubectl("patch", "svc", "web", "--type", kind, "-p", msgspec.json.encode(patch).decode())
    assert (await shown(kubectl, "svc", "web"))["spec"]["ports"][0]["targetPort"] == 8080


async def test_kubectl_watches(kubectl: Kubectl) -> None:
    """A watch prints the present state, then each change as it happens."""
    await kubectl("create", "configmap", "one", "--from-literal=a=1")
    others = ("--field-selector", "metadata.name!=kube-root-ca.crt")
    watch = ("get", "configmaps", "--watch", "--output-watch-events", *others)
    async with kubectl.streaming(*watch) as lines, asyncio.timeout(30):
        assert (await lines.readline()).split()[:2] == [b"EVENT", b"NAME"]
        assert (await lines.readline()).split()[:3] == [b"ADDED", b"one", b"1"]
        await kubectl("patch", "configmap", "one", "-p", '{"data":{"b":"2"}}')
        assert (await lines.readline()).split()[:3] == [b"MODIFIED", b"one", b"2"]
        await kubectl("delete", "configmap", "one")
        assert (await lines.readline()).split()[:2] == [b"DELETED", b"one"]


async def test_kubectl_delete_waits(kubectl: Kubectl) -> None:
    """A delete waits until the object is gone, for finalizers too."""
    await kubectl("apply", "-f", "-", stdin=service())
    assert 'service "web" deleted' in await kubectl("delete", "svc", "web", "--timeout=30s")
    done = await kubectl.run("get", "svc", "web")
    assert done.code == 1
    await kubectl("create", "configmap", "one")
    await kubectl("patch", "configmap", "one", "-p", '{"metadata":{"finalizers":["example.org/hold"]}}')
    gone = kubectl("delete", "configmap", "one", "--timeout=30s")
    release = kubectl("patch", "configmap", "one", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    await asyncio.gather(gone, release)
    assert (await kubectl.run("get", "configmap", "one")).code == 1


async def test_kubectl_creates_by_type(kubectl: Kubectl) -> None:
    """Commands that build objects themselves, which newer versions send as protobuf."""
    await kubectl("create", "configmap", "one", "--from-literal=a=1", "--from-literal=b=2")
    assert (await shown(kubectl, "configmap", "one"))["data"] == {"a": "1", "b": "2"}
    await kubectl("create", "secret", "generic", "one", "--from-literal=a=b")
    assert (await shown(kubectl, "secret", "one"))["data"] == {"a": "Yg=="}
    await kubectl("create", "serviceaccount", "one")
    assert "one" in await kubectl("get", "serviceaccounts", "-o", "name")
    name = f"made-{secrets.token_hex(4)}"
    assert await kubectl("create", "namespace", name) == f"namespace/{name} created\n"
    assert (await kubectl.run("create", "namespace", name)).code == 1
    await kubectl("delete", "namespace", name, "--timeout=50s")


async def test_kubectl_dry_runs_on_the_server(kubectl: Kubectl) -> None:
    """What would be made is shown, and not made."""
    await kubectl("create", "configmap", "one", "--from-literal=a=1")
    changed = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"2"}}'
    await kubectl("replace", "--dry-run=server", "-f", "-", stdin=changed)
    assert (await shown(kubectl, "configmap", "one"))["data"] == {"a": "1"}


async def test_kubectl_scales_and_restarts(kubectl: Kubectl) -> None:
    """A Deployment is scaled by its subresource and restarted by an annotation of its template."""
    spec = {"containers": [{"name": "app", "image": "app:1"}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    item = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": body}
    await kubectl("apply", "-f", "-", stdin=str(yaml.safe_dump(item)))
    await kubectl("scale", "deployment", "web", "--replicas=3")
    await kubectl("rollout", "restart", "deployment", "web")
    web = (await shown(kubectl, "deployment", "web"))["spec"]
    assert web["replicas"] == 3
    assert "kubectl.kubernetes.io/restartedAt" in web["template"]["metadata"]["annotations"]


async def test_kubectl_works_with_custom_resources(kubectl: Kubectl) -> None:
    """A definition can be waited for; its objects are applied, listed by short name with their columns, and edited."""
    group = f"g{secrets.token_hex(4)}.example.org"
    size = {"type": "object", "properties": {"size": {"type": "integer"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": size}}},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    short = f"w{secrets.token_hex(3)}"
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": [short]}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    await kubectl("apply", "-f", "-", stdin=str(yaml.safe_dump(definition)))
    await kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=30s")
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    assert "one created" in await kubectl("apply", "-f", "-", stdin=str(yaml.safe_dump(widget)))
    assert [line.split() for line in (await kubectl("get", short)).splitlines()] == [["NAME", "SIZE"], ["one", "3"]]
    widget["spec"] = {"size": 4}
    assert "one configured" in await kubectl("apply", "-f", "-", stdin=str(yaml.safe_dump(widget)))
    await kubectl("edit", short, "one", environment={"KUBE_EDITOR": "sed -i -e s/size:\\ 4/size:\\ 5/"})
    assert (await shown(kubectl, short, "one"))["spec"] == {"size": 5}
    assert "widgets" in await kubectl("api-resources", "--api-group", group, "-o", "name")
    await kubectl("delete", "crd", f"widgets.{group}", "--timeout=50s")


async def test_kubectl_asks_what_it_may(kube_api: KubeApi, kubectl: Kubectl, tmp_path: Path) -> None:
    """With a service account's token it is that account."""
    kube_api.enforce_rbac()
    binary = kubectl_binary()
    assert binary is not None
    namespace = await kube_api.new_namespace()
    token = await kube_api.token_for(namespace, "web")
    config = kube_api.write_kubeconfig(tmp_path / "web", token, namespace)
    as_account = Kubectl(binary, config, home=tmp_path, namespace=namespace)
    assert (await as_account.run("auth", "can-i", "list", "pods")).out == "no\n"
    done = await as_account.run("get", "pods")
    assert f'User "system:serviceaccount:{namespace}:web" cannot list resource "pods"' in done.err
    assert (await kubectl.run("auth", "can-i", "list", "pods")).out == "yes\n"
