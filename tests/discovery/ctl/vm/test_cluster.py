"""What a cluster says of a machine's group: read by the command, from the double or a real API server."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding

from tests.kit.certs import root_ca
from tests.kit.ctl import pilotctl
from tests.kit.helm import of_kind, render
from tests.kit.kube_api.handle import KubeApi


def _group(namespace: str) -> dict[str, Any]:
    template = {"serviceAccount": "web", "network": "yard"}
    metadata = {"name": "vm", "namespace": namespace}
    api = "networking.istio.io/v1"
    return {"apiVersion": api, "kind": "WorkloadGroup", "metadata": metadata, "spec": {"template": template}}


def _config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


async def _prepared(api: KubeApi) -> tuple[str, str]:
    """A namespace with a group and roots, and that of a control plane with its configuration."""
    (definition,) = (d for d in of_kind(render("base"), "CustomResourceDefinition") if "workloadgroups" in str(d))
    await api.apply(definition)
    shop, system = await api.new_namespace("shop-"), await api.new_namespace("system-")
    root = root_ca().certificate.public_bytes(Encoding.PEM).decode()
    values = json.dumps({"global": {"multiCluster": {"clusterName": "east"}}})
    await api.apply(
        _group(shop),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": shop}},
        _config_map(shop, "istio-ca-root-cert", **{"root-cert.pem": root}),
        _config_map(system, "istio", mesh="{trustDomain: corp.example, defaultConfig: {concurrency: 3}}"),
        _config_map(system, "istio-sidecar-injector", values=values),
    )
    return shop, system


async def _configure(api: KubeApi, output: Path, namespace: str, system: str, *more: str) -> Result:
    where = ("--kubeconfig", str(api.kubeconfig), "-n", namespace, "-i", system, "-o", str(output))
    return await asyncio.to_thread(pilotctl, "x", "workload", "entry", "configure", *where, *more)


async def test_all_of_it_comes_from_the_cluster(kube_api: KubeApi, tmp_path: Path) -> None:
    """Group, mesh configuration, roots, name of the cluster, and a token of the account for the mesh's audience."""
    shop, system = await _prepared(kube_api)
    done = await _configure(kube_api, tmp_path / "out", shop, system, "--name", "vm", "--autoregister")
    assert done.exit_code == 0, done.output
    env = (tmp_path / "out/cluster.env").read_text()
    assert "ISTIO_META_CLUSTER_ID='east'" in env
    assert "SERVICE_ACCOUNT='web'" in env
    assert "ISTIO_META_NETWORK='yard'" in env
    assert "TRUST_DOMAIN='corp.example'" in env
    assert "concurrency: 3" in (tmp_path / "out/mesh.yaml").read_text()
    assert (tmp_path / "out/root-cert.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    payload = (tmp_path / "out/istio-token").read_text().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["sub"], claims["aud"]) == (f"system:serviceaccount:{shop}:web", ["istio-ca"])


async def test_what_is_missing_is_said(kube_api: KubeApi, tmp_path: Path) -> None:
    """By name, with what to do; nothing is written."""
    shop, system = await _prepared(kube_api)
    empty = await kube_api.new_namespace("empty-")
    group = tmp_path / "group.yaml"
    group.write_text(json.dumps({**_group(shop), "spec": {"template": {"serviceAccount": "nobody"}}}))
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(json.dumps(_group(empty)))
    for more, said in (
        ((), "or its --name and --namespace in the cluster"),
        (("--name", "none"), f"no WorkloadGroup {shop}/none"),
        (("-f", str(group)), f"kubectl create serviceaccount nobody -n {shop}"),
        (("-f", str(elsewhere)), f"no ConfigMap {empty}/istio-ca-root-cert"),
    ):
        done = await _configure(kube_api, tmp_path / "out", shop, system, *more)
        assert (done.exit_code, said in done.output) == (1, True), done.output
    assert not (tmp_path / "out").exists()


async def test_what_is_given_is_not_asked_for(kube_api: KubeApi, tmp_path: Path) -> None:
    """A file for a group that is not applied yet, a mesh configuration, a name of the cluster, a token."""
    shop, system = await _prepared(kube_api)
    for name, text in (
        ("group.yaml", json.dumps({**_group(shop), "spec": {"template": {"serviceAccount": "unmade"}}})),
        ("mesh.yaml", "trustDomain: other.example"),
        ("token", "abc"),
    ):
        (tmp_path / name).write_text(text)
    files = [f"-f{tmp_path}/group.yaml", f"--meshConfigFile={tmp_path}/mesh.yaml", f"--token-file={tmp_path}/token"]
    done = await _configure(kube_api, tmp_path / "out", shop, system, *files, "--clusterID=west")
    assert done.exit_code == 0, done.output
    assert "TRUST_DOMAIN='other.example'" in (tmp_path / "out/cluster.env").read_text()
    assert "ISTIO_META_CLUSTER_ID='west'" in (tmp_path / "out/cluster.env").read_text()
    assert (tmp_path / "out/istio-token").read_text() == "abc"
