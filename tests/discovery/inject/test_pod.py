"""A pod with its proxy: the rules that the golden cases do not show."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.builtin import TEMPLATE_NAMES, builtin_values, config_from_values
from discovery.inject.config import parse_config
from discovery.inject.errors import PodError
from discovery.inject.pod import Injection, _template_data, inject
from discovery.inject.proxy_config import effective_proxy_config
from discovery.inject.workload import Workload
from discovery.schema.mesh_config import MeshConfig

MESH = MeshConfig()
VALUES = builtin_values()
BY = Injection(
    config=config_from_values(VALUES),
    values=VALUES,
    mesh=MESH,
    proxy_config=effective_proxy_config(MESH, namespace="shop", labels={}, annotations={}),
    workload=Workload(name="web", namespace="shop", api_version="apps/v1", kind="Deployment"),
)


def pod(
    *, annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod as users write it."""
    metadata = {"annotations": annotations or {}, "labels": labels or {"app": "web"}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app:1"}], **spec}}


def by(**changes: Any) -> Injection:
    """Other circumstances."""
    return msgspec.structs.replace(BY, **changes)


def with_values(changes: dict[str, Any]) -> dict[str, Any]:
    """The values with some of ``global`` changed."""
    return {**VALUES, "global": {**VALUES["global"], **changes}}


def container(subject: dict[str, Any], name: str) -> dict[str, Any]:
    """A container of either kind."""
    both = (*subject["spec"].get("initContainers", ()), *subject["spec"]["containers"])
    return next(found for found in both if found["name"] == name)


def variables(subject: dict[str, Any]) -> dict[str, Any]:
    """The proxy's variables that have plain values."""
    return {item["name"]: item.get("value") for item in container(subject, "istio-proxy")["env"]}


def test_nothing_given_is_changed() -> None:
    """Neither the pod nor what it is injected by."""
    subject, values = pod(), copy.deepcopy(VALUES)
    before = copy.deepcopy(subject)
    inject(subject, BY)
    assert subject == before
    assert values == VALUES


PODS = st.fixed_dictionaries(
    {
        "native": st.booleans(),
        "templates": st.sampled_from(["", "sidecar", "gateway", "grpc-agent", "grpc-simple", "sidecar,sidecar"]),
        "probe": st.sampled_from([None, {"httpGet": {"port": 80}}, {"grpc": {"port": 1}}]),
        "own": st.sampled_from([None, {"image": "auto"}, {"image": "own:1", "env": [{"name": "MINE", "value": "1"}]}]),
        "init": st.sampled_from([[], ["a"], ["a", "b"]]),
        "network": st.sampled_from(["", "net"]),
        "annotations": st.dictionaries(
            st.sampled_from(
                ["prometheus.io/port", "sidecar.istio.io/proxyCPU", "traffic.sidecar.istio.io/excludeInboundPorts"]
            ),
            st.just("80"),
        ),
        "env": st.sampled_from([{}, {"ISTIO_META_CLUSTER_ID": "remote"}]),
    }
)


@given(PODS)
def test_an_injected_pod_gives_itself(drawn: dict[str, Any]) -> None:
    """Whatever it was: the API server may call a webhook twice."""
    subject = pod(annotations=dict(drawn["annotations"]))
    if drawn["templates"]:
        subject["metadata"]["annotations"]["inject.istio.io/templates"] = drawn["templates"]
    if drawn["probe"]:
        subject["spec"]["containers"][0]["readinessProbe"] = drawn["probe"]
    if drawn["own"]:
        subject["spec"]["containers"].append({"name": "istio-proxy", **drawn["own"]})
    if drawn["network"]:
        subject["metadata"]["labels"]["topology.istio.io/network"] = drawn["network"]
    subject["spec"]["initContainers"] = [{"name": name} for name in drawn["init"]]
    how = by(native=drawn["native"], proxy_env=drawn["env"])
    once = inject(subject, how)
    assert inject(once, how) == once


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_templates_need_no_values(name: str) -> None:
    """A configuration of an older chart lacks some; the proxy still comes up with defaults."""
    subject = pod(annotations={"inject.istio.io/templates": name})
    assert inject(subject, by(values={}))["metadata"]["annotations"]["sidecar.istio.io/status"]


def test_cluster_and_network() -> None:
    """The label of the pod before the webhook's path before the values; they are told to the agent and to others."""
    values = with_values({"network": "of-values", "multiCluster": {"clusterName": "here"}})
    plain = inject(pod(), by(values=values))
    assert variables(plain)["ISTIO_META_CLUSTER_ID"] == "here"
    assert variables(plain)["ISTIO_META_NETWORK"] == "of-values"
    assert plain["metadata"]["labels"]["topology.istio.io/network"] == "of-values"
    path = {"ISTIO_META_CLUSTER_ID": "there", "ISTIO_META_NETWORK": "of-path", "OWN": "x"}
    remote = inject(pod(), by(values=values, proxy_env=path))
    assert {name: variables(remote)[name] for name in path} == path
    labelled = inject(pod(labels={"topology.istio.io/network": "own"}), by(values=values, proxy_env=path))
    assert variables(labelled)["ISTIO_META_NETWORK"] == "own"
    names = [item["name"] for item in container(labelled, "istio-proxy")["env"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("native", "first"), [(False, True), (True, None)])
def test_the_application_waits_for_the_proxy(native: bool, first: bool | None) -> None:
    """By order and a hook, or as a native sidecar, which needs neither."""
    settings = {**BY.proxy_config, "holdApplicationUntilProxyStarts": True}
    done = inject(pod(), by(native=native, proxy_config=settings))
    names = [item["name"] for item in done["spec"]["containers"]]
    assert names == (["istio-proxy", "app"] if first else ["app"])
    hooks = container(done, "istio-proxy").get("lifecycle", {})
    assert set(hooks) == ({"postStart"} if first else {"preStop"})


def test_a_pods_own_setting_beats_the_values() -> None:
    """False is a word too."""
    proxy = {**VALUES["global"]["proxy"], "holdApplicationUntilProxyStarts": True}
    values = with_values({"proxy": proxy})
    assert [c["name"] for c in inject(pod(), by(values=values))["spec"]["containers"]] == ["istio-proxy", "app"]
    settings = {**BY.proxy_config, "holdApplicationUntilProxyStarts": False}
    done = inject(pod(), by(values=values, proxy_config=settings))
    assert [c["name"] for c in done["spec"]["containers"]] == ["app", "istio-proxy"]


def test_revisions() -> None:
    """The proxy talks to its own control plane, and says whose it is."""
    done = inject(pod(), by(revision="canary"))
    assert variables(done)["CA_ADDR"] == "istiod-canary.istio-system.svc:15012"
    assert done["metadata"]["annotations"]["istio.io/rev"] == "canary"
    status = json.loads(done["metadata"]["annotations"]["sidecar.istio.io/status"])
    assert status["revision"] == "canary"
    assert status["containers"] == ["istio-proxy"]


def test_core_dumps() -> None:
    """A container sets the kernel's pattern, and the file system is writable."""
    done = inject(pod(annotations={"sidecar.istio.io/enableCoreDump": "true"}), BY)
    assert container(done, "enable-core-dump")["securityContext"]["privileged"] is True
    assert container(done, "istio-proxy")["securityContext"]["readOnlyRootFilesystem"] is False


def test_templates_of_ones_own() -> None:
    """By name or alias, with all variables and functions; they are merged one after the other."""
    own = """
metadata:
  labels:
    workload: {{ .DeploymentMeta.Name }}.{{ .TypeMeta.Kind }}
    zone: {{ env "ZONE" "none" }}
    sum: {{ render "{{ add 1 2 }}" | quote }}
spec:
  containers:
  - name: istio-proxy
    env:
    - {name: EXTRA, value: {{ .Values.global.hub | quote }}}
  - name: helper
    image: {{ .ProxyImage }}
"""
    webhook = {"templates": {"own": own}, "defaultTemplates": ["both"]}
    config = config_from_values({**VALUES, "sidecarInjectorWebhook": webhook})
    config = msgspec.structs.replace(config, aliases={"both": ("sidecar", "own")})
    done = inject(pod(), by(config=config, environ={"ZONE": "z"}))
    assert {"workload": "web.Deployment", "zone": "z", "sum": "3"}.items() <= done["metadata"]["labels"].items()
    assert variables(done)["EXTRA"] == "localhost/pilot-mesh"
    assert container(done, "helper")["image"] == "localhost/pilot-mesh/proxyv2:0.1.0"
    assert "PILOT_CERT_PROVIDER" in variables(done)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ .Nope }}", "there is no .Nope"),
        ("{{ fail `not like this` }}", "not like this"),
        ("a: [", "made no valid YAML"),
        ("- a", "made list, want an object"),
        ("spec: {containers: [{image: x}]}", "containers: want objects with 'name'"),
    ],
)
def test_templates_that_fail(template: str, problem: str) -> None:
    """The pod is refused, with the template's name and the reason."""
    config = parse_config(json.dumps({"templates": {"sidecar": template}}))
    with pytest.raises(PodError, match=problem):
        inject(pod(), by(config=config))


def test_pods_that_ask_for_what_is_not_there() -> None:
    """Are told what there is."""
    with pytest.raises(PodError, match="want one of gateway, grpc-agent, grpc-simple, sidecar"):
        inject(pod(annotations={"inject.istio.io/templates": "nope"}), BY)
    with pytest.raises(PodError, match="proxyCPU"):
        inject(pod(annotations={"sidecar.istio.io/proxyCPU": "much"}), BY)


def test_lists_that_a_template_does_not_name_stay() -> None:
    """A mode without init container must not take the user's away."""
    subject = pod(annotations={"sidecar.istio.io/interceptionMode": "NONE"}, initContainers=[{"name": "mine"}])
    done = inject(subject, BY)
    assert [item["name"] for item in done["spec"]["initContainers"]] == ["mine"]


def test_annotations_for_every_pod() -> None:
    """Of the configuration."""
    config = msgspec.structs.replace(BY.config, injected_annotations={"policy": "x"})
    assert inject(pod(), by(config=config))["metadata"]["annotations"]["policy"] == "x"


def test_the_reference_page_names_what_templates_see() -> None:
    """Each variable, and none that is not there."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "injection.md").read_text(encoding="utf-8")
    table = page.partition("| variable |")[2].partition("\n\n")[0]
    data = _template_data({"metadata": {}, "spec": {}}, BY)
    assert set(re.findall(r"`\.(\w+)`", table)) == set(data.members)
