"""The mesh in a whole cluster: charts installed by Helm, pods injected by the webhook, run and called for real.

Real are the API server, its controllers, kubectl, Helm's engine, iptables, Envoy and every process of ours, each
started with the arguments, rights and files that its manifest says.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any, Final

import helm_python as helm
import pytest
import yaml

from tests.kit.helm import chart_path
from tests.kit.live import until
from tests.kube.cluster import Cluster, is_ready
from tests.kube.mesh import SYSTEM, URL, called, caller

pytestmark = [pytest.mark.kube, pytest.mark.root, pytest.mark.envoy, pytest.mark.timeout(300)]


async def test_calls_are_captured_and_go_by_mutual_tls(site: Cluster, shop: str) -> None:
    """An application that knows nothing of the mesh is answered over TLS, and each side knows who the other one is."""
    *answers, counts = await called(site, shop, "caller", COUNT="20", EACH="1")
    assert counts["statuses"] == {"200": 20}
    assert len(counts["pods"]) == 2
    for answer in answers:
        peer = dict(part.split("=", 1) for part in answer["headers"]["x-forwarded-client-cert"].split(";"))
        assert peer["By"] == f"spiffe://cluster.local/ns/{shop}/sa/echo"
        assert peer["URI"] == f"spiffe://cluster.local/ns/{shop}/sa/caller"
        assert answer["peer"] == "127.0.0.6"  # Envoy's own call of the application


async def test_strict_refuses_plaintext(site: Cluster, shop: str) -> None:
    """A pod outside of the mesh is answered without an identity, until STRICT is set; those inside notice nothing."""
    outside = caller("outside", PAUSE_S="0.05", EACH="1")
    outside = outside.replace("app: outside", 'app: outside\n    sidecar.istio.io/inject: "false"')
    inside = caller("inside", PAUSE_S="0.05", EACH="1")
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=f"{outside}---\n{inside}")
    await until(lambda: site.lines(shop, "outside", "caller")[10:], lambda: site.story(shop), within_s=60)
    await until(lambda: site.lines(shop, "inside", "caller")[10:], lambda: site.story(shop), within_s=60)
    said = site.lines(shop, "outside", "caller")
    assert {answer["status"] for answer in said} == {200}
    assert not [answer for answer in said if "x-forwarded-client-cert" in answer["headers"]]

    strict = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default"}}
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps({**strict, "spec": {"mtls": {"mode": "STRICT"}}}))

    def refused() -> bool:
        return [answer["status"] for answer in site.lines(shop, "outside", "caller")][-20:] == [0] * 20

    await until(refused, lambda: site.story(shop), within_s=60)
    await site.kubectl_in_background("delete", "pod", "inside", "-n", shop)
    *_, counts = site.lines(shop, "inside", "caller")
    assert set(counts["statuses"]) == {"200"}, site.story(shop)


async def test_a_rolling_restart_drops_no_request(site: Cluster, shop: str, request: pytest.FixtureRequest) -> None:
    """Both instances are replaced under 210 requests a second, at least 2000 of them; every request is answered.

    What rate a busy machine managed is recorded, not judged.
    """
    old = {pod["metadata"]["name"] for pod in await site.pods(shop, "echo")}
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=caller("load", LANES="8", RATE="210"))
    await until(lambda: {"so_far": 500} in site.lines(shop, "load", "caller"), lambda: site.story(shop), within_s=60)
    await site.kubectl_in_background("rollout", "restart", "deployment/echo", "-n", shop)
    await site.kubectl_in_background("rollout", "status", "deployment/echo", "-n", shop, "--timeout=120s")

    async def replaced() -> bool:
        return not old & {pod["metadata"]["name"] for pod in await site.pods(shop, "echo")}

    def enough() -> bool:
        return {"so_far": 2000} in site.lines(shop, "load", "caller")

    await until(replaced, lambda: site.story(shop), within_s=60)
    await until(enough, lambda: site.story(shop), within_s=60)
    await site.kubectl_in_background("delete", "pod", "load", "-n", shop)
    counts = site.lines(shop, "load", "caller")[-1]
    rate = counts["total"] / counts["seconds"]
    request.node.user_properties += [("requests", counts["total"]), ("requests_per_s", round(rate, 1))]
    assert set(counts["statuses"]) == {"200"}, site.log(shop, "load", "caller")[-3000:]
    assert old < set(counts["pods"])


@pytest.mark.parametrize("victim", ["pilot-agent", "envoy"])
async def test_a_killed_sidecar_comes_back(
    site: Cluster, shop: str, victim: str, request: pytest.FixtureRequest
) -> None:
    """SIGKILL of the agent or of Envoy: the container starts anew, the application goes on, callers lose what was on
    its way to that instance and nothing else.
    """
    lanes = 4
    pods = await site.pods(shop, "echo")
    names = {pod["metadata"]["name"] for pod in pods}
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=caller("load", LANES=str(lanes), RATE="100", EACH="1"))

    def answers() -> list[dict[str, Any]]:
        return site.lines(shop, "load", "caller")

    def recent() -> set[str]:
        return {str(answer.get("pod")) for answer in answers()[-50:]}

    await until(lambda: recent() == names, lambda: site.story(shop), within_s=60)
    name = pods[0]["metadata"]["name"]
    before = len(answers())
    os.kill(site.processes(name, victim)[0], signal.SIGKILL)

    async def restarted() -> bool:
        (pod,) = [pod for pod in await site.pods(shop, "echo") if pod["metadata"]["name"] == name]
        status = pod["status"]
        restarts = {
            entry["name"]: entry["restartCount"]
            for entry in (*status["containerStatuses"], *status.get("initContainerStatuses", ()))
        }
        return (restarts["istio-proxy"], restarts["echo"]) == (1, 0) and is_ready(pod)

    await until(restarted, lambda: site.story(shop), within_s=60)
    after = len(answers())
    await until(lambda: recent() == names and len(answers()) > after + 100, lambda: site.story(shop), within_s=60)
    failed = [answer for answer in answers()[before:] if answer["status"] != 200]
    request.node.user_properties += [("requests", len(answers()) - before), ("failed", len(failed))]
    assert len(failed) <= lanes, failed


async def test_a_job_with_a_sidecar_completes(site: Cluster, shop: str) -> None:
    """The proxy ends after the work; a work that fails is tried again, with the proxy still there."""
    script = "test -e /state/second && exec python -m tests.kube.apps.caller; touch /state/second; exit 1"
    env = [{"name": "URL", "value": URL}, {"name": "COUNT", "value": "5"}]
    mounts = [{"name": "state", "mountPath": "/state"}]
    container = {"name": "work", "image": "shell", "args": ["-c", script], "env": env, "volumeMounts": mounts}
    volumes = [{"name": "state", "emptyDir": {}}]
    template = {
        "metadata": {"labels": {"app": "work"}},
        "spec": {"restartPolicy": "OnFailure", "containers": [container], "volumes": volumes},
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"}, "spec": {"template": template}}
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps(job))
    await site.kubectl_in_background("wait", "job/work", "-n", shop, "--for=condition=Complete", "--timeout=90s")
    (pod,) = await site.api.list_all("v1", "Pod", shop, labelSelector="job-name=work")
    assert pod["status"]["phase"] == "Succeeded"
    (work,) = pod["status"]["containerStatuses"]
    assert (work["restartCount"], work["lastState"]["terminated"]["exitCode"]) == (1, 1)
    (proxy,) = (entry for entry in pod["status"]["initContainerStatuses"] if entry["name"] == "istio-proxy")
    assert "terminated" in proxy["state"]
    assert proxy["state"]["terminated"]["finishedAt"] >= work["state"]["terminated"]["finishedAt"]


async def test_a_failing_readiness_probe_takes_a_pod_away(site: Cluster, shop: str) -> None:
    """Its callers stop calling it, without one failed request, and call it again when it is well."""
    failing, other = await site.pods(shop, "echo")
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=caller("load", PAUSE_S="0.01", EACH="1"))

    def recent() -> set[str]:
        return {str(answer.get("pod")) for answer in site.lines(shop, "load", "caller")[-50:]}

    names = {pod["metadata"]["name"] for pod in (failing, other)}
    await until(lambda: recent() == names, lambda: site.story(shop), within_s=60)
    unready = site.volume(failing, "state") / "unready"
    unready.touch()
    await until(lambda: recent() == {other["metadata"]["name"]}, lambda: site.story(shop), within_s=60)
    assert [pod["metadata"]["name"] for pod in await site.pods(shop, "echo") if is_ready(pod)] == [
        other["metadata"]["name"]
    ]
    unready.unlink()
    await until(lambda: recent() == names, lambda: site.story(shop), within_s=60)
    assert {answer["status"] for answer in site.lines(shop, "load", "caller")} == {200}


async def test_bad_configuration_is_refused_when_it_is_applied(site: Cluster, shop: str) -> None:
    """By the webhook, which the API server calls itself: with the path of the fault; good configuration is taken."""
    route = [{"destination": {"host": "echo"}, "weight": 60}, {"destination": {"host": "echo"}, "weight": -5}]
    spec = {"hosts": ["echo"], "http": [{"route": route}]}
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "echo"}}
    done = site.try_kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps({**kind, "spec": spec}))
    assert done.returncode != 0
    assert "weight" in done.stderr
    spec = {"hosts": ["echo"], "http": [{"route": route[:1], "timeout": "5ms", "retries": {"attempts": -1}}]}
    done = site.try_kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps({**kind, "spec": spec}))
    assert done.returncode != 0
    assert 'admission webhook "' in done.stderr
    site.kubectl(
        "apply",
        "-n",
        shop,
        "-f",
        "-",
        stdin=json.dumps({**kind, "spec": {"hosts": ["echo"], "http": [{"route": route[:1]}]}}),
    )


@pytest.mark.usefixtures("shop")
async def test_the_control_plane_is_refused_nothing(site: Cluster) -> None:
    """What it asks of the API server its chart grants it: no call of a mesh at work is forbidden."""
    user = f"system:serviceaccount:{SYSTEM}:istiod"
    assert ("discovery.k8s.io", "endpointslices", "watch") in site.plane.rights_used(user)
    assert site.plane.refused(user) == set()


_ENTRY: Final = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: echo-by-another-name}
spec:
  hosts: [echo.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, targetPort: 8080, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: echo}}
"""


async def test_a_name_that_only_the_mesh_knows(site: Cluster, shop: str) -> None:
    """With DNS captured, the agent knows hosts of ServiceEntries; calls reach the pods behind them by mutual TLS."""
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=_ENTRY)
    metadata = {"proxy.istio.io/config": json.dumps({"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}})}
    item = yaml.safe_load(caller("curious", URL="http://echo.example.com/", PAUSE_S="0.05", EACH="1"))
    item["metadata"]["annotations"] = metadata
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=json.dumps(item))

    def answered() -> list[dict[str, Any]]:
        said = site.lines(shop, "curious", "caller")
        return [answer for answer in said if answer["status"] == 200][10:]

    answers = await until(answered, lambda: site.story(shop), within_s=60)
    assert "URI=spiffe://" in answers[-1]["headers"]["x-forwarded-client-cert"]
    assert answers[-1]["headers"]["host"] == "echo.example.com"


async def test_the_control_plane_is_replaced_while_requests_go_on(site: Cluster, shop: str) -> None:
    """No request notices, and what happens in the cluster afterwards reaches the callers as before."""
    old = {pod["metadata"]["name"] for pod in await site.pods(SYSTEM, "istiod")}
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=caller("load", PAUSE_S="0.01", EACH="1"))
    await site.ready(shop, "load", 1)
    await site.kubectl_in_background("rollout", "restart", "deployment/istiod", "-n", SYSTEM)
    await site.kubectl_in_background("rollout", "status", "deployment/istiod", "-n", SYSTEM, "--timeout=120s")

    async def replaced() -> bool:
        return not old & {pod["metadata"]["name"] for pod in await site.pods(SYSTEM, "istiod")}

    await until(replaced, lambda: site.story(SYSTEM), within_s=60)
    site.kubectl("scale", "deployment/echo", "-n", shop, "--replicas=3")
    names = {pod["metadata"]["name"] for pod in await site.ready(shop, "echo", 3)}

    def recent() -> set[str]:
        return {str(answer.get("pod")) for answer in site.lines(shop, "load", "caller")[-60:]}

    await until(lambda: recent() == names, lambda: site.story(SYSTEM), within_s=60)
    assert {answer["status"] for answer in site.lines(shop, "load", "caller")} == {200}


async def test_a_gateway_of_the_chart_runs(site: Cluster) -> None:
    """Its pod names no image: the injector fills in the whole proxy, which is configured and becomes ready."""
    values = {"autoscaling": {"enabled": False}, "service": {"type": "ClusterIP"}}
    with helm.Config(kubeconfig_path=site.plane.address.kubeconfig, namespace="istio-ingress") as releases:
        releases.install(chart_path("gateway"), "ingress", values, namespace="istio-ingress", create_namespace=True)
        try:
            (pod,) = await site.ready("istio-ingress", "ingress", 1)
        finally:
            releases.uninstall("ingress")
    (container,) = pod["spec"]["containers"]
    assert (container["name"], container["args"][:2]) == ("istio-proxy", ["proxy", "router"])
