"""docs/kubernetes.md, typed as it stands: by an administrator with kubectl, helm and pilotctl."""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.kit.doc_steps import doc_steps
from tests.kit.eventually import eventually
from tests.kit.helm import one, render
from tests.kit.kube_api.handle import Json, KubeApi
from tests.kit.live import Program, program
from tests.kube.server import ControlPlane, running_control_plane

pytestmark = [pytest.mark.kube, pytest.mark.envoy]

_ROOT: Final = Path(__file__).resolve().parents[2]
_PAGE: Final = _ROOT / "docs/kubernetes.md"
_WITHIN_S: Final = 60.0
_SYSTEM: Final = "istio-system"
_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_VERSIONS: Final = {
    "Secret": "v1",
    "ServiceAccount": "v1",
    "Deployment": "apps/v1",
    "Lease": "coordination.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
}
_OF_KUBERNETES: Final = frozenset(
    {"cluster-info", "extension-apiserver-authentication", "kube-apiserver-legacy-service-account-token-tracking"}
    | {"kube-root-ca.crt"}
)
_DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec: {containers: [{name: reviews, image: example.com/reviews}]}
"""
_RULE: Final = """\
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{timeout: 2s, route: [{destination: {host: reviews}}]}]}
"""


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """A server of our own, for the page deletes everything in the end."""
    with running_control_plane() as running:
        yield running


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """Its administrator's view."""
    async with KubeApi(control_plane.address) as opened:
        yield opened


class Shell:
    """A shell at the root of a tree that has this tree's charts, and the files that the page speaks of."""

    def __init__(self, control_plane: ControlPlane, directory: Path) -> None:
        self._directory = directory / "tree"
        self._directory.mkdir()
        (self._directory / "charts").symlink_to(_ROOT / "charts")
        (self._directory / "deployment.yaml").write_text(_DEPLOYMENT)
        (self._directory / "reviews.yaml").write_text(_RULE)
        commands = directory / "bin"
        commands.mkdir()
        (commands / "kubectl").symlink_to(control_plane.programs["kubectl"])
        programs = {
            "helm": "tests.kit.helm_command",
            "pilotctl": "discovery.ctl.cli",
            "pilot-discovery": "discovery.cli",
        }
        for name, module in programs.items():
            run = f"import sys; sys.argv[0] = '{name}'; from {module} import main; main()"
            (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{run}" "$@"\n')
            (commands / name).chmod(0o755)
        self.environment: dict[str, str] = {
            "PATH": f"{commands}:/usr/bin:/bin",
            "HOME": str(directory),
            "PYTHONPATH": str(_ROOT),
            "KUBECONFIG": str(control_plane.address.kubeconfig),
        }

    async def __call__(self, text: str) -> str:
        """Type a block, which must succeed; what it prints."""
        process = await asyncio.create_subprocess_exec(
            shutil.which("bash") or "bash",
            "-euo",
            "pipefail",
            "-c",
            text,
            cwd=self._directory,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_WITHIN_S):
            out, _ = await process.communicate()
        assert process.returncode == 0, f"{text}\nended with {process.returncode}:\n{out.decode()}"
        return out.decode()


async def test_every_command_does_what_the_page_says(api: KubeApi, control_plane: ControlPlane, tmp_path: Path) -> None:
    """In the order of the page. A control plane runs beside, where the Deployment of the chart would have one."""
    shell = Shell(control_plane, tmp_path)
    install, *blocks, uninstall = [step.text for step in doc_steps(_PAGE)]
    await shell(install)
    await _without_validation(api)
    async with _discovery(api, tmp_path) as running:
        port = (await running.said(r"listening .*what=monitoring.*?port=(\d+)"))[1]
        shell.environment["PILOTCTL_DISCOVERY_ADDRESS"] = f"http://127.0.0.1:{port}"
        told = await shell(f"pilot-discovery {' '.join(_helm_test())} --host 127.0.0.1 --port {port}")
        assert "0.1.0" in told
        for block in blocks:
            await shell(block)
            await _is_as_told(api, block)
    await shell(uninstall)
    assert await api.list_all("apiextensions.k8s.io/v1", "CustomResourceDefinition") == []
    for kind in ("Secret", "Lease", "Deployment", "Role", "ServiceAccount"):
        left = [item["metadata"]["name"] for item in await api.list_all(_VERSIONS[kind], kind, _SYSTEM)]
        assert set(left) <= {"default"}, kind
    assert {item["metadata"]["name"] for item in await api.list_all("v1", "ConfigMap")} <= _OF_KUBERNETES


def _helm_test() -> list[str]:
    """What the pod of `helm test` runs; it is told the Service, which leads nowhere here."""
    (container,) = one(render("discovery"), "Pod")["spec"]["containers"]
    arguments: list[str] = container["args"]
    assert arguments[1:3] == ["--host", "istiod.istio-system.svc"]
    return [arguments[0], *arguments[3:]]


async def _without_validation(api: KubeApi) -> None:
    """Nothing routes to a Service here, so that objects would be refused by a webhook that cannot be asked."""
    for item in await api.list_all(_ADMISSION, "ValidatingWebhookConfiguration"):
        named = {"apiVersion": _ADMISSION, "kind": "ValidatingWebhookConfiguration", "metadata": item["metadata"]}
        await api.delete(named)


async def _is_as_told(api: KubeApi, block: str) -> None:
    """What the page says of a step beyond that it succeeds."""
    if "kube-inject" in block:
        deployment = await api.get("apps/v1", "Deployment", "reviews", "shop")
        assert deployment is not None
        pod = deployment["spec"]["template"]["spec"]
        assert "localhost/pilot-mesh/proxyv2:0.1.0" in {c["image"] for c in pod["containers"]} or "inject.yaml" in block
        assert "istio-proxy" in {c["name"] for c in pod["containers"]}
    if "reviews.yaml" in block:

        async def reconciled() -> bool:
            found = await api.get("networking.istio.io/v1", "VirtualService", "reviews", "shop")
            conditions = ((found or {}).get("status") or {}).get("conditions", ())
            return [(c["type"], c["status"]) for c in conditions] == [("Accepted", "True"), ("Reconciled", "True")]

        await eventually(reconciled)
    if "revisionTags" in block:
        owner = "istiod-0-2" if "revision=0-2" in block else "istiod-0-1"
        tag = await api.get(_ADMISSION, "MutatingWebhookConfiguration", f"istio-revision-tag-stable-{_SYSTEM}")
        assert tag is not None
        assert {webhook["clientConfig"]["service"]["name"] for webhook in tag["webhooks"]} == {owner}
        if owner == "istiod-0-1":
            await _put_bundles(api, tag)
        else:  # moved in one step: nobody has to write the bundles again before pods can be made
            assert {webhook["clientConfig"]["caBundle"] for webhook in tag["webhooks"]} == {_bundle(api)}


def _bundle(api: KubeApi) -> str:
    return base64.b64encode(api.ca_pem).decode()


async def _put_bundles(api: KubeApi, tag: Json) -> None:
    """What the control plane of a revision does."""
    bundles = [
        {"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": _bundle(api)}
        for number in range(len(tag["webhooks"]))
    ]
    path = await api.path(_ADMISSION, "MutatingWebhookConfiguration", name=tag["metadata"]["name"])
    answer = await api.call(
        "PATCH", path, body=msgspec.json.encode(bundles), content_type="application/json-patch+json"
    )
    assert answer.status == 200, answer.body


@asynccontextmanager
async def _discovery(api: KubeApi, directory: Path) -> AsyncIterator[Program]:
    """The program as the installed Deployment starts it."""
    (container,) = one(render("discovery"), "Deployment")["spec"]["template"]["spec"]["containers"]
    token = await api.token_for(_SYSTEM, "istiod")
    kubeconfig = api.write_kubeconfig(directory / "istiod.kubeconfig", token)
    env = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    env |= {"POD_NAME": "istiod-0", "POD_NAMESPACE": _SYSTEM}
    own = [f"--kubeconfig={kubeconfig}"]
    own += [f"--{name}=127.0.0.1:0" for name in ("secureGRPCAddr", "httpAddr", "httpsAddr", "monitoringAddr")]
    argv = (sys.executable, "-m", "discovery", *container["args"], *own, "--grpcAddr=")
    async with program("pilot-discovery", argv, cwd=directory, env=env) as running:
        await running.said(r"^\[info\s*\] ready\b")
        yield running
