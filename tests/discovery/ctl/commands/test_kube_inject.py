"""``pilotctl kube-inject``."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from discovery.ctl.cli import cli
from discovery.inject.builtin import builtin_values, config_from_values
from discovery.inject.config import InjectorConfig, parse_config
from discovery.inject.native_sidecar import NativeSidecars
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object
from discovery.webhooks.admission import GroupVersionKind, Request
from discovery.webhooks.injecting import InjectSettings, PodInjector
from discovery.webhooks.injector_config import InjectorState
from tests.kit.kube_api.patching import json_patch

MANIFEST = """\
apiVersion: v1
kind: Service  # a comment that stays
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "web:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: out, annotations: {sidecar.istio.io/inject: "false"}}
spec: {containers: [{name: out, image: "out:1"}]}
"""


def run(*arguments: str, text: str = MANIFEST) -> Result:
    """The command with manifests on its input."""
    return CliRunner().invoke(cli, ["kube-inject", "-f", "-", *arguments], input=text)


def test_pods_get_a_proxy_and_nothing_else_changes() -> None:
    """What has no pod passes as it is written; a pod that refuses is named."""
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(MANIFEST.partition("---\n")[0] + "---\n")
    service, deployment, pod = (document for document in yaml.safe_load_all(result.stdout) if document)
    names = [container["name"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    assert names == ["web", "istio-proxy"]
    assert service["kind"] == "Service"
    assert [container["name"] for container in pod["spec"]["containers"]] == ["out"]
    assert 'Skipping injection because Pod "out" has sidecar injection disabled' in result.stderr


def test_what_was_injected_passes_unchanged() -> None:
    """The output may be the input."""
    once = run().stdout
    assert list(yaml.safe_load_all(run(text=once).stdout)) == list(yaml.safe_load_all(once))


def test_files_decide(tmp_path: Path) -> None:
    """Templates, values and mesh configuration of a cluster, the revision and the kind of sidecar."""
    labels = "{td: {{ .MeshConfig.TrustDomain }}, rev: {{ .Revision }}}"
    files = {"config": f"templates: {{sidecar: 'metadata: {{labels: {labels}}}'}}"}
    files |= {"values": yaml.safe_dump(builtin_values()), "mesh": "trustDomain: td.example"}
    paths = {}
    for name, content in files.items():
        paths[name] = tmp_path / name
        paths[name].write_text(content)
    out = tmp_path / "out.yaml"
    options = [
        "--injectConfigFile",
        paths["config"],
        "--valuesFile",
        paths["values"],
        "--meshConfigFile",
        paths["mesh"],
    ]
    result = run(*map(str, options), "-r", "canary", "-o", str(out))
    assert result.exit_code == 0, result.output
    deployment = list(yaml.safe_load_all(out.read_text()))[1]
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "web", "td": "td.example", "rev": "canary"}
    native = list(yaml.safe_load_all(run("--nativeSidecars").stdout))[1]
    assert [item["name"] for item in native["spec"]["template"]["spec"]["initContainers"]] == [
        "istio-init",
        "istio-proxy",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "line 1"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}", "Deployment x: spec is missing"),
        (MANIFEST.replace("{app: web}", "{app: 1}"), "Deployment web: metadata.labels"),
    ],
)
def test_what_cannot_be_injected(text: str, problem: str) -> None:
    """Ends with the reason; nothing half is written."""
    result = run(text=text)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert result.stdout == ""


def test_a_bad_configuration_file(tmp_path: Path) -> None:
    """Is named."""
    path = tmp_path / "config.yaml"
    path.write_text("templates: {a: '{{ if }}'}")
    result = run("--injectConfigFile", str(path))
    assert result.exit_code == 1
    assert str(path) in result.stderr


class Around:
    """A mesh without nodes and objects."""

    mesh = MeshConfig()

    def proxy_configs(self) -> Iterable[Object]:
        return ()

    def kubelets(self) -> Mapping[str, str]:
        return {}

    def namespace_annotations(self, namespace: str) -> Mapping[str, str]:
        return {"name": namespace}


def by_webhook(template: dict[str, Any], config: InjectorConfig, *, native: bool) -> dict[str, Any]:
    """A template of the Deployment `web`, made a pod by Kubernetes' controllers and injected by the webhook."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9c", "uid": "1", "controller": True}
    given = copy.deepcopy(template)
    given["metadata"] |= {"generateName": "web-5d9c-", "ownerReferences": [owner]}
    given["metadata"]["labels"] = {**given["metadata"].get("labels", {}), "pod-template-hash": "5d9c"}
    kinds = NativeSidecars.TRUE if native else NativeSidecars.FALSE
    state = InjectorState(config, builtin_values())
    injector = PodInjector(lambda: state, Around(), InjectSettings(native=kinds))
    asked = Request(uid="u", kind=GroupVersionKind("", "v1", "Pod"), namespace="shop", operation="CREATE", object=given)
    answer = injector.review(asked, "/inject").answer
    assert answer.allowed, answer.message
    pod = json_patch(copy.deepcopy(given), copy.deepcopy(list(map(dict, answer.patch))))
    for name in ("generateName", "ownerReferences"):
        del pod["metadata"][name]
    del pod["metadata"]["labels"]["pod-template-hash"]
    return {key: pod[key] for key in ("metadata", "spec")}


_APP: Final[dict[str, Any]] = {"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]}
_PROBES: Final = {
    "readinessProbe": {"httpGet": {"port": 8080, "scheme": "HTTPS"}, "timeoutSeconds": 3},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
    "startupProbe": {"grpc": {"port": 9000}},
    "lifecycle": {"preStop": {"httpGet": {"port": 8080, "path": "/bye"}}},
}
_TEMPLATES: Final = """\
policy: enabled
defaultTemplates: [sidecar, audit]
templates:
  sidecar: "spec: {containers: [{name: istio-proxy, image: {{ .ProxyImage }}}]}"
  audit: "metadata: {annotations: {kind: {{ .TypeMeta.Kind }}, name: {{ .DeploymentMeta.Name }}}}"
"""


def pod_template(
    *containers: dict[str, Any], labels: Mapping[str, str] | None = None, **annotations: str
) -> dict[str, Any]:
    """Underscores in names of annotations stand for slashes."""
    named = {key.replace("__", "."): value for key, value in annotations.items()}
    named = {key.replace("_", "/"): value for key, value in named.items()}
    metadata: dict[str, Any] = {"labels": {"app": "web", **(labels or {})}} | ({"annotations": named} if named else {})
    return {"metadata": metadata, "spec": {"containers": list(containers or (_APP,))}}


@pytest.mark.parametrize("native", [False, True], ids=["container", "native"])
@pytest.mark.parametrize(
    ("template", "config"),
    [
        pytest.param(pod_template(), "", id="plain"),
        pytest.param(pod_template({**_APP, **_PROBES}), "", id="probes"),
        pytest.param(
            pod_template(_APP, {"name": "istio-proxy", "image": "auto", "env": [{"name": "A", "value": "1"}]}),
            "",
            id="own proxy",
        ),
        pytest.param(
            pod_template(
                sidecar__istio__io_interceptionMode="TPROXY",
                sidecar__istio__io_proxyCPU="100m",
                proxy__istio__io_config="{holdApplicationUntilProxyStarts: true, concurrency: 3}",
                traffic__sidecar__istio__io_excludeOutboundPorts="5432",
            ),
            "",
            id="annotations",
        ),
        pytest.param(
            pod_template(prometheus__io_scrape="true", prometheus__io_port="8080", prometheus__io_path="/m"),
            "",
            id="prometheus",
        ),
        pytest.param(pod_template(labels={"topology.istio.io/network": "n2"}), "", id="network"),
        pytest.param(pod_template(), _TEMPLATES, id="templates"),
        pytest.param(
            pod_template(sidecar__istio__io_nativeSidecar="true", inject__istio__io_templates="grpc-agent"),
            "",
            id="another template",
        ),
    ],
)
def test_the_webhook_makes_the_same(template: dict[str, Any], config: str, *, native: bool, tmp_path: Path) -> None:
    """Whoever injects by hand gets what the cluster would have made of the pods, field by field."""
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template},
    }
    options = ["--nativeSidecars"] if native else []
    if config:
        path = tmp_path / "config"
        path.write_text(config)
        options += ["--injectConfigFile", str(path)]
    result = run(*options, text=yaml.safe_dump(document, sort_keys=False))
    assert result.exit_code == 0, result.output
    (done, *_) = yaml.safe_load_all(result.stdout)
    known = parse_config(config) if config else config_from_values(builtin_values())
    wanted = by_webhook(template, known, native=native)
    assert "istio-proxy" in str(wanted["spec"])
    assert done["spec"]["template"] == wanted


def test_texts_stay_texts() -> None:
    """A commit in a label may look like a number to kubectl, and an answer like a boolean."""
    manifest = """\
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, version: "123e4"}}
spec: {containers: [{name: web, image: "web:1", env: [{name: A, value: "08"}, {name: B, value: "y"}]}]}
"""
    written = run(text=manifest).stdout
    assert "version: '123e4'\n" in written
    assert "service.istio.io/canonical-revision: '123e4'\n" in written
    assert "value: '08'\n" in written
    assert "value: 'y'\n" in written


def test_a_pod_without_a_spec_gets_one() -> None:
    """`spec:` with nothing behind it is what editors leave behind."""
    result = run(text="apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n")
    assert result.exit_code == 0, result.output
    assert [container["name"] for container in next(yaml.safe_load_all(result.stdout))["spec"]["containers"]] == [
        "istio-proxy"
    ]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """An archive in the place of manifests is named, without a stack trace."""
    (tmp_path / "web.tgz").write_bytes(b"\x1f\x8b\xff")
    result = CliRunner().invoke(cli, ["kube-inject", "-f", str(tmp_path / "web.tgz")])
    assert result.exit_code == 1
    assert "web.tgz: 'utf-8' codec can't decode byte 0x8b" in result.output
