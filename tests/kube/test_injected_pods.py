"""Forms of injected pods, run for real: the proxy as a plain container, and what users write over it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.kit.live import until
from tests.kube.cluster import Cluster
from tests.kube.mesh import caller

pytestmark = [pytest.mark.kube, pytest.mark.root, pytest.mark.envoy, pytest.mark.timeout(300)]

_CONFIG = "proxy.istio.io/config"
_NATIVE = "sidecar.istio.io/nativeSidecar"


def _annotated(name: str, annotations: dict[str, str], **environment: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(caller(name, EACH="1", **environment))
    document["metadata"]["annotations"] = annotations
    return document


async def _answers(site: Cluster, namespace: str, name: str, count: int) -> list[dict[str, Any]]:
    """The first ones of a caller."""

    def enough() -> list[dict[str, Any]]:
        said = site.lines(namespace, name, "caller")
        return said if len(said) >= count else []

    found: list[dict[str, Any]] = await until(enough, lambda: site.story(namespace), within_s=60)
    return found


async def test_an_application_that_is_held_never_meets_a_proxy_that_is_not_ready(site: Cluster, shop: str) -> None:
    """A plain container as the proxy: it comes first, and the application starts when it is ready. What the user wrote
    for `istio-proxy` holds.
    """
    hold = json.dumps({"holdApplicationUntilProxyStarts": True})
    document = _annotated("held", {_NATIVE: "false", _CONFIG: hold}, PAUSE_S="0.02")
    own = {"name": "istio-proxy", "image": "auto", "env": [{"name": "ISTIO_META_COLOUR", "value": "blue"}]}
    document["spec"]["containers"].append(own)
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps(document))
    answers = await _answers(site, shop, "held", 50)
    assert {answer["status"] for answer in answers} == {200}
    assert all("URI=spiffe://" in answer["headers"]["x-forwarded-client-cert"] for answer in answers)
    (pod,) = await site.pods(shop, "held")
    assert [container["name"] for container in pod["spec"]["containers"]] == ["istio-proxy", "caller"]
    assert [container["name"] for container in pod["spec"]["initContainers"]] == ["istio-init"]
    proxy, application = pod["spec"]["containers"][0], pod["status"]["containerStatuses"]
    assert {"name": "ISTIO_META_COLOUR", "value": "blue"} in proxy["env"]
    assert proxy["image"] != "auto"
    started = {entry["name"]: entry["state"]["running"]["startedAt"] for entry in application}
    assert started["istio-proxy"] <= started["caller"]


async def test_a_pod_by_tproxy_keeps_the_address_of_its_caller(site: Cluster, shop: str) -> None:
    """As an annotation asks for it: the application sees who called, not its own proxy."""
    deployment = json.loads(site.kubectl("get", "deployment", "echo", "-n", shop, "-o", "json"))
    template = deployment["spec"]["template"]
    template["metadata"]["labels"] = {"app": "seen"}
    template["metadata"]["annotations"] = {"sidecar.istio.io/interceptionMode": "TPROXY"}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "seen"}}, "template": template}
    service = {"selector": {"app": "seen"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    for document in (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "seen"}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "seen"}, "spec": service},
    ):
        site.kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps(document))
    await site.ready(shop, "seen", 1, within_s=90)
    site.kubectl(
        "apply", "-n", shop, "-f", "-", stdin=json.dumps(_annotated("who", {}, URL="http://seen/", COUNT="20"))
    )
    await site.phase(shop, "who", "Succeeded", "Failed")
    *answers, counts = site.lines(shop, "who", "caller")
    assert counts["statuses"] == {"200": 20}
    (pod,) = await site.pods(shop, "who")
    assert {answer["peer"] for answer in answers} == {pod["status"]["podIP"]}
