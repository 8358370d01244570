"""Pods on the test kubelet as a cluster's users know them: order, names, files, rights, probes, ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kit.live import until
from tests.kube.cluster import Cluster

pytestmark = [pytest.mark.kube, pytest.mark.root]


@pytest.fixture
async def site(cluster: Cluster) -> AsyncIterator[Cluster]:
    """The cluster, opened for this test."""
    async with cluster.opened() as opened:
        yield opened


def pod(name: str, namespace: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod that is not restarted."""
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    body = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, **spec, "containers": list(containers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a script."""
    return {"name": name, "image": "shell", "args": ["-c", script], **more}


async def test_order_of_containers(site: Cluster) -> None:
    """Init containers one by one, sidecars as soon as they are started, then the others; a sidecar ends after them."""
    namespace = await site.api.new_namespace()
    note = "echo {} >> /shared/order"
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    sidecar = shell(
        "sidecar",
        f"trap '{note.format('sidecar-ends')}; exit 0' TERM; {note.format('sidecar')}; touch /tmp/up; "
        "while true; do sleep 0.05; done",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1},
        **mounts,
    )
    inits = [shell("one", note.format("one"), **mounts), sidecar, shell("two", note.format("two"), **mounts)]
    volumes = [{"name": "shared", "emptyDir": {}}]
    item = pod("order", namespace, shell("main", note.format("main"), **mounts), initContainers=inits, volumes=volumes)
    (made,) = await site.api.apply(item)
    assert await site.phase(namespace, "order", "Succeeded", "Failed") == "Succeeded"
    lines = (site.volume(made, "shared") / "order").read_text(encoding="utf-8").splitlines()
    assert lines == ["one", "sidecar", "two", "main", "sidecar-ends"]


async def test_a_post_start_hook_holds_the_next_container(site: Cluster) -> None:
    """Until it has succeeded; a proxy that applications shall wait for relies on it."""
    namespace = await site.api.new_namespace()
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "until [ -e /shared/up ]; do sleep 0.05; done"]}}}
    slow = shell("slow", "sleep 1; touch /shared/up; sleep 1", lifecycle=hook, **mounts)
    item = pod(
        "held", namespace, slow, shell("main", "ls /shared", **mounts), volumes=[{"name": "shared", "emptyDir": {}}]
    )
    await site.api.apply(item)
    assert await site.phase(namespace, "held", "Succeeded", "Failed") == "Succeeded", site.story(namespace)
    assert site.log(namespace, "held", "main") == "up\n"


async def test_who_a_container_is(site: Cluster) -> None:
    """User, groups, rights, root file system, host name, variables and arguments are as the manifest says."""
    namespace = await site.api.new_namespace()
    script = """
echo "id=$(id -u) $(id -g) $(id -G)"; echo "host=$(hostname)"; echo "first=$(cat /proc/1/comm)"; echo "zero=$0"
echo "ip=$IP"; echo "root=$(touch /here 2>&1)"; echo "joined=$JOINED"; echo "cpu=$CPU"
grep -E '^Cap(Eff|Bnd)' /proc/self/status | tr -d '\t' | tr : =
echo "address=$(ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4)"
"""
    container = {
        "name": "main",
        "image": "shell",
        "command": ["/bin/sh", "-c", script, "called $(IP)"],
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "JOINED", "value": "$(IP):$(NOBODY):$$(IP)"},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "resources": {"limits": {"cpu": "1500m"}},
        "securityContext": {
            "runAsUser": 1000,
            "runAsGroup": 2000,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }
    await site.api.apply(pod("who", namespace, container, securityContext={"fsGroup": 3000}))
    assert await site.phase(namespace, "who", "Succeeded", "Failed") == "Succeeded", site.story(namespace)
    said = dict(line.split("=", 1) for line in site.log(namespace, "who", "main").splitlines())
    item = await site.api.get("v1", "Pod", "who", namespace)
    assert item is not None
    ip = item["status"]["podIP"]
    assert said == {
        "id": "1000 2000 2000 3000",
        "host": "who",
        "first": "sh",
        "root": "touch: cannot touch '/here': Read-only file system",
        "CapBnd": "0000000000001000",
        "CapEff": "0000000000000000",
        "ip": ip,
        "joined": f"{ip}:$(NOBODY):$(IP)",
        "cpu": "2",
        "address": f"{ip}/32",
        "zero": f"called {ip}",
    }


async def test_files_of_a_pod(site: Cluster) -> None:
    """Token with its audience, root certificate, downward API, ConfigMap and Secret; a changed ConfigMap arrives."""
    namespace = await site.api.new_namespace()
    sources = [
        {"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 7200, "path": "istio-token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "root.pem"}]}},
        {"downwardAPI": {"items": [{"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}},
        {"secret": {"name": "late", "items": [{"key": "key", "path": "nested/key"}]}},
    ]
    volumes = [
        {"name": "all", "projected": {"sources": sources}},
        {"name": "settings", "configMap": {"name": "settings"}},
    ]
    mounts = [
        {"name": "all", "mountPath": "/etc/all", "readOnly": True},
        {"name": "settings", "mountPath": "/etc/settings"},
    ]
    script = "while ! grep -q new /etc/settings/mode; do sleep 0.05; done; cd /etc/all; cat app nested/key root.pem"
    meta = {"namespace": namespace}
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", **meta},
        "data": {"mode": "old"},
    }
    main = shell("main", script, volumeMounts=mounts)
    (_, made) = await site.api.apply(settings, pod("files", namespace, main, volumes=volumes))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "late", **meta},
        "stringData": {"key": "value\n"},
    }
    await site.api.apply(secret)  # until now the pod waits
    token = site.volume(made, "all") / "istio-token"
    await until(token.exists, lambda: site.story(namespace))
    body = {"spec": {"token": token.read_text(encoding="utf-8"), "audiences": ["istio-ca"]}}
    review = (await site.api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)).json["status"]
    assert review["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert review["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["files"]
    await site.api.apply({**settings, "data": {"mode": "new"}})
    assert await site.phase(namespace, "files", "Succeeded", "Failed") == "Succeeded", site.story(namespace)
    said = site.log(namespace, "files", "main")
    assert said == f"filesvalue\n{site.api.ca_pem.decode()}"


def deployment(
    name: str, namespace: str, container: dict[str, Any], replicas: int, **spec: Any
) -> list[dict[str, Any]]:
    """A Deployment, and the Service in front of it."""
    meta = {"name": name, "namespace": namespace}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}},
    ]


async def test_services_have_names_and_addresses(site: Cluster) -> None:
    """A Deployment is called by its Service's short name; only pods whose readiness probe succeeds answer."""
    namespace = await site.api.new_namespace()
    container = {
        "name": "echo",
        "image": "echo",
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }
    await site.api.apply(*deployment("echo", namespace, container, 3, volumes=[{"name": "state", "emptyDir": {}}]))
    pods = await site.ready(namespace, "echo", 3)
    (site.volume(pods[0], "state") / "unready").touch()
    await site.ready(namespace, "echo", 3, but=1)

    async def called() -> dict[str, int]:
        env = [{"name": "URL", "value": "http://echo/"}, {"name": "COUNT", "value": "60"}]
        name = f"caller-{len(await site.pods(namespace))}"
        await site.api.apply(pod(name, namespace, {"name": "caller", "image": "caller", "env": env}))
        assert await site.phase(namespace, name, "Succeeded", "Failed") == "Succeeded", site.story(namespace)
        pods: dict[str, int] = site.lines(namespace, name, "caller")[-1]["pods"]
        return pods

    assert set(await called()) <= {item["metadata"]["name"] for item in pods[1:]}


async def test_containers_are_started_again(site: Cluster) -> None:
    """By restart policy and liveness probe, with back-off, and counted; the last end is told."""
    namespace = await site.api.new_namespace()
    failing = shell("main", "exit 3")
    hanging = shell(
        "main",
        "sleep infinity",
        livenessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1},
        startupProbe={"exec": {"command": ["true"]}, "periodSeconds": 1},
    )
    await site.api.apply(
        pod("failing", namespace, failing, restartPolicy="OnFailure"),
        pod("hanging", namespace, hanging, restartPolicy="Always", terminationGracePeriodSeconds=1),
        pod("once", namespace, failing),
    )
    assert await site.phase(namespace, "once", "Succeeded", "Failed") == "Failed"

    async def restarted(name: str, code: int) -> bool:
        item = await site.api.get("v1", "Pod", name, namespace)
        (status,) = (item or {}).get("status", {}).get("containerStatuses", [{}])
        ends = status.get("lastState", {}).get("terminated", {})
        return bool(status.get("restartCount", 0) >= 2 and ends.get("exitCode") == code)

    await until(lambda: restarted("failing", 3), lambda: site.story(namespace), within_s=30)
    await until(lambda: restarted("hanging", 137), lambda: site.story(namespace), within_s=90)


async def test_a_pod_ends_with_grace(site: Cluster) -> None:
    """The preStop hooks, then SIGTERM, then the object goes; a sidecar's hook runs at once, its SIGTERM comes last."""
    namespace = await site.api.new_namespace()
    mounts = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    script = "trap 'echo {0} ends >> /log/lines; exit 0' TERM; echo {0} >> /log/lines; while true; do sleep 0.05; done"

    def hook(line: str) -> dict[str, Any]:
        return {"preStop": {"exec": {"command": ["sh", "-c", line]}}}

    both = (hook("until grep hook /log/lines; do sleep 0.05; done"), hook("echo sidecar hook >> /log/lines"))
    main = shell("main", script.format("main"), lifecycle=both[0], **mounts)
    sidecar = shell("sidecar", script.format("sidecar"), restartPolicy="Always", lifecycle=both[1], **mounts)
    kept = site.directory / f"kept-{namespace}"
    kept.mkdir()
    volumes = [{"name": "log", "hostPath": {"path": str(kept)}}]
    (made,) = await site.api.apply(pod("ending", namespace, main, initContainers=[sidecar], volumes=volumes))
    lines = kept / "lines"
    await until(
        lambda: lines.exists() and lines.read_text(encoding="utf-8").count("\n") == 2, lambda: site.story(namespace)
    )
    await site.api.delete(made)
    await site.api.until_gone(made)
    begun, ended = (lines.read_text(encoding="utf-8").splitlines()[part] for part in (slice(2), slice(2, None)))
    assert (sorted(begun), ended) == (["main", "sidecar"], ["sidecar hook", "main ends", "sidecar ends"])


def links(site: Cluster) -> set[str]:
    """The names of the node's network interfaces."""
    return {item["ifname"] for item in json.loads(site.node.run("ip", "-j", "link"))}


async def test_nothing_is_left_of_a_pod(site: Cluster) -> None:
    """Neither its cable nor its files, also when it is deleted at once."""
    namespace = await site.api.new_namespace()
    before = links(site)
    (made,) = await site.api.apply(pod("short", namespace, shell("main", "sleep infinity")))
    assert await site.phase(namespace, "short", "Running") == "Running"
    own = links(site) - before  # pods of other tests may be about to go
    assert own
    await site.api.delete(made, grace_s=0)
    await site.api.until_gone(made)
    await until(lambda: not own & links(site), lambda: site.node.run("ip", "-o", "link"))
    await until(lambda: not site.volume(made, "").parent.exists(), lambda: "its folder is there")
