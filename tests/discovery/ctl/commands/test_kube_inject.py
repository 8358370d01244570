"""``pilotctl kube-inject``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from discovery.ctl.cli import cli
from discovery.inject.builtin import builtin_values

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
